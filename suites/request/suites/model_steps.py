"""Steps of published models, and their attention calls as cases.

Layers with equal calls are one problem: a case counts them. Tensors are contiguous, [B, H, T, D];
`--problem` with the word `bthd` measures the strided views that most models hand over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from impls.interface import Problem
from suites.records.cases import Case
from suites.request.suites.suite import Cases, Gpu


@dataclass(frozen=True, slots=True)
class Call:
    """An attention call of a model.

    label  as "Whisper large-v3 encoder"
    words  its problem without dtype and device, as "b2 h12 t512 d64 full"
    count  calls in one step: the layers that make it, times the tokens where it is made for each
    """

    label: str
    words: str
    count: int


@dataclass(frozen=True, slots=True)
class ModelStep:
    """One step of a model, as a forward pass, a training step or a token.

    name     as "BERT base at 512, one forward pass, 2 sequences"
    source   of the shapes: a paper, a configuration file with its fields
    calls    all attention calls of the step, or those that its suite does not list as left out
    scaled   how the step differs from the published one, as "batch 2 of 32"
    """

    name: str
    source: str
    calls: tuple[Call, ...]
    scaled: str = ""


class Steps(Protocol):
    """Returns the steps of a suite."""

    def __call__(self, *, on_gpu: bool) -> Iterable[ModelStep]:
        """The steps for an NVIDIA device, or for any other one."""


def cases_of(steps: Steps) -> Cases:
    """The cases of these steps on the best device: in float32, or in 16 bits on a GPU.

    A step of which one problem does not fit the GPU is left out, since its sum would be too small.
    """

    def cases(devices: tuple[str, ...], gpu: Gpu) -> tuple[Case, ...]:
        device = devices[0]
        dtype = gpu.dtype if device == "cuda" else "float32"
        made = (tuple(_cases(step, device, dtype)) for step in steps(on_gpu=device == "cuda"))
        fits = (each for each in made if device != "cuda" or _fit(gpu, each))
        return tuple(case for each in fits for case in each)

    return cases


def _cases(step: ModelStep, device: str, dtype: str) -> Iterator[Case]:
    for call in step.calls:
        yield Case(
            problem=Problem.parse(f"{call.words} {dtype}", device=device),
            label=call.label,
            source=step.source,
            step=step.name,
            count=call.count,
            scaled=step.scaled,
        )


def _fit(gpu: Gpu, cases: Iterable[Case]) -> bool:
    return all(gpu.holds(case.problem) for case in cases)


def part(rows: int, published: int) -> str:
    """How a batch differs from the published one: "batch 2 of 32"; empty: it does not."""
    return "" if rows == published else f"batch {rows} of {published}"


def padded(lengths: Sequence[int]) -> str:
    """The mask of a batch of these lengths, padded on the right: "padding:0-7/0-12"."""
    return "padding:" + "/".join(f"0-{length}" for length in lengths)


def counted(count: int, unit: str) -> str:
    """A number with its unit: "1 image", "2 images"."""
    return f"{count} {unit}" + ("s" if count != 1 else "")
