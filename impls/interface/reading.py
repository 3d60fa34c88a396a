"""Readings: what a mask parameter means and which layout tensors have, of one callable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MEANINGS: Final = {
    "visible": "bool, True = visible",
    "hidden": "bool, True = hidden",
    "numbers": "numbers, 1 = visible and 0 = hidden",
    "added": "added to the scores, -inf = hidden",
}
"""What a dense mask may mean, in the order in which the meanings are tried."""
MASK_DIMS: Final = (4, 2, 3)
"""Dimensions of a dense mask, in the order in which they are tried: [B or 1, 1, Tq, Tk], [Tq, Tk]
and [B or 1, Tq, Tk]."""
NATIVE: Final = "Mask"
"""The meaning of a mask parameter that takes the contract's `Mask`."""
LAYOUTS: Final = {
    "bhtd": "",
    "bthd": "q, k, v and out as [B, T, H, D]",
    "bhtd-bthd": "out as [B, T, H, D]",
    "folded": "q, k and v as [B * H, T, D]",
}
"""Layouts of the tensors of a callable, in the order in which they are tried."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to call a function.

    meaning  of its dense mask: a key of MEANINGS, NATIVE, or "" where none is passed
    layout   a key of LAYOUTS
    mask_dims  dimensions of a dense mask: one of MASK_DIMS
    window   of a window parameter: a key of WINDOWS, or "" where none is passed
    first    whether the output is the first of several
    """

    meaning: str = ""
    layout: str = "bhtd"
    mask_dims: int = 4
    window: str = ""
    first: bool = False
