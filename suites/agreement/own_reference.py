"""The answer of an implementation's own reference, and how far rounding may carry an honest one.

No bound can be written down for a function that is not known beforehand, so it is found by trying
(Monte Carlo arithmetic, Parker 1997): the reference is computed in float64 a few times more, and
whatever each of its operations reads, forward and backward, is moved at random by as much as
rounding in the problem's dtype would. How far its answers move, element by element and row by row,
is the bound.

What was added up is as far off as its parts are rounded by, also where they cancel: the gradient of
the only key's weight is nothing, and an honest answer to it a difference of two rounded sums.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import replace
from functools import lru_cache
from random import Random
from typing import Any, Final

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map
from torch.utils.weak import WeakTensorKeyDictionary

from impls.interface import AttentionFunction, Problem
from impls.interface.implementation import from_function
from suites.agreement.expected import Expected
from suites.measure.inputs import Inputs, bind, call_of

DRAWS: Final = 4
TIMES: Final = 2.0
"""The bound is so many times what the answers move by: other orders of summation round more often
than one dense product does."""
LEAST_UNIT: Final = 1e-10
"""What float64 numbers can be moved by and tell; for a smaller unit the answer is scaled down."""
ALL_UP_TO, FEW_ROWS = 512, 16
"""Up to so many rows are all asked for, forward; of more a few, each of which reads all keys."""
POOL: Final = 1 << 21
"""Random numbers that each read takes a run of, from a place drawn anew: to draw a number for each
that is read would take half of all the time."""
ENTRIES: Final = 1 << 24
"""Score entries that a reference is asked for at a time, over all heads."""
_SUMMING: Final = frozenset(
    getattr(torch.ops.aten, name)
    for name in ("mm", "bmm", "addmm", "baddbmm", "mv", "dot", "sum", "mean", "cumsum")
)
"""Operations that add up."""
_PRODUCTS: Final = _SUMMING - {getattr(torch.ops.aten, x) for x in ("sum", "mean", "cumsum")}
"""Those that add up products, of the last two things they are given."""
_MOVING: Final = frozenset(
    getattr(torch.ops.aten, name) for name in ("_unsafe_view", "clone", "tril", "triu")
)
"""Operations that compute nothing and are no views."""
_NAMES: Final = ("out", "dq", "dk", "dv")


def expect_from(
    reference: AttentionFunction, problem: Problem, inputs: Inputs, rows: Tensor | None
) -> Expected:
    """What a reference answers in float64, with bounds.

    rows  the query rows to compare; None is all. The gradient of the output is zero outside them
    """
    rows = rows if problem.training else _few(problem, rows)  # training: dk and dv are of all
    wide, info = _in_double(inputs), torch.finfo(getattr(torch, problem.dtype))
    exact = _answers(reference, problem, wide, rows)
    moved = {name: torch.zeros_like(value) for name, value in exact.items()}
    unit, least = info.eps / 2, info.smallest_normal * info.eps
    moving = max(unit, LEAST_UNIT)
    for draw in range(DRAWS):
        with _Rounding(moving, draw):
            answers = _answers(reference, problem, wide, rows)
        for name, value in exact.items():
            moved[name] += (answers[name] - value).square() / DRAWS
    bounds = {
        name: TIMES * unit / moving * _spread(moved[name]) + unit * value.abs() + least
        for name, value in exact.items()
    }
    return Expected(values=exact, bounds=bounds, rows=rows)


def _few(problem: Problem, rows: Tensor | None) -> Tensor | None:
    """The rows to ask for, the first and the last among them."""
    if rows is None and (problem.query_length <= ALL_UP_TO or not _separable(problem)):
        return None
    given = torch.arange(problem.query_length) if rows is None else rows
    kept = torch.linspace(0, len(given) - 1, FEW_ROWS).long()
    return given[sorted(set(kept.tolist()))]


def _spread(squares: Tensor) -> Tensor:
    """How far each element moved: its own squares, its row's, and those of its row in all heads.

    What moves a row may be one rounding: its own few draws can all be small by chance. And some of
    its elements may move much further than the others.
    """
    rows = squares.mean(-1, keepdim=True)
    return (squares + rows + rows.mean((0, 1), keepdim=True)).sqrt()


class _Rounding(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch leaves it untyped
    """Within this, what every operation reads is off at random, by about a unit of its size."""

    def __init__(self, unit: float, seed: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # torch leaves it untyped
        self._unit, self._random = unit, Random(seed)
        self._sizes: MutableMapping[Tensor, Tensor] = WeakTensorKeyDictionary()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled within this; to shield it, torch would import its compiler: 2 s."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.is_view or func.overloadpacket in _MOVING:  # it is rounded where it is read
            made, size = func(*args, **kwargs), self._sizes.get(args[0])
            if size is not None and isinstance(made, Tensor):
                self._sizes[made] = func(size, *args[1:], **kwargs)
            return made
        if any(each.alias_info is not None for each in func._schema.returns):  # noqa: SLF001 - no public name
            self._sizes.pop(args[0], None)  # it is written to
            return func(*args, **kwargs)
        made = func(*tree_map(self._read, args), **kwargs)
        if func.overloadpacket in _SUMMING and isinstance(made, Tensor):
            parts = func(*tree_map(self._size, args), **kwargs)
            again = made.abs() * _summands(func.overloadpacket, args, made) ** 0.5 / 3
            self._sizes[made] = torch.maximum(parts, again)
        return made

    def _read(self, x: Any) -> Any:
        """A tensor as an operation reads it: each that does reads it rounded otherwise."""
        if not isinstance(x, Tensor) or not x.is_floating_point():
            return x
        noise = self._noise(x.numel(), x.device).view(x.shape)
        return torch.addcmul(x, self._size(x), noise.to(x.dtype), value=self._unit)

    def _noise(self, count: int, device: torch.device) -> Tensor:
        """So many numbers of mean 0 and variance 1."""
        pool = _pool(device)
        runs = [
            pool.narrow(0, self._random.randrange(POOL), min(POOL, count - begun))
            for begun in range(0, max(count, 1), POOL)
        ]
        return runs[0] if len(runs) == 1 else torch.cat(runs)

    def _size(self, x: Any) -> Any:
        """What a tensor's rounding is relative to: of a sum its parts, which may cancel out.

        Where they do not, it is off by more: added up one after the other, n numbers of one sign
        are rounded n times on the way, each time by up to u of what there is by then. These errors
        add up as their squares, n of (u k / n)^2 / 3 for k up to n: sqrt(n) / 3 of u.
        """
        if not isinstance(x, Tensor) or not x.is_floating_point():
            return x
        known = self._sizes.get(x)
        return x.abs() if known is None else known


@lru_cache(maxsize=4)
def _pool(device: torch.device) -> Tensor:
    """[2 POOL], float64: what the reads' numbers are taken from, beginning in the first half."""
    generator = torch.Generator(device).manual_seed(0)
    pool = torch.empty(2 * POOL, dtype=torch.float64, device=device)
    return pool.uniform_(-(3**0.5), 3**0.5, generator=generator)


