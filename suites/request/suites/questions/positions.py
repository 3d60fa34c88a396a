"""The cost of position encodings: in the scores, and in the layer around the attention."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from impls.interface import Problem
from suites.records.cases import Case
from suites.request.suites.suite import Gpu, Suite, typed

_ENCODINGS: Final = {
    "": ("no encoding in the scores", "arXiv 1706.03762, section 3.2.1"),
    " alibi": ("ALiBi", "arXiv 2108.12409"),
    " relative:32": ("32 relative buckets", "arXiv 1910.10683, section 2.1"),
}


def _cases(devices: tuple[str, ...], gpu: Gpu) -> tuple[Case, ...]:
    cpu = ("h8 t1024 causal", "h8 t256 causal", "h8 t512 causal train", "h8 t2048 causal")
    cuda = (
        *("h16 t4096 d128 causal", "h16 t1024 d128 causal", "h16 t2048 d128 causal train"),
        "h16 t8192 d128 causal",
    )
    return tuple(map(_case, typed(devices, gpu, cpu=_with_each(cpu), cuda=_with_each(cuda))))


def _with_each(texts: tuple[str, ...]) -> Iterator[str]:
    yield from (f"{text}{word}" for text in texts for word in _ENCODINGS)


def _case(problem: Problem) -> Case:
    word = "" if problem.bias.kind == "none" else f" {problem.bias}"
    name, source = _ENCODINGS[word]
    training = ", training" if problem.training else ""
    return Case(
        problem=problem, label=f"{name}, {problem.key_length} tokens{training}", source=source
    )


SUITE: Final = Suite(
    name="positions",
    asks="What do position encodings cost?",
    description="none, ALiBi and relative buckets in the scores at lengths 256 to 2048; rotary and "
    "sinusoidal encodings in a layer, beside the layer without them",
    cases=_cases,
    minutes=6.0,
    budget_s=5 * 60.0,
    panels=("attention", "layers"),
    left_out=("learnt positions: they cost one addition, as sinusoidal ones do",),
    variants=(
        "multi_head[positions=rotary](sdpa_flash)",
        "multi_head[positions=sinusoidal](sdpa_flash)",
    ),
)
