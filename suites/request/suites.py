"""The named suites: lists of problems. A new suite is a function and an entry of SUITES."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Protocol

from impls.interface import Mask, Problem

BFLOAT16_FROM: Final = (8, 0)
"""The compute capability from which on tensor cores multiply bfloat16; source: CUDA C++
Programming Guide, compute capabilities."""
MEMORY_SHARE: Final = 4
"""A problem of a suite fits a device with this many times the bytes of its inputs and results: it
has two sets of inputs, a result, and a second result where two are compared."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """The NVIDIA device that a suite is for.

    capability    compute capability
    memory_bytes  of the device; None: not known
    """

    capability: tuple[int, int] = BFLOAT16_FROM
    memory_bytes: int | None = None

    @property
    def dtype(self) -> str:
        """The 16-bit dtype that models use on it; fused kernels refuse float32."""
        return "bfloat16" if self.capability >= BFLOAT16_FROM else "float16"

    def holds(self, problem: Problem) -> bool:
        """Whether inputs and results fit; what an implementation adds may still be too much."""
        needed = MEMORY_SHARE * problem.fewest_bytes
        return self.memory_bytes is None or needed <= self.memory_bytes


class Problems(Protocol):
    """Returns the problems of a suite."""

    def __call__(self, devices: tuple[str, ...], gpu: Gpu = ...) -> tuple[Problem, ...]:
        """The problems for the kinds of device of a machine, the best one first.

        gpu  the NVIDIA device, where there is one
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A named list of problems, with its default sessions and budget.

    problems         returns the list
    sessions         fresh processes that time every problem: five, since the half-width of their
                     95 % interval is 1.24 standard deviations, and 2.5 with three
    round_budget_ms  what the rounds of one problem may take in one session
    budget_s         wall time for a whole run; None is unbounded
    slow_starts      whether implementations whose set-up takes longer than a second take part
                     without being named
    panels           the panels that take part without being named; empty: all
    """

    name: str
    description: str
    problems: Problems
    sessions: int = 5
    round_budget_ms: float = 250.0
    budget_s: float | None = None
    slow_starts: bool = False
    panels: tuple[str, ...] = ()


def named(name: str) -> Suite:
    """The suite of that name. Raises ValueError with the nearest name for an unknown one."""
    if name in SUITES:
        return SUITES[name]
    near = difflib.get_close_matches(name.lower(), SUITES, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(f"unknown suite {name!r}; {hint}expected one of {', '.join(SUITES)}")


def _quick(devices: tuple[str, ...], gpu: Gpu = Gpu()) -> tuple[Problem, ...]:
    if devices[0] == "cuda":
        return tuple(filter(gpu.holds, _quick_on(gpu)))
    full = [("full", 4, t) for t in (128, 256, 512, 1024, 2048)]
    window = [("window:128", 4, t) for t in (256, 512, 1024, 2048)]  # at 128 it would be causal
    return tuple(
        _square(heads, length, mask, devices[0])
        for mask, heads, length in (*full, *window, ("full", 1, 512), ("full", 8, 512))
    )


def _quick_on(gpu: Gpu) -> Iterator[Problem]:
    """The same questions at sizes that occupy a GPU."""
    causal = [("causal", 16, t) for t in (512, 1024, 2048, 4096, 8192)]
    window = [("window:512", 16, t) for t in (1024, 2048, 4096, 8192)]  # at 512 it would be causal
    for mask, heads, length in (*causal, *window, ("causal", 4, 2048), ("causal", 32, 2048)):
        yield _on_gpu(gpu, heads, length, mask)


def _scaling(devices: tuple[str, ...], gpu: Gpu = Gpu()) -> tuple[Problem, ...]:
    return tuple(
        problem
        for device in devices
        for problem in (filter(gpu.holds, _scaling_on(gpu)) if device == "cuda" else _grid(device))
    )


def _grid(device: str) -> Iterator[Problem]:
    for training in (False, True):
        for mask in ("full", "causal", "window:256"):
            for heads in (1, 4, 8, 16):
                for length in (128, 256, 512, 1024, 2048, 4096, 8192, 16384):
                    yield _square(heads, length, mask, device, training=training)


def _scaling_on(gpu: Gpu) -> Iterator[Problem]:
    for training in (False, True):
        for mask in ("full", "causal", "window:512"):
            for heads in (1, 4, 16, 32):
                for length in (512, 1024, 2048, 4096, 8192, 16384, 32768):
                    yield _on_gpu(gpu, heads, length, mask, training=training)


def _peers(devices: tuple[str, ...], gpu: Gpu = Gpu()) -> tuple[Problem, ...]:
    if devices[0] == "cuda":
        return tuple(filter(gpu.holds, _peers_on(gpu)))
    return tuple(Problem.parse(text, device=devices[0]) for text in _peers_on_a_cpu())


def _peers_on_a_cpu() -> Iterator[str]:
    """What models ask for, the quickest problems first: a budget that ends leaves out the last.

    Windows are at a length at which most of a dense mask is hidden.
    """
    for length in (256, 1024):
        yield from (f"h4 t{length} d64 full", f"h4 t{length} d64 causal")
    yield "h8/2 t1024 d64 causal"
    yield "h8/2 t1/8192 d64 full"  # causal for one query, too
    yield "h4 t1024 d64 full bf16"
    yield "h4 t1024 d64 causal train"
    yield from (f"h4 t2048 d64 window:{reach}" for reach in (64, 256, 1024))
    yield "h4 t4096 d64 window:256"


def _peers_on(gpu: Gpu) -> Iterator[Problem]:
    """The same questions at sizes that occupy a GPU."""
    for length in (2048, 8192):
        yield from (_on_gpu(gpu, 16, length, mask) for mask in ("full", "causal"))
    yield replace(_on_gpu(gpu, 32, 2048, "causal"), key_heads=8)
    yield replace(_on_gpu(gpu, 32, 32768, "full"), key_heads=8, query_length=1)
    yield _on_gpu(gpu, 16, 2048, "causal", training=True)
    yield from (_on_gpu(gpu, 16, 8192, f"window:{reach}") for reach in (64, 256, 1024))


def _agreement(devices: tuple[str, ...], gpu: Gpu = Gpu()) -> tuple[Problem, ...]:  # noqa: ARG001 - equal on every GPU
    return tuple(Problem.parse(text, device=d) for d in devices for text in _agreement_texts())


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
        "b2 h4/2 t129 d32 causal softcap30 train",
        "b2 h4 t65 d16 causal+documents:10/23x2/9 softcap5 bf16",
        "b2 h4/2 t129/33 d32 causal sink train",
        "b2 h4 t65 d32 window:9+padding:0.5 relative:8 sink fp16",
        "b2 h4/2 t65 d32 dv48 causal train",
        "b2 h4 t33/129 d32 dv24 window:16 bf16",
        "b3 h4/2 t65 d32 dv24 causal+padding:0.5+documents:65 relative:32 softcap5 sink train",
        "b2 h2 t1100 d32 causal+padding:0.5 alibi",
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


def _square(heads: int, length: int, mask: str, device: str, *, training: bool = False) -> Problem:
    return Problem(
        query_heads=heads,
        key_heads=heads,
        query_length=length,
        key_length=length,
        mask=Mask.parse(mask),
        device=device,
        training=training,
    )


def _on_gpu(gpu: Gpu, heads: int, length: int, mask: str, *, training: bool = False) -> Problem:
    """A problem as models have it: head dimension 128, in 16 bits."""
    square = _square(heads, length, mask, "cuda", training=training)
    return replace(square, head_dim=128, dtype=gpu.dtype)


SUITES: Final = {
    suite.name: suite
    for suite in (
        Suite(
            name="quick",
            description="lengths 128 to 2048 at 4 heads, heads 1 to 8 at length 512, "
            "full and window:128, forward; on a GPU lengths 512 to 8192 at 16 heads, heads 4 to 32 "
            "at length 2048, causal and window:512, D 128, 16 bits: a first look in minutes",
            problems=_quick,
            round_budget_ms=120.0,
        ),
        Suite(
            name="scaling",
            description="lengths 128 to 16384 at 1, 4, 8 and 16 heads, full, causal and "
            "window:256, forward and training, every device; on a GPU lengths 512 to 32768 at 1, "
            "4, 16 and 32 heads, D 128, 16 bits: half an hour",
            problems=_scaling,
            budget_s=30 * 60.0,
        ),
        Suite(
            name="peers",
            description="what people use instead, slow starts included: full, causal, windows of "
            "64, 256 and 1024 keys, grouped heads, one query over long keys, bfloat16 and training "
            "at lengths 256 to 4096; attention alone, without layers and approximations: ten "
            "minutes at most",
            problems=_peers,
            round_budget_ms=500.0,
            budget_s=10 * 60.0,
            slow_starts=True,
            panels=("attention",),
        ),
        Suite(
            name="agreement",
            description="small and awkward problems that show whether an implementation is right: "
            "what `check` runs",
            problems=_agreement,
            sessions=0,
        ),
    )
}
