"""Multi-head attention as a layer, in words and a table of shapes."""

from __future__ import annotations

from collections.abc import Iterator

from reports.views.explained.words import table
from reports.views.numbers import percent
from reports.views.sections import Section
from reports.views.text import counted
from suites.explaining.steps import Layer, LayerStep

TITLE = "Shapes through multi-head attention"
_HEAD = ("step", "formula", "shape", "parameters", "FLOPs", "share")


def answer(found: Layer) -> str:
    """Widths, heads, parameters, and the share of the projections."""
    problem = found.problem
    width = problem.query_heads * problem.head_dim
    dense = sum(step.flops for step in found.steps if step.parameters)
    return (
        f"Activations of width {width} become {counted(problem.query_heads, 'head')} of "
        f"{problem.head_dim}, and width {width} again. The projections take "
        f"{percent(dense / _flops(found))} of the FLOPs."
    )


def notes(found: Layer) -> Iterator[str]:
    """The legend of the shapes."""
    problem = found.problem
    yield "Splitting and merging heads only relabels the last axis: nothing is computed."
    group = problem.query_heads // problem.key_heads
    if group > 1:
        yield (
            f"{group} query heads share a key head: keys and values are {group} times smaller "
            f"than with {problem.query_heads} key heads."
        )
    yield (
        "FLOPs of scores and heads grow with the square of the length, those of projections with "
        "the length. So attention takes most of them in long sequences."
    )
    yield "FLOPs count all pairs of queries and keys, as without a mask (arXiv 1706.03762)."


def sections(found: Layer) -> Iterator[Section]:
    """The table of steps."""
    own = table("Every step of the layer", _HEAD, (_row(step, found) for step in found.steps))
    yield Section("shapes", "The shapes", tables=(own,))


def _row(step: LayerStep, found: Layer) -> tuple[str, ...]:
    share = percent(step.flops / _flops(found)) if step.flops else ""
    return (
        step.name,
        step.formula,
        f"[{', '.join(map(str, step.shape))}]",
        f"{step.parameters:,}" if step.parameters else "",
        f"{step.flops:,}" if step.flops else "",
        share,
    )


def _flops(found: Layer) -> int:
    return sum(step.flops for step in found.steps)
