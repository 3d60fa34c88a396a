"""Whether an answer is within what rounding may do to it, and in what form it has to come.

The gate compares the error with a rounding-error bound computed beside the float64 reference. It
was chosen over absolute tolerances (zeros pass those at long sequences) and over twice the error
of a plain formula (honest implementations fail that element by element); CHANGELOG has the figures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor

from suites.agreement.expected import Expected
from suites.measure.inputs import Inputs
from suites.records.record import TensorError

RMS_ALLOWED, WORST_ALLOWED = 2.0, 16.0
TEXTBOOK_ALLOWED: Final = 2.0
"""In half precision, RMS(error) over that of the textbook's own error and one rounding more. Honest
answers stayed below 1.6 over 1,305 seeds; bfloat16 inside for float16 begins at 3."""
ROW_ALLOWED: Final = {"out": 3.0, "dq": 3.0, "dk": 8.0, "dv": 8.0}
"""In half precision, RMS(error) of a row beside its spread, over that of the textbook's worst row.
Gradients of keys may be added up over queries in half precision."""
SMALL_ROW: Final = 1e-3
"""A row counts as this part of the whole at least, when it is told how far off it is: one that is
nothing but rounding would be off by a billion times itself."""
NAMES: Final = ("out", "dq", "dk", "dv")
ROWS_OF_QUERIES: Final = ("out", "dq")
"""Whose rows may be sampled ones."""


def judge(
    made: Sequence[Tensor], expected: Expected, first: tuple[int, int] = (0, 0)
) -> tuple[tuple[TensorError, ...], str]:
    """The error of every tensor against its bound, and the first fault in words (empty: agrees).

    first  the batch row and the head that stand first in these tensors, for the words

    Agrees when RMS(error) / RMS(bound) <= 2, max(error / bound) <= 16, and the error is zero where
    the bound is; in half precision, where the bound is wide, also when RMS(error) is at most twice
    what the textbook formula is off by in that precision, and no row's a few times that of its
    worst row.
    """
    errors: list[TensorError] = []
    faults: list[str] = []
    for name, tensor in zip(NAMES, made, strict=False):
        got = compared(tensor, name, expected)
        value, bound = expected.values[name], expected.bounds[name]
        error = _error_of(name, got, value, bound)
        errors.append(error)
        if not (error.rms_share <= RMS_ALLOWED and error.worst_share <= WORST_ALLOWED):
            faults.append(_beyond_bound(error, got, expected, first))
        elif name in expected.textbook:
            faults.append(_beside_textbook(name, got, expected, first))
    return tuple(errors), next(filter(None, faults), "")


def malformed(made: Sequence[Tensor], inputs: Inputs) -> str:
    """What is wrong with the form of an answer; empty when nothing is."""
    out_shape = (*inputs.q.shape[:3], inputs.v.shape[3])
    wanted = (out_shape, inputs.q.shape, inputs.k.shape, inputs.v.shape)
    for name, tensor, shape in zip(NAMES, made, wanted, strict=False):
        if tensor.shape != shape:
            return f"{name} has shape {list(tensor.shape)}, expected {list(shape)}"
        if tensor.dtype != inputs.q.dtype:
            return f"{name} is {tensor.dtype}, expected {inputs.q.dtype}"
        if tensor.device.type != inputs.q.device.type:
            return f"{name} is on {tensor.device}, expected {inputs.q.device}"
        if tensor.layout != torch.strided:
            return f"{name} is {tensor.layout}, expected a plain tensor"
        finite = torch.isfinite(tensor)
        if not finite.all():
            place = [int(i) for i in (~finite).nonzero()[0]]
            return f"{name} is {float(tensor[tuple(place)])} at {place}"
    return ""


def changed(given: Inputs, original: Inputs, versions: Sequence[int]) -> str:
    """Which input a call wrote to, whatever it wrote; empty when none.

    versions  as `versions_of` told before the call: they count every write
    """
    now = versions_of(given)
    pairs = zip(tensors_of(given), tensors_of(original), strict=True)
    for place, ((name, tensor), (_, was)) in enumerate(pairs):
        if tensor.shape != was.shape or tensor.untyped_storage().nbytes() < _reached(tensor):
            return f"its input {name} was taken away"
        if not torch.equal(tensor, was):
            return f"its input {name} was changed in place"
        if now[place] != versions[place]:
            return f"its input {name} was written to, and restored"
    return ""


def _reached(x: Tensor) -> int:
    """Bytes from where it begins to its last element, which may be less than its elements take."""
    steps = sum((n - 1) * step for n, step in zip(x.shape, x.stride(), strict=True))
    return (1 + steps) * x.element_size()


def versions_of(inputs: Inputs) -> list[int]:
    """How often each input has been written to."""
    return [tensor._version for _, tensor in tensors_of(inputs)]  # noqa: SLF001 - no public name


def tensors_of(inputs: Inputs) -> Iterator[tuple[str, Tensor]]:
    """Every tensor that an implementation is handed, by name."""
    yield from (("q", inputs.q), ("k", inputs.k), ("v", inputs.v))
    if inputs.grad is not None:
        yield "grad", inputs.grad
    if inputs.bias is not None:
        yield "bias", inputs.bias.values
    if inputs.sink is not None:
        yield "sink", inputs.sink


def compared(tensor: Tensor, name: str, expected: Expected) -> Tensor:
    """In float64, the rows that the reference has."""
    got = tensor.detach().double()
    if expected.rows is not None and name in ROWS_OF_QUERIES:
        got = got[:, :, expected.rows.to(got.device)]
    return got


def _beside_textbook(name: str, got: Tensor, expected: Expected, first: tuple[int, int]) -> str:
    """What is wrong with an error beside the textbook's own; empty where it is like it."""
    textbook, error = expected.textbook[name], _rms(got - expected.values[name])
    if error > TEXTBOOK_ALLOWED * textbook.rms:
        return (
            f"{name} is wrong: its RMS error, {error:.3g}, is {_ratio(error, textbook.rms):.3g} "
            "times what the textbook formula is off by in this precision "
            f"({TEXTBOOK_ALLOWED:g} allowed)"
        )
    shares, allowed = expected.row_shares(name, got), ROW_ALLOWED[name]
    if not textbook.worst_row or float(shares.max()) <= allowed * textbook.worst_row:
        return ""
    times = float(shares.max()) / textbook.worst_row
    return (
        f"{name} is wrong at {_named(_largest(shares), name, expected, first)}: beside what "
        f"rounding adds to a row, its RMS error there is {times:.3g} times that of the textbook "
        f"formula's worst row in this precision ({allowed:g} allowed)"
    )


