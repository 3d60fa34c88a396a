"""The suite of `check`: small and awkward problems."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from impls.interface import Problem
from suites.records.cases import Case
from suites.request.suites.suite import Gpu, Suite, unlabelled


def _cases(devices: tuple[str, ...], gpu: Gpu) -> tuple[Case, ...]:  # noqa: ARG001 - equal on every GPU
    every = [Problem.parse(text, device=d) for d in devices for text in _agreement_texts()]
    return unlabelled([*every, *(Problem.parse(text, device="cpu") for text in _OF_RANKS)])


_OF_RANKS: Final = (
    *("b2 h4/2 t64 d16 full ranks2 train", "b1 h4 t128 d32 causal ranks2 train"),
    *("b1 h4/2 t128 d16 window:16 ranks2 train", "b1 h4 t64 d16 causal bf16 ranks2 train"),
    *("b1 h4/2 t128 d16 full ranks4", "b1 h4/2 t256 d16 causal bthd ranks4 train"),
    *("b2 h4 t64 d32 full scale0.3 ranks4 train", "b1 h4/2 t64 d16 window:9:5 ranks4 train"),
)
"""For functions of a group; on the CPU, where ranks may be more than cores."""


def _agreement_texts() -> Iterator[str]:
    """Small and awkward problems: unequal lengths, grouped heads, other scales, every feature.

    Short and odd lengths, extreme scores and views of larger tensors are among the hard inputs,
    once for each set of features.
    """
    masks = ("full", "causal", "window:16", "window:9:5")
    for mask in masks:
        yield f"b2 h4 t1 d16 {mask}"
        for lengths in ("33/129", "129/33"):
            if mask in ("full", "causal"):  # windows of unequal lengths in training alone: quicker
                yield f"b2 h4 t{lengths} d16 {mask}"
            yield f"b2 h4 t{lengths} d16 {mask} train"
        yield f"b2 h4 t1 d16 {mask} train"
        yield f"b2 h4/2 t129 d16 {mask} train"
        yield f"b1 h4 t65 d33 {mask} scale0.3"
        yield f"b2 h4 t65 d32 {mask} bthd train"
    for words in (
        *("full fp64", "causal fp64 train"),
        *("full bf16", "causal bf16 train", "window:16 bf16"),
        *("causal fp16", "full fp16 train"),
    ):
        yield f"b1 h4 t129 d64 {words}"
    parts = ("padding:0.5", "causal+padding:0.5", "window:9+padding:0.5")
    bands = ("", "causal+", "window:9:3+", "padding:0.5+", "window:16+padding:0.5+")
    for mask in (*parts, *(f"{band}documents:10/23x2/9" for band in bands)):
        yield f"b3 h4/2 t65 d16 {mask} train"
    yield from (
        "b2 h4/2 t65 d32 alibi train",
        "b3 h4 t33/129 d32 causal+padding:0.5 alibi bf16",
        "b2 h4 t129 d32 window:16 alibi bthd train",
        "b2 h4/2 t129/33 d32 causal relative:32 train",
        "b2 h4 t65 d32 window:9+documents:10/23x2/9 relative:8 fp16 train",
        "b2 h4/2 t65 d32 dense train",
        "b3 h4/2 t33/129 d32 causal+padding:0.5 dense bthd bf16",
        "b2 h4 t129/33 d32 causal dense fp16 train",
        "b2 h4/2 t65 d32 dv24 window:9+documents:10/23x2/9 dense softcap5 sink train",
        "b1 h2 t600 d32 full dense",
        "b2 h4/2 t129 d32 causal softcap30 train",
        "b2 h4 t65 d16 causal+documents:10/23x2/9 softcap5 bf16",
        "b2 h4/2 t129/33 d32 causal sink train",
        "b2 h4 t65 d32 window:9+padding:0.5 relative:8 sink fp16",
        "b2 h4/2 t65 d32 dv48 causal train",
        "b2 h4 t33/129 d32 dv24 window:16 bf16",
        "b3 h4/2 t65 d32 dv24 causal+padding:0.5+documents:65 relative:32 softcap5 sink train",
        "b2 h2 t1100 d32 causal+padding:0.5 alibi",
    )
    yield from (
        "h4/2 d32 causal+rows:4x1/33+20/40+1/129 train",
        "h4/2 d16 rows:1/33+3/9+9/9+12/5 train bthd",
        "h4 d16 window:9+rows:2x4/33+1/65+7/7 bf16",
        "h4/2 d32 dv24 causal+rows:3x1/65+4/4 softcap30 sink bf16 train bthd",
    )
    yield from _lengths_and_heads()
    yield from ("b2 h4 t256 d64 full train", "b1 h4 t256 d64 causal train")  # whole blocks
    yield "b1 h4 t1024 d64 window:128"
    yield "b1 h2 t600 d32 causal train"


def _lengths_and_heads() -> Iterator[str]:
    """One query over many keys, groups of 3, 5, 7 and 8, odd numbers of heads, forms of windows."""
    yield from (
        *("b2 h4 t1/65 d16 full", "b2 h4 t1/65 d16 causal train", "b1 h8/2 t1/256 d64 causal"),
        *("b2 h4 t1/129 d32 causal bthd bf16", "b2 h4 t1/65 d16 window:16"),
        *("b2 h6/2 t65 d16 causal train", "b1 h10/2 t65 d16 full", "b1 h14/2 t65 d16 causal"),
        *("b1 h16/2 t65 d16 window:16", "b1 h8/1 t65 d32 causal"),
        *("b2 h3 t65 d32 causal train", "b1 h5 t33 d16 full"),
        *("b2 h4 t65 d16 window:1 train", "b2 h4 t65 d16 window:9:8 train"),
        *("b2 h4 t65 d32 causal scale0.05 train", "b1 h4 t65 d32 full scale1.0"),
    )


SUITE: Final = Suite(
    name="agreement",
    asks="Is an implementation right on small and awkward problems?",
    description="small and awkward problems that show whether an implementation is right: "
    "what `check` runs",
    cases=_cases,
    minutes=9.0,
    sessions=0,
)