def _summands(operation: Any, args: Sequence[Any], made: Tensor) -> int:
    """How many numbers an operation has added up for each that it made."""
    count = (
        args[-2].shape[-1] if operation in _PRODUCTS else args[0].numel() // max(made.numel(), 1)
    )
    return int(count)


def _answers(
    reference: AttentionFunction, problem: Problem, inputs: Inputs, rows: Tensor | None
) -> dict[str, Tensor]:
    """Every tensor that the reference gives, run of rows by run of rows where the mask permits."""
    dtype = str(inputs.q.dtype).removeprefix("torch.")
    found: dict[str, list[Tensor]] = {"out": [], "dq": []}
    sums = {"dk": torch.zeros_like(inputs.k), "dv": torch.zeros_like(inputs.v)}
    for run in _runs(problem, rows):
        # These rows see all keys, or none behind the last: the last query stays with its last key.
        keys = problem.key_length
        if problem.mask.right == 0:
            keys = max(1, int(run[-1]) + 1 + problem.key_length - problem.query_length)
        part = _part(inputs, run, keys)
        asked = replace(problem, query_length=len(run), key_length=keys, dtype=dtype)
        made = _call(reference, asked, part)()
        for name, tensor in zip(_NAMES, made, strict=False):
            if name in found:
                found[name].append(tensor)
            else:
                sums[name][:, :, :keys] += tensor
    answers = {name: torch.cat(parts, 2) for name, parts in found.items() if parts}
    if rows is not None and not _separable(problem):
        answers = {name: tensor[:, :, rows.to(tensor.device)] for name, tensor in answers.items()}
    return {**answers, **(sums if problem.training else {})}


def _runs(problem: Problem, rows: Tensor | None) -> Sequence[Tensor]:
    """Rows to ask for at a time: neighbours under a causal mask, whose keys end with them."""
    every = torch.arange(problem.query_length)
    if not _separable(problem):
        return [every]
    asked = every if rows is None else rows.cpu()
    if rows is not None and problem.mask.right == 0:
        cuts = (asked.diff() != 1).nonzero().flatten() + 1
        return torch.tensor_split(asked, cuts)
    step = max(1, ENTRIES // (problem.batch * problem.query_heads * problem.key_length))
    return torch.split(asked, step)


def _separable(problem: Problem) -> bool:
    """Whether some rows can be asked for by themselves under the same mask."""
    mask = problem.mask
    plain = mask.padding is None and mask.documents is None and problem.bias.kind == "none"
    return plain and (mask.is_full or mask.right == 0)


def _part(inputs: Inputs, rows: Tensor, keys: int) -> Inputs:
    at = rows.to(inputs.q.device)
    return replace(
        inputs,
        q=inputs.q[:, :, at],
        k=inputs.k[:, :, :keys],
        v=inputs.v[:, :, :keys],
        grad=None if inputs.grad is None else inputs.grad[:, :, at],
    )


def _call(
    reference: AttentionFunction, problem: Problem, inputs: Inputs
) -> Callable[[], tuple[Tensor, ...]]:
    return call_of(bind(from_function(reference), problem, inputs), inputs)


def _in_double(inputs: Inputs) -> Inputs:
    q, k, v = (x.detach().double() for x in (inputs.q, inputs.k, inputs.v))
    return replace(
        inputs, q=q, k=k, v=v, grad=None if inputs.grad is None else inputs.grad.double()
    )
