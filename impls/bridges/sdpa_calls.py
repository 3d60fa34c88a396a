"""scaled_dot_product_attention of this process, while something else may answer its calls."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Final, Protocol

import torch
from torch import Tensor

from impls.bridges.patches import Patches

Function = Callable[..., Any]
Attention = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Of q, k and v, [B, H, T, D]."""
OUTSIDE: Final = "an implementation answers attention outside of compiled code"
"""The reason of a break in the graph of compiled code, as torch says it."""


class Answers(Protocol):
    """Looks up what answers a call."""

    def of(  # noqa: PLR0913, PLR0917 - the parameters of scaled_dot_product_attention
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        mask: Tensor | None,
        dropout_p: float,
        is_causal: bool,  # noqa: FBT001 - likewise
        scale: float | None,
        enable_gqa: bool,  # noqa: FBT001 - likewise
    ) -> Attention | None:
        """The function that answers a call; None for a call of others."""

    def claims(self) -> bool:
        """Whether this thread is where no call may go to torch: not by compiled code, either."""


class _Thread(threading.local):
    """Whether this thread is in an implementation: its calls go to torch."""

    is_in_implementation = False


_THREAD: Final = _Thread()


def by_implementation(function: Attention, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Call an implementation; where it calls scaled_dot_product_attention, torch answers."""
    before, _THREAD.is_in_implementation = _THREAD.is_in_implementation, True
    try:
        return function(q, k, v)
    finally:
        _THREAD.is_in_implementation = before


def with_answers(
    original: Function, answers: Sequence[Answers], outside: Sequence[Function] = ()
) -> Function:
    """scaled_dot_product_attention with answers in front of it; the last that has one is taken.

    outside  this function as compiled code calls it: outside of its graph; needed where answers
             claim calls
    """
    is_compiling, thread = torch.compiler.is_compiling, _THREAD

    @wraps(original)
    def answer(  # noqa: PLR0913, PLR0917 - its own parameters
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,  # noqa: FBT001, FBT002 - its own parameter
        scale: float | None = None,
        enable_gqa: bool = False,  # noqa: FBT001, FBT002 - its own parameter
    ) -> Tensor:
        call = original
        if is_compiling():
            if any(each.claims() for each in answers):
                call = outside[0]
        elif not thread.is_in_implementation:
            for each in reversed(answers):
                function = each.of(
                    query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa
                )
                if function is not None:
                    return by_implementation(function, query, key, value)
        given = (query, key, value, attn_mask, dropout_p, is_causal)
        out: Tensor = call(*given, scale=scale, enable_gqa=enable_gqa)
        return out

    return answer


class _Process:
    """The answers of this process, in the order in which they came."""

    def __init__(self) -> None:
        self._answers: list[Answers] = []
        self._claiming = 0
        self._outside: list[Function] = []
        self._original: Function = torch.nn.functional.scaled_dot_product_attention
        self._answering = self._original
        self._patches = Patches()
        self._lock = threading.Lock()

    def add(self, answers: Answers, *, claiming: bool) -> None:
        """Put answers in front of scaled_dot_product_attention."""
        with self._lock:
            if not self._answers:
                self._replace()
            if claiming and not self._outside:
                outside = torch.compiler.disable(self._answering, reason=OUTSIDE)  # type: ignore[no-untyped-call] # torch's
                self._outside.append(outside)
            # Those that claim calls are asked before the others.
            place = len(self._answers) if claiming else len(self._answers) - self._claiming
            self._answers.insert(place, answers)
            self._claiming += claiming

    def remove(self, answers: Answers) -> None:
        """Take answers away; after the last ones everything is as before."""
        with self._lock:
            if answers not in self._answers:
                return
            place = self._answers.index(answers)
            self._claiming -= place >= len(self._answers) - self._claiming
            del self._answers[place]
            if not self._answers:
                self._patches.undo()
                # Modules that were imported in the meantime may have it, too.
                Patches().replace_everywhere(self._answering, self._original)
                self._outside.clear()

    def _replace(self) -> None:
        self._original = torch.nn.functional.scaled_dot_product_attention
        self._answering = with_answers(self._original, self._answers, self._outside)
        self._patches.replace_everywhere(self._original, self._answering)
        # The fused layers of torch do not call it.
        is_enabled = torch.backends.mha.get_fastpath_enabled
        self._patches.replace_everywhere(is_enabled, self._unless_claimed(is_enabled))

    def _unless_claimed(self, is_enabled: Function) -> Function:
        answers = self._answers

        @wraps(is_enabled)
        def is_fastpath_enabled() -> bool:
            return is_enabled() and not any(each.claims() for each in answers)

        return is_fastpath_enabled


_PROCESS: Final = _Process()


def answer_with(answers: Answers, *, claiming: bool = False) -> None:
    """Let answers come before torch's, in this process, until `answer_no_more`.

    claiming  whether the answers claim calls; it imports torch's compiler
    """
    _PROCESS.add(answers, claiming=claiming)


def answer_no_more(answers: Answers) -> None:
    """End what `answer_with` began; the order in which several end does not matter."""
    _PROCESS.remove(answers)
