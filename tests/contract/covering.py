"""Few problems that have every feature of many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from impls.interface import Problem


def features(problem: Problem) -> set[object]:
    """Features that an implementation needs for a problem."""
    lengths = problem.query_length - problem.key_length
    parts = ("value_dim", "softcap", "sink", "scale", "has_keyless_rows")
    return {
        *problem.mask.kind.split("+"),
        *(name for name in parts if getattr(problem, name)),
        *(("bias", problem.bias.kind), ("training", problem.training)),
        *(problem.dtype, problem.layout),
        *((lengths > 0) - (lengths < 0), ("grouped", problem.query_heads > problem.key_heads)),
    }


def few(problems: Sequence[Problem], times: int = 1) -> list[Problem]:
    """Each feature of the problems in this many of those chosen, or in all that have it."""
    having = Counter(feature for problem in problems for feature in features(problem))
    missing = Counter({feature: min(times, count) for feature, count in having.items()})
    rest, chosen = list(problems), []
    while missing:
        best = max(rest, key=lambda problem: len(features(problem) & missing.keys()))
        rest.remove(best)
        chosen.append(best)
        missing = +(missing - Counter(features(best)))
    return chosen
