"""The gate: the error of a call's tensors against their rounding bound.

The error is compared with a rounding bound computed beside the float64 reference. Two other rules
were tried. An absolute tolerance accepts zeros at long sequences. Twice the error of a naive
formula rejects honest implementations, element by element. docs/agreement.md has the figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor

from suites.agreement.bounds.expected import NAMES, ROWS_OF_QUERIES, Expected
from suites.records.record import TensorError

RMS_ALLOWED, WORST_ALLOWED = 2.0, 16.0
"""RMS(error) / RMS(bound) and max(error / bound) at most. Over 231,000 honest float32 tensors these
were 0.86 and 7.8 at most."""
NAIVE_ALLOWED: Final = 2.0
"""In half precision, RMS(error) over the naive formula's RMS error at most. Honest results stayed
below 1.6 over 1,305 seeds; bfloat16 inside for float16 inputs begins at 3."""
ROW_ALLOWED: Final = {"out": 3.0, "dq": 3.0, "dk": 8.0, "dv": 8.0}
"""In half precision, a row's RMS error over its spread, relative to the naive formula's worst row,
at most. Honest maxima over 10,446 tensors: 1.8, 1.6, 3.1 and 3.5. dk and dv may be summed over
queries in half precision."""
SMALL_ROW: Final = 1e-3
"""A row's RMS counts as at least this part of the tensor's in `worst_row`. The relative error of a
row that is pure rounding noise could be 1e9."""
Index = tuple[int, int]
"""The batch row and the head that are first in a tensor; messages count from the whole problem."""
FIRST: Final[Index] = (0, 0)


def judge(
    made: Sequence[Tensor], expected: Expected, first: Index = FIRST
) -> tuple[tuple[TensorError, ...], str]:
    """The error of every tensor, and the first fault as text; empty: it agrees."""
    errors = errors_of(made, expected)
    fault = bound_fault(made, expected, errors, first) or naive_fault(made, expected, first)
    return errors, fault


def errors_of(made: Sequence[Tensor], expected: Expected) -> tuple[TensorError, ...]:
    """The error of every tensor against its bound."""
    return tuple(
        _error_of(name, tensor, expected) for name, tensor in zip(NAMES, made, strict=False)
    )


def bound_fault(
    made: Sequence[Tensor],
    expected: Expected,
    errors: Sequence[TensorError],
    first: Index = FIRST,
) -> str:
    """The first tensor whose error exceeds the rounding bound, as text; empty: none does.

    It agrees when RMS(error) / RMS(bound) <= 2, max(error / bound) <= 16, and the error is zero
    wherever the bound is zero.
    """
    for error, tensor in zip(errors, made, strict=False):
        if not (error.rms_share <= RMS_ALLOWED and error.worst_share <= WORST_ALLOWED):
            return _bound_message(error, expected.compared(error.tensor, tensor), expected, first)
    return ""


def naive_fault(made: Sequence[Tensor], expected: Expected, first: Index = FIRST) -> str:
    """The first tensor with a larger error than the naive formula allows, as text; empty: none.

    It agrees when RMS(error) is at most twice the naive formula's in half precision, and no row's
    error exceeds a few times that of the naive formula's worst row, both relative to their spread.
    """
    for name, tensor in zip(NAMES, made, strict=False):
        if name in expected.naive:
            got = expected.compared(name, tensor)
            if fault := _naive_message(name, got, expected, first):
                return fault
    return ""


def _error_of(name: str, tensor: Tensor, expected: Expected) -> TensorError:
    got, value = expected.compared(name, tensor), expected.values[name]
    bound, error = expected.bounds[name], (got - value).abs()
    share = torch.where(bound > 0, error / bound.clamp_min(1e-300), error.sign() * float("inf"))
    share = share.nan_to_num(nan=0.0, posinf=float("inf"))  # 0 * inf: no error where the bound is 0
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


def _bound_message(error: TensorError, got: Tensor, expected: Expected, first: Index) -> str:
    value, bound = expected.values[error.tensor], expected.bounds[error.tensor]
    at = _argmax((got - value).abs() / bound.clamp_min(1e-300))
    found, wanted = apart_as_text(float(got[at]), float(value[at]))
    return (
        f"{error.tensor} is wrong: RMS error {error.rms_share:.3g} times the rounding bound "
        f"({RMS_ALLOWED:g} allowed), largest {error.worst_share:.3g} times ({WORST_ALLOWED:g} "
        f"allowed); at {_index(at, error.tensor, expected, first)} it is {found}, expected {wanted}"
    )


def apart_as_text(found: float, expected: float) -> tuple[str, str]:
    """Two different numbers as text, with as many digits as they need to differ: 6 to 17."""
    texts = ("", "")
    for digits in range(6, 18):
        texts = f"{found:.{digits}g}", f"{expected:.{digits}g}"
        if texts[0] != texts[1]:
            break
    return texts


def _naive_message(name: str, got: Tensor, expected: Expected, first: Index) -> str:
    naive, error = expected.naive[name], _rms(got - expected.values[name])
    if error > NAIVE_ALLOWED * naive.rms:
        return (
            f"{name} is wrong: its RMS error, {error:.3g}, is {_ratio(error, naive.rms):.3g} "
            f"times that of the naive formula in this precision ({NAIVE_ALLOWED:g} allowed)"
        )
    shares, allowed = expected.row_shares(name, got), ROW_ALLOWED[name]
    if not naive.worst_row or float(shares.max()) <= allowed * naive.worst_row:
        return ""
    times = float(shares.max()) / naive.worst_row
    return (
        f"{name} is wrong at {_index(_argmax(shares), name, expected, first)}: relative to the "
        f"rounding expected in that row, its RMS error is {times:.3g} times that of the naive "
        f"formula's worst row in this precision ({allowed:g} allowed)"
    )


def _argmax(x: Tensor) -> tuple[int, ...]:
    # torch.unravel_index would import sympy.
    return tuple(int(i) for i in np.unravel_index(int(x.argmax()), tuple(x.shape)))


def _index(index: tuple[int, ...], name: str, expected: Expected, first: Index) -> list[int]:
    """An index in the whole problem's tensor: batch row, head, row and perhaps column."""
    b, head, row, *column = index
    if expected.rows is not None and name in ROWS_OF_QUERIES:
        row = int(expected.rows[row])
    return [first[0] + b, first[1] + head, row, *column]


def _rms(x: Tensor) -> float:
    return float(x.square().mean().sqrt())


def _ratio(above: float, below: float) -> float:
    """The quotient; 0 / 0 is 0, since no error is expected there."""
    return above / below if below else (float("inf") if above else 0.0)
