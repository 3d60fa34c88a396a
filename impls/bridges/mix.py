"""The implementation of a mix for a problem: of the problem itself, or of its nearest length."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Final

from impls.interface import Problem

FURTHEST: Final = 2.0
"""The largest ratio of a length to the nearest measured one: beyond it the fastest may be another
one, and no measurement says so."""


class Mix:
    """A mix of implementations, by problem.

    names  the name of an implementation for each problem
    """

    def __init__(self, names: Mapping[Problem, str]) -> None:
        self._kinds: dict[Hashable, list[tuple[Problem, str]]] = {}
        for problem, name in names.items():
            self._kinds.setdefault(_kind(problem), []).append((problem, name))

    def choose(self, problem: Problem) -> tuple[str, str]:
        """The name of an implementation and "", or "" and the reason why there is none.

        Batches with other padding or documents count as alike, and so do other strides.
        """
        alike = self._kinds.get(_kind(problem))
        if not alike:
            return "", "the mix has no such problem"
        nearest, name = min(alike, key=lambda each: _distance(problem, each[0]))
        ratio = max(problem.key_length, nearest.key_length) / min(
            problem.key_length, nearest.key_length
        )
        if ratio > FURTHEST:
            return "", f"the nearest length in the mix is {nearest.key_length}"
        return name, ""


def _kind(problem: Problem) -> Hashable:
    """The fields that problems of one choice share: all but length, strides, padding, documents."""
    mask = problem.mask
    square = problem.query_length == problem.key_length
    return (
        problem.without("length", "mask", "layout"),
        (replace(mask, padding=None, documents=None), mask.padding is None, mask.documents is None),
        None if square else problem.query_length,
    )


def _distance(problem: Problem, other: Problem) -> tuple[float, bool, bool]:
    """How far apart two problems of one kind are: in length first."""
    apart = abs(math.log(problem.key_length / other.key_length))
    return apart, problem.mask != other.mask, problem.layout != other.layout
