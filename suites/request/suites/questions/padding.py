"""Padded batches: on the right, on the left and alternately, by the share of hidden keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from suites.records.cases import Case
from suites.request.suites.suite import Gpu, Suite, typed

_BATCH: Final = 8
_SHARE: Final = 0.5
"""Hidden keys of the most padded row; the other rows have evenly fewer, the last has none."""
_SOURCE: Final = "8 rows, of which the shortest has half of the keys and the longest has all"


def _cases(devices: tuple[str, ...], gpu: Gpu) -> tuple[Case, ...]:
    on_gpu = devices[0] == "cuda"
    words, lengths = ("h16 d128", (2048, 4096, 1024)) if on_gpu else ("h4 d64", (512, 1024, 256))
    return tuple(
        Case(problem=problem, label=label, source=_SOURCE if label else "")
        for text, label in _texts(words, lengths)
        for problem in typed(devices, gpu, cpu=(text,), cuda=(text,))
    )


def _texts(words: str, lengths: tuple[int, ...]) -> Iterator[tuple[str, str]]:
    """Each problem with its label; the first length has further shares."""
    for length in lengths:
        sizes = f"b{_BATCH} {words} t{length}"
        for band in ("full", "causal"):
            yield f"{sizes} {band}", ""
            for side in ("right", "left"):
                mask = f"{band}+{ranges(length, side)}".removeprefix("full+")
                yield f"{sizes} {mask}", f"{band}, {length} tokens, padded on the {side}"
        yield f"{sizes} padding:{_SHARE}", ""
    yield from (
        (f"b{_BATCH} {words} t{lengths[0]} padding:{share}", "") for share in (0.25, 0.75, 0.9)
    )


def ranges(length: int, side: str) -> str:
    """The words for padding on one side, with as many hidden keys a row as `padding:0.5`."""
    hidden = [round(_SHARE * length * (1 - row / (_BATCH - 1))) for row in range(_BATCH)]
    pairs = ((0, length - each) if side == "right" else (each, length) for each in hidden)
    return "padding:" + "/".join(f"{start}-{end}" for start, end in pairs)


SUITE: Final = Suite(
    name="padding",
    asks="What does padding cost, and does its side matter?",
    description="batches of 8 with lengths 256 to 1024, where half of the shortest row is hidden: "
    "padded on the right, on the left and alternately, full and causal; and shares of 0.25 to 0.9",
    cases=_cases,
    minutes=6.0,
    budget_s=5 * 60.0,
    panels=("attention",),
    left_out=("training: --pass training measures it",),
)
