"""The answer of an implementation's own reference, and how far rounding may carry an honest one.

No bound can be written down for a function that is not known beforehand, so it is found by trying
(Monte Carlo arithmetic, Parker 1997): the reference is computed in float64 a few times more, and
whatever each of its operations gives, forward and backward, is moved at random by as much as
rounding in the problem's dtype would. How far its answers move, row by row, is the bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from impls.interface import AttentionFunction, Problem
from impls.interface.implementation import from_function
from suites.agreement.expected import Expected
from suites.measure.inputs import Inputs, bind, call_of

DRAWS: Final = 4
TIMES: Final = 4.0
"""The bound is so many times what the answers move by: other orders of summation round more often
than one dense product does."""
LEAST_UNIT: Final = 1e-10
"""What float64 numbers can be moved by and tell; for a smaller unit the answer is scaled down."""
FEW_ROWS: Final = 16
"""Of many rows to compare so many are asked for, forward: each reads all keys anew."""
ENTRIES: Final = 1 << 24
"""Score entries that a reference is asked for at a time, over all heads."""
_NAMES: Final = ("out", "dq", "dk", "dv")


def expect_from(
    reference: AttentionFunction, problem: Problem, inputs: Inputs, rows: Tensor | None
) -> Expected:
    """What a reference answers in float64, with bounds.

    rows  the query rows to compare; None is all. The gradient of the output is zero outside them
    """
    if rows is not None and not problem.training:  # in training dk and dv are of all these rows
        kept = torch.linspace(0, len(rows) - 1, FEW_ROWS).long()
        rows = rows[sorted(set(kept.tolist()))]
    wide, info = _in_double(inputs), torch.finfo(getattr(torch, problem.dtype))
    exact = _answers(reference, problem, wide, rows)
    moved = {name: torch.zeros_like(value[..., :1]) for name, value in exact.items()}
    unit, least = info.eps / 2, info.smallest_normal * info.eps
    moving = max(unit, LEAST_UNIT)
    for draw in range(DRAWS):
        with _Rounding(moving, draw):
            answers = _answers(reference, problem, wide, rows)
        for name, value in exact.items():
            moved[name] += (answers[name] - value).square().mean(-1, keepdim=True) / DRAWS
    bounds = {
        name: TIMES * unit / moving * _spread(moved[name]) + unit * value.abs() + least
        for name, value in exact.items()
    }
    return Expected(values=exact, bounds=bounds, rows=rows)


def _spread(squares: Tensor) -> Tensor:
    """How far each row moved, [B, H, T, 1], from its squares and those of its place in all heads.

    What moves a row may be one rounding: its own few draws can all be small by chance.
    """
    return (squares + squares.mean((0, 1), keepdim=True)).sqrt()


class _Rounding(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch leaves it untyped
    """Within this, what every operation gives is off at random, relative, by about a unit."""

    def __init__(self, unit: float, seed: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # torch leaves it untyped
        self._unit, self._seed = unit, seed
        self._generators: dict[torch.device, torch.Generator] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = func(*args, **(kwargs or {}))
        aliases = any(each.alias_info is not None for each in func._schema.returns)  # noqa: SLF001 - no public name
        if aliases or not isinstance(given, Tensor) or not given.is_floating_point():
            return given
        noise = torch.empty(given.shape, dtype=torch.float32, device=given.device)
        noise.uniform_(-(3**0.5), 3**0.5, generator=self._generator(given.device))
        return torch.addcmul(given, given, noise.to(given.dtype), value=self._unit)

    def _generator(self, device: torch.device) -> torch.Generator:
        """One for each device, so that what is drawn differs from operation to operation."""
        if device not in self._generators:
            self._generators[device] = torch.Generator(device).manual_seed(self._seed)
        return self._generators[device]


def _answers(
    reference: AttentionFunction, problem: Problem, inputs: Inputs, rows: Tensor | None
) -> dict[str, Tensor]:
    """Every tensor that the reference gives, run of rows by run of rows where the mask permits."""
    dtype = str(inputs.q.dtype).removeprefix("torch.")
    runs = list(_runs(problem, rows))
    found: dict[str, list[Tensor]] = {"out": [], "dq": []}
    sums = {"dk": torch.zeros_like(inputs.k), "dv": torch.zeros_like(inputs.v)}
    for first, end in runs:
        # Rows up to `end` see no key behind it, or all: the last query stays with its last key.
        keys = problem.key_length
        if problem.mask.right == 0:
            keys = max(1, end + problem.key_length - problem.query_length)
        part = _part(inputs, first, end, keys)
        asked = replace(problem, query_length=end - first, key_length=keys, dtype=dtype)
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


def _runs(problem: Problem, rows: Tensor | None) -> Iterator[tuple[int, int]]:
    """Runs of rows `[first, end)` to ask for, in order."""
    length = problem.query_length
    if not _separable(problem):
        yield 0, length
        return
    step = max(1, ENTRIES // (problem.batch * problem.query_heads * problem.key_length))
    if rows is None:
        yield from ((first, min(first + step, length)) for first in range(0, length, step))
        return
    yield from _neighbours(rows.tolist())


def _neighbours(rows: Sequence[int]) -> Iterator[tuple[int, int]]:
    cuts = [i + 1 for i, (row, after) in enumerate(pairwise(rows)) if after != row + 1]
    for first, end in pairwise([0, *cuts, len(rows)]):
        yield rows[first], rows[end - 1] + 1


def _separable(problem: Problem) -> bool:
    """Whether some rows can be asked for by themselves under the same mask."""
    mask = problem.mask
    plain = mask.padding is None and mask.documents is None
    return plain and (mask.is_full or mask.right == 0)


def _part(inputs: Inputs, first: int, end: int, keys: int) -> Inputs:
    grad = None if inputs.grad is None else inputs.grad[:, :, first:end]
    return replace(
        inputs,
        q=inputs.q[:, :, first:end],
        k=inputs.k[:, :, :keys],
        v=inputs.v[:, :, :keys],
        grad=grad,
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
