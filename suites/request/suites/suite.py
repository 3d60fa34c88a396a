"""Named lists of cases, and what their modules share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Protocol

from impls.interface import Mask, Problem
from impls.interface.problem import DTYPES
from suites.records.cases import Case, Step

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


class Cases(Protocol):
    """Returns the cases of a suite."""

    def __call__(self, devices: tuple[str, ...], gpu: Gpu) -> tuple[Case, ...]:
        """The cases for the kinds of device of a machine, the best one first.

        gpu  the NVIDIA device, where there is one
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A named list of cases, with its default sessions and budget.

    asks             the question that it answers, as one sentence
    description      its problems in words
    cases            returns the list; the most important ones first, since a budget that ends
                     leaves out the last
    minutes          that a run takes at most on a quiet machine with 2 cores; None: not stated
    sessions         fresh processes that time every problem: five, since the half-width of their
                     95 % interval is 1.24 standard deviations, and 2.5 with three
    round_budget_ms  what the rounds of one problem may take in one session
    budget_s         wall time for a whole run; None is unbounded
    threads          numbers of OpenMP threads below the number of CPUs; all CPUs come last
    slow_starts      whether implementations whose set-up takes longer than a second take part
                     without being named
    panels           the panels that take part without being named; empty: all
    names            the implementations that take part without being named; empty: all
    variants         implementations with settings that take part beside those, in full, as
                     "multi_head[positions=rotary](sdpa_flash)"
    attempts         whether a length that would exceed the memory, by the growth of its bytes, is
                     attempted, rather than foreseen
    keep_compiled    whether compiled code stays from one problem to the next
    left_out         cases of the question that are not in the list, each with the reason
    steps            recorded steps that its cases refer to
    script_threads   OpenMP threads of the recorded script, instead of `threads`; None: not recorded
    baselines        the first choices of a baseline, before the usual ones
    compared         implementations that --impl need not name: savings are against them
    origin           the file that names the problems; empty: none
    """

    name: str
    asks: str
    description: str
    cases: Cases
    minutes: float | None = None
    sessions: int = 5
    round_budget_ms: float = 250.0
    budget_s: float | None = None
    threads: tuple[int, ...] = ()
    slow_starts: bool = False
    panels: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    attempts: bool = False
    left_out: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    script_threads: int | None = None
    baselines: tuple[str, ...] = ()
    keep_compiled: bool = False
    compared: tuple[str, ...] = ()
    origin: str = ""

    def problems(self, devices: tuple[str, ...], gpu: Gpu = Gpu()) -> tuple[Problem, ...]:
        """The problems of its cases, each once, in order."""
        return tuple(dict.fromkeys(case.problem for case in self.cases(devices, gpu)))


def unlabelled(problems: Iterable[Problem]) -> tuple[Case, ...]:
    """A case for each problem, without a label."""
    return tuple(Case(problem=problem) for problem in problems)


def square(heads: int, length: int, mask: str, device: str, *, training: bool = False) -> Problem:
    """A problem with as many queries as keys."""
    return Problem(
        query_heads=heads,
        key_heads=heads,
        query_length=length,
        key_length=length,
        mask=Mask.parse(mask),
        device=device,
        training=training,
    )


def on_gpu(gpu: Gpu, heads: int, length: int, mask: str, *, training: bool = False) -> Problem:
    """A problem as models have it: head dimension 128, in 16 bits."""
    made = square(heads, length, mask, "cuda", training=training)
    return replace(made, head_dim=128, dtype=gpu.dtype)


def typed(
    devices: tuple[str, ...], gpu: Gpu, *, cpu: Iterable[str], cuda: Iterable[str]
) -> Iterator[Problem]:
    """Problems in words, on the best device of a machine.

    cpu   for a CPU, and for any other device without problems of its own
    cuda  for an NVIDIA device: in its 16-bit dtype unless a text names one, where its memory holds
          them
    """
    if devices[0] != "cuda":
        yield from (Problem.parse(text, device=devices[0]) for text in cpu)
        return
    for text in cuda:
        named = any(word in DTYPES.values() for word in text.split())
        words = text if named else f"{text} {DTYPES[gpu.dtype]}"
        yield from filter(gpu.holds, (Problem.parse(words, device="cuda"),))
