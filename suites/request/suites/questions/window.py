"""Time of a sliding window by its reach and by the length."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from suites.records.cases import Case
from suites.request.suites.suite import Gpu, Suite, typed, unlabelled


def _cases(devices: tuple[str, ...], gpu: Gpu) -> tuple[Case, ...]:
    cpu = _grid("h4", {4096: (64, 256, 1024), 1024: (64, 256), 2048: (64, 256, 1024)})
    more = ("h4 t4096 window:16", "h4 t4096 window:2048")
    longest = _grid("h4", {8192: (64, 256, 1024)})
    cuda = _grid("h16 d128", dict.fromkeys((8192, 4096, 16384, 32768), (128, 512, 2048)))
    return unlabelled(typed(devices, gpu, cpu=(*cpu, *more, *longest), cuda=cuda))


def _grid(words: str, reaches: dict[int, tuple[int, ...]]) -> Iterator[str]:
    """Windows by length, each length beside its causal mask: a window that reaches everywhere."""
    for length, own in reaches.items():
        yield f"{words} t{length} causal"
        yield from (f"{words} t{length} window:{reach}" for reach in own)


SUITE: Final = Suite(
    name="window",
    asks="What does a sliding window save, by its reach and by the length?",
    description="windows of 16 to 2048 keys beside the causal mask, lengths 1024 to 8192, 4 heads",
    cases=_cases,
    minutes=6.0,
    budget_s=5 * 60.0,
    panels=("attention",),
    left_out=(
        "windows that look ahead (window:LEFT:RIGHT): few implementations take them",
        "training: its lengths would not fit the minutes; --pass training measures it",
    ),
)