def _largest(x: Tensor) -> tuple[int, ...]:
    """Where it is largest."""
    # torch.unravel_index would import sympy.
    return tuple(int(i) for i in np.unravel_index(int(x.argmax()), tuple(x.shape)))


def _named(
    index: tuple[int, ...], name: str, expected: Expected, first: tuple[int, int]
) -> list[int]:
    """A place in a tensor as it is in the whole of it: batch row, head, row and perhaps column."""
    b, head, row, *column = index
    if expected.rows is not None and name in ROWS_OF_QUERIES:
        row = int(expected.rows[row])
    return [first[0] + b, first[1] + head, row, *column]


def _error_of(name: str, got: Tensor, value: Tensor, bound: Tensor) -> TensorError:
    error = (got - value).abs()
    share = torch.where(bound > 0, error / bound.clamp_min(1e-300), error.sign() * float("inf"))
    share = share.nan_to_num(nan=0.0, posinf=float("inf"))  # 0 * inf: no error where none may be
    rows = value.square().mean(-1).sqrt()
    least = max(SMALL_ROW * _rms(value), 1e-300)
    worst_row = (error.square().mean(-1).sqrt() / rows.clamp_min(least))[rows > 0]
    lengths = float(got.norm() * value.norm())
    return TensorError(
        tensor=name,
        rms_share=_ratio(_rms(error), _rms(bound)),
        worst_share=float(share.max()),
        relative_rms=_ratio(_rms(error), _rms(value)),
        max_error=float(error.max()),
        worst_row=float(worst_row.max()) if len(worst_row) else None,
        cosine=float((got * value).sum() / lengths) if lengths else None,
    )


def _beyond_bound(
    error: TensorError, got: Tensor, expected: Expected, first: tuple[int, int]
) -> str:
    """How far it is off, and where most."""
    value, bound = expected.values[error.tensor], expected.bounds[error.tensor]
    at = _largest((got - value).abs() / bound.clamp_min(1e-300))
    return (
        f"{error.tensor} is wrong: RMS error {error.rms_share:.3g} times the rounding bound "
        f"(2 allowed), worst {error.worst_share:.3g} times (16 allowed); at "
        f"{_named(at, error.tensor, expected, first)} it is {float(got[at]):.6g}, "
        f"expected {float(value[at]):.6g}"
    )


def _rms(x: Tensor) -> float:
    return float(x.square().mean().sqrt())


def _ratio(above: float, below: float) -> float:
    """0 / 0 is 0: nothing where nothing is expected."""
    return above / below if below else (float("inf") if above else 0.0)
