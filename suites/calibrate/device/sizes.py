"""Sizes of the selftest's problems, by the memory of the device: one table for small and large."""

from __future__ import annotations

from math import isqrt
from typing import Final

from suites.calibrate.device.figure import Target

HEADS: Final = 64
"""Heads and batch rows together: b4 h16."""
SCORES_SHARE: Final = 128
"""The dense scores of a problem take this part of the device's memory: calls then fill the device,
and dense implementations with their gradients fit."""
PRODUCT_SHARE: Final = 2048
"""A square matrix takes this part of the memory: its product takes a fraction of a millisecond."""
HALF_BYTES: Final = 2


def length(memory_bytes: int) -> int:
    """The length of a half-precision problem: the largest power of two whose scores fit."""
    return _power_of_two(isqrt(memory_bytes // SCORES_SHARE // (HEADS * HALF_BYTES)))


def rows(memory_bytes: int) -> int:
    """Rows of a square half-precision matrix, a power of two."""
    return _power_of_two(isqrt(memory_bytes // PRODUCT_SHARE // HALF_BYTES))


def too_long(memory_bytes: int, excess: float) -> int:
    """The length whose half-precision scores, with one head, take `excess` times the memory."""
    return -(-isqrt(int(excess * memory_bytes) // HALF_BYTES) // 64) * 64


def problem(target: Target, words: str) -> str:
    """The text of a half-precision problem that suits a device."""
    return f"b4 h16 t{length(target.memory_bytes)} d128 {words} {target.half}"


def _power_of_two(number: int) -> int:
    return 1 << max(6, number.bit_length() - 1)
