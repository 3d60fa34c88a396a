"""Values of an implementation's own reference, with a rounding bound found by trial.

No bound can be derived for a function that is not known beforehand. So the bound is found by trial
(Monte Carlo arithmetic, Parker 1997). The reference is computed in float64 four more times. Each
time, everything that its operations read, forward and backward, is perturbed at random by the size
of a rounding in the problem's dtype. The spread of the results is the bound, per element and row.

The perturbation of a sum is relative to its summands, also where they cancel. The gradient of a
single key's weight is zero, for example, and an honest result is a difference of two rounded sums.
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

from impls.interface import AttentionFunction, Problem, implementation
from suites.agreement.bounds.expected import NAMES, Expected
from suites.measure.inputs import Inputs, bind, call_of, make_inputs

DRAWS: Final = 4
"""Perturbed evaluations of the reference."""
TIMES: Final = 2.0
"""The bound over the spread of the draws: other orders of summation round more often than one dense
product."""
LEAST_UNIT: Final = 1e-10
"""The smallest relative perturbation that float64 still resolves. For a smaller u (float64) the
spread is scaled down by u / LEAST_UNIT."""
ALL_UP_TO, FEW_ROWS = 512, 16
"""Forward, up to 512 rows are all computed; of more rows 16, each of which reads all keys."""
POOL: Final = 1 << 21
"""Random numbers in the pool. Each read takes a run of it from a random place: drawing one number
per element would take half of the time."""
SMALL: Final = 16
"""Length at which a reference shows whether rows can be computed by themselves."""
EQUAL: Final = 1e-9
"""Difference of equal float64 results, relative to the largest number."""
ENTRIES: Final = 1 << 24
"""Score entries, over all heads, that a reference computes at a time."""
_SUMMING: Final = frozenset(
    getattr(torch.ops.aten, name)
    for name in ("mm", "bmm", "addmm", "baddbmm", "mv", "dot", "sum", "mean", "cumsum")
)
"""Operations that sum."""
_PRODUCTS: Final = _SUMMING - {getattr(torch.ops.aten, x) for x in ("sum", "mean", "cumsum")}
"""Operations that sum products of their last two arguments."""
_MOVING: Final = frozenset(
    getattr(torch.ops.aten, name) for name in ("_unsafe_view", "clone", "tril", "triu")
)
"""Operations that only move values, but are no views: they add no rounding."""


def bounds_by_trial(
    reference: AttentionFunction, problem: Problem, inputs: Inputs, rows: Tensor | None
) -> Expected:
    """Values of a reference in float64, with bounds.

    rows  the query rows to compare; None is all. The output's gradient has to be zero outside them
    """
    rows = (
        rows if problem.training else _few(reference, problem, rows)
    )  # in training dk, dv need all rows
    wide, info = _in_double(inputs), torch.finfo(getattr(torch, problem.dtype))
    exact = _evaluate(reference, problem, wide, rows)
    moved = {name: torch.zeros_like(value) for name, value in exact.items()}
    unit, least = info.eps / 2, info.smallest_normal * info.eps
    moving = max(unit, LEAST_UNIT)
    for draw in range(DRAWS):
        with _RandomRounding(moving, draw):
            tensors = _evaluate(reference, problem, wide, rows)
        for name, value in exact.items():
            moved[name] += (tensors[name] - value).square() / DRAWS
    bounds = {
        name: TIMES * unit / moving * _spread(moved[name]) + unit * value.abs() + least
        for name, value in exact.items()
    }
    return Expected(values=exact, bounds=bounds, rows=rows)


def values_of(
    reference: AttentionFunction, problem: Problem, inputs: Inputs
) -> tuple[Tensor, Tensor | None]:
    """The output of a reference in float64, forward, and its query rows; None: all of them."""
    rows = _few(reference, problem, None)
    return _evaluate(reference, problem, _in_double(inputs), rows)["out"], rows


def _few(reference: AttentionFunction, problem: Problem, rows: Tensor | None) -> Tensor | None:
    """The rows to compute: a few, with the first and the last."""
    if rows is None and (problem.query_length <= ALL_UP_TO or not _separable(reference, problem)):
        return None
    given = torch.arange(problem.query_length) if rows is None else rows
    kept = torch.linspace(0, len(given) - 1, FEW_ROWS).long()
    return given[sorted(set(kept.tolist()))]


def _spread(squares: Tensor) -> Tensor:
    """The spread of each element: its own mean square, its row's, and that row's in all heads.

    One rounding may dominate a row, and its few draws can all be small by chance. Some elements may
    also move much further than others of their row.
    """
    rows = squares.mean(-1, keepdim=True)
    return (squares + rows + rows.mean((0, 1), keepdim=True)).sqrt()


class _RandomRounding(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch leaves it untyped
    """Within this, everything that an operation reads is perturbed at random by about one unit."""

    def __init__(self, unit: float, seed: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # torch leaves it untyped
        self._unit, self._random = unit, Random(seed)
        self._sizes: MutableMapping[Tensor, Tensor] = WeakTensorKeyDictionary()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No compiled code runs within this. To skip it, torch would import its compiler: 2 s."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.is_view or func.overloadpacket in _MOVING:  # rounded where it is read
            made, size = func(*args, **kwargs), self._sizes.get(args[0])
            if size is not None and isinstance(made, Tensor):
                self._sizes[made] = func(size, *args[1:], **kwargs)
            return made
        if any(each.alias_info is not None for each in func._schema.returns):  # noqa: SLF001 - no public name
            self._sizes.pop(args[0], None)  # the operation writes to it
            return func(*args, **kwargs)
        made = func(*tree_map(self._read, args), **kwargs)
        if func.overloadpacket in _SUMMING and isinstance(made, Tensor):
            parts = func(*tree_map(self._size, args), **kwargs)
            again = made.abs() * _summands(func.overloadpacket, args, made) ** 0.5 / 3
            self._sizes[made] = torch.maximum(parts, again)
        return made

    def _read(self, x: Any) -> Any:
        """A tensor as one operation reads it: every read is perturbed anew."""
        if not isinstance(x, Tensor) or not x.is_floating_point():
            return x
        noise = self._noise(x.numel(), x.device).view(x.shape)
        return torch.addcmul(x, self._size(x), noise.to(x.dtype), value=self._unit)

    def _noise(self, count: int, device: torch.device) -> Tensor:
        """Random numbers of mean 0 and variance 1."""
        pool = _pool(device)
        runs = [
            pool.narrow(0, self._random.randrange(POOL), min(POOL, count - begun))
            for begun in range(0, max(count, 1), POOL)
        ]
        return runs[0] if len(runs) == 1 else torch.cat(runs)

    def _size(self, x: Any) -> Any:
        """The size that a tensor's rounding is relative to: for a sum, that of its summands.

        Summands may cancel. Where they do not, sequential summation of n numbers of one sign rounds
        n partial sums, each by up to u of its value. The squares of these errors, (u k / n)^2 / 3
        for k up to n, add up to (sqrt(n) / 3 * u)^2.
        """
        if not isinstance(x, Tensor) or not x.is_floating_point():
            return x
        known = self._sizes.get(x)
        return x.abs() if known is None else known


@lru_cache(maxsize=4)
def _pool(device: torch.device) -> Tensor:
    """[2 POOL] random numbers in float64; runs begin in the first half."""
    generator = torch.Generator(device).manual_seed(0)
    pool = torch.empty(2 * POOL, dtype=torch.float64, device=device)
    return pool.uniform_(-(3**0.5), 3**0.5, generator=generator)


def _summands(operation: Any, args: Sequence[Any], made: Tensor) -> int:
    """Summands of each element of a sum."""
    count = (
        args[-2].shape[-1] if operation in _PRODUCTS else args[0].numel() // max(made.numel(), 1)
    )
    return int(count)


def _evaluate(
    reference: AttentionFunction, problem: Problem, inputs: Inputs, rows: Tensor | None
) -> dict[str, Tensor]:
    """Every tensor of the reference, computed in runs of rows where the mask permits it."""
    dtype = str(inputs.q.dtype).removeprefix("torch.")
    found: dict[str, list[Tensor]] = {"out": [], "dq": []}
    sums = {"dk": torch.zeros_like(inputs.k), "dv": torch.zeros_like(inputs.v)}
    for run in _runs(reference, problem, rows):
        made, keys = _of_run(reference, replace(problem, dtype=dtype), inputs, run)
        for name, tensor in zip(NAMES, made, strict=False):
            if name in found:
                found[name].append(tensor)
            else:
                sums[name][:, :, :keys] += tensor
    tensors = {name: torch.cat(parts, 2) for name, parts in found.items() if parts}
    if rows is not None and not _separable(reference, problem):
        tensors = {name: tensor[:, :, rows.to(tensor.device)] for name, tensor in tensors.items()}
    return {**tensors, **(sums if problem.training else {})}


def _of_run(
    reference: AttentionFunction, problem: Problem, inputs: Inputs, run: Tensor
) -> tuple[tuple[Tensor, ...], int]:
    """The tensors of some rows computed by themselves, and the number of keys they had."""
    keys = problem.key_length
    if problem.mask.right == 0:  # no row sees a key behind the last row's last key
        keys = max(1, int(run[-1]) + 1 + problem.key_length - problem.query_length)
    of_run = replace(problem, query_length=len(run), key_length=keys, ranks=1)
    return _call(reference, of_run, _part(inputs, run, keys))(), keys


def _runs(reference: AttentionFunction, problem: Problem, rows: Tensor | None) -> Sequence[Tensor]:
    """Rows to compute at a time: neighbours under a causal mask, where keys end with the rows."""
    every = torch.arange(problem.query_length)
    if not _separable(reference, problem):
        return [every]
    wanted = every if rows is None else rows.cpu()
    if rows is not None and problem.mask.right == 0:
        cuts = (wanted.diff() != 1).nonzero().flatten() + 1
        return torch.tensor_split(wanted, cuts)
    step = max(1, ENTRIES // (problem.batch * problem.query_heads * problem.key_length))
    return torch.split(wanted, step)


def _separable(reference: AttentionFunction, problem: Problem) -> bool:
    """Whether some rows can be computed by themselves under the same mask.

    A reference may depend on positions, as decay does: rows taken by themselves have others.
    """
    mask = problem.mask
    parts = mask.padding, mask.packed_lengths
    plain = parts == (None, None) and problem.bias.kind == "none"
    if not plain or not (mask.is_full or mask.right == 0):
        return False
    queries = SMALL if problem.query_length == problem.key_length else SMALL - 4
    small = replace(
        problem, batch=1, query_length=queries, key_length=SMALL, training=False, ranks=1
    )
    return _rows_stand_alone(reference, replace(small, dtype="float64", device="cpu"))


@lru_cache(maxsize=64)
def _rows_stand_alone(reference: AttentionFunction, small: Problem) -> bool:
    """Whether some rows of a small problem equal the same rows of the whole."""
    inputs = make_inputs(small, purpose="rows")
    (whole,) = _call(reference, small, inputs)()
    run = torch.arange(3, 7) if small.mask.right == 0 else torch.tensor([2, 7, 8])
    (some,), _ = _of_run(reference, small, inputs, run)
    return torch.allclose(some, whole[:, :, run], rtol=0.0, atol=EQUAL * float(whole.abs().max()))


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
    return call_of(bind(implementation()(reference), problem, inputs), inputs)


def _in_double(inputs: Inputs) -> Inputs:
    q, k, v = (x.detach().double() for x in (inputs.q, inputs.k, inputs.v))
    return replace(
        inputs, q=q, k=k, v=v, grad=None if inputs.grad is None else inputs.grad.double()
    )
