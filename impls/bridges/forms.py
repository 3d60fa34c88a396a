"""Forms of attention calls, and what answers each: an implementation of a mix, or torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Final, NamedTuple

import torch
from torch import Tensor

from impls import load, select
from impls.bridges.mix import Mix
from impls.bridges.sdpa_calls import Attention
from impls.bridges.sdpa_problem import NotReplacedError, causal, problem_of
from impls.interface import Implementation, Mask, Problem
from impls.interface.mask import FULL

MOST_FORMS: Final = 4096
"""Forms that are kept: a decoder makes a new one for each token."""


class Call(NamedTuple):
    """A call of scaled_dot_product_attention.

    seen      what its attn_mask is: a mask, or why it is none; None without one
    training  whether gradients are taken
    """

    q: Tensor
    k: Tensor
    v: Tensor
    seen: Mask | str | None
    dropout_p: float
    is_causal: bool
    scale: float | None
    enable_gqa: bool
    training: bool


class Form:
    """The treatment of calls of one form.

    function  answers them; None: torch does
    label     the problem and the implementation, or why torch answers them
    seen      the recognised mask: it stays alive, so that no other object gets its id
    count     calls so far
    """

    __slots__ = ("count", "function", "label", "seen")

    def __init__(self, function: Attention | None, label: str, seen: Mask | str | None) -> None:
        self.function, self.label, self.seen, self.count = function, label, seen, 0


class Forms:
    """The forms so far; for each an implementation is chosen and prepared once.

    choose        returns the implementation for a problem; raises NotReplacedError if there is none
    keyless_rows  whether a query without a key is part of a problem: its output is zeros
    """

    def __init__(
        self, choose: Callable[[Problem], Implementation], *, keyless_rows: bool = False
    ) -> None:
        self._found: dict[Hashable, Form] = {}
        self._choose, self._keyless_rows = choose, keyless_rows
        self._prepared: dict[tuple[str, str, Problem], Attention] = {}
        self._earlier: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}

    def of(  # noqa: PLR0913, PLR0917 - a class for these takes half as long as the look-up itself
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        seen: Mask | str | None,
        dropout_p: float,
        is_causal: bool,  # noqa: FBT001 - likewise
        scale: float | None,
        enable_gqa: bool,  # noqa: FBT001 - likewise
    ) -> Form:
        """The form of a call, which is counted."""
        training = torch.is_grad_enabled() and (
            q.requires_grad or k.requires_grad or v.requires_grad
        )
        key = (
            *(q.shape, k.shape, v.shape, q.stride(), k.stride(), v.stride()),
            *(type(q), q.dtype, q.device, id(seen), dropout_p, is_causal, scale, enable_gqa),
            *(training, torch.is_autocast_enabled("cuda" if q.is_cuda else "cpu")),
        )
        found = self._found.get(key)
        if found is None:
            call = Call(q, k, v, seen, dropout_p, is_causal, scale, enable_gqa, training)
            found = self._found[key] = self._new(call)
        found.count += 1
        return found

    def counts(self, *, replaced: bool) -> Counter[str]:
        """Calls by label, of implementations or of torch."""
        found = self._earlier[replaced].copy()
        for form in self._found.values():
            if (form.function is not None) == replaced:
                found[form.label] += form.count
        return found

    def _new(self, call: Call) -> Form:
        self._drop()
        try:
            problem = _problem(call)
            implementation = self._chosen(problem)
        except NotReplacedError as reason:
            return Form(None, str(reason), call.seen)
        function = self._attention(implementation, problem)
        label = f"{problem}: {implementation}"
        return Form(_adapted(function, call, problem), label, call.seen)

    def _drop(self) -> None:
        """Leave out the older half of too many forms; their counts stay."""
        if len(self._found) < MOST_FORMS:
            return
        for key in list(self._found)[: MOST_FORMS // 2]:
            form = self._found.pop(key)
            self._earlier[form.function is not None][form.label] += form.count

    def _chosen(self, problem: Problem) -> Implementation:
        if problem.has_keyless_rows and not self._keyless_rows:
            raise NotReplacedError("a query without a key, whose result torch does not define")
        found = self._choose(problem)
        refused = found.refusals(problem, _capability(problem))
        if refused:
            raise NotReplacedError(f"{problem}: {found} refuses it: {'; '.join(refused)}")
        return found

    def _attention(self, implementation: Implementation, problem: Problem) -> Attention:
        """The implementation, prepared for the problem."""
        key = implementation.file, str(implementation), problem
        found = self._prepared.get(key)
        if found is None:
            if len(self._prepared) >= MOST_FORMS:
                self._prepared.clear()
            found = self._prepared[key] = implementation.prepared(problem)()
        return found


def of_mix(mix: Mapping[Problem, str]) -> Callable[[Problem], Implementation]:
    """The choice of a mix.

    mix  the name of an implementation by problem; NAME, or FILE.py:FUNCTION
    """
    known = load() if mix else {}
    implementations = {name: each for name in set(mix.values()) for each in select([name], known)}
    choose = Mix(mix).choose

    def chosen(problem: Problem) -> Implementation:
        name, reason = choose(problem)
        if not name:
            raise NotReplacedError(f"{problem}: {reason}")
        return implementations[name]

    return chosen


def _problem(call: Call) -> Problem:
    if isinstance(call.seen, str):
        raise NotReplacedError(call.seen)
    if call.seen is not None and call.is_causal:
        raise NotReplacedError("attn_mask beside is_causal")
    mask = causal(call.q, call.k) if call.is_causal else call.seen or FULL
    k, v = (_one_head(x) for x in (call.k, call.v))
    return problem_of(
        call.q,
        k,
        v,
        mask,
        call.dropout_p,
        call.scale,
        _dtype(call.q),
        enable_gqa=call.enable_gqa or len(k[0]) < len(call.k[0]),
        training=call.training,
    )


def _adapted(function: Attention, call: Call, problem: Problem) -> Attention:
    """The function for tensors as the call has them: with expanded heads, under autocast."""
    if problem.key_heads < len(call.k[0]):
        inner = function
        function = lambda q, k, v: inner(q, _one_head(k), _one_head(v))  # noqa: E731 - three words
    if not torch.is_autocast_enabled(problem.device):
        return function
    dtype = _dtype(call.q)
    attention = function

    def within_autocast(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        with torch.autocast(problem.device, enabled=False):
            return attention(q.to(dtype), k.to(dtype), v.to(dtype))

    return within_autocast


def _one_head(x: Tensor) -> Tensor:
    """The first head where all heads are one that was expanded."""
    expanded = x.dim() == 4 and x.shape[1] > 1 and x.stride(1) == 0
    return x[:, :1] if expanded else x


def _dtype(q: Tensor) -> torch.dtype:
    """The dtype of the products: that of autocast where it is on."""
    kind: str = q.device.type
    if q.dtype != torch.float64 and torch.is_autocast_enabled(kind):
        return torch.get_autocast_dtype(kind)
    return q.dtype


def _capability(problem: Problem) -> tuple[int, int] | None:
    return torch.cuda.get_device_capability() if problem.device == "cuda" else None


def lines(replaced: Counter[str], left: Counter[str]) -> Iterator[str]:
    """A summary: calls by implementation, and calls of torch by reason."""
    yield f"{replaced.total()} attention calls replaced, {left.total()} not"
    yield from (f"{count} x {label}" for label, count in replaced.most_common())
    yield from (f"{count} x not replaced: {why}" for why, count in left.most_common())
