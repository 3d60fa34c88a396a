"""Problems of calls that are equal but for their form."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from impls.interface import Problem


def is_among(problem: Problem, calls: Iterable[Problem]) -> bool:
    """Whether the attention of a problem is one of some calls, in whatever layout."""
    return _in_one_form(problem) in map(_in_one_form, calls)


def _in_one_form(problem: Problem) -> Problem:
    """The attention of a problem without what has several forms: layout, padding, the scale."""
    scale, usual = problem.scale, problem.head_dim**-0.5
    return replace(
        problem.attention,
        layout="bhtd",
        mask=problem.mask.resolved(problem.batch, problem.key_length),
        scale=None if scale is None or math.isclose(scale, usual, rel_tol=1e-6) else scale,
    )
