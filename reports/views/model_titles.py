"""Models and their steps in words, as titles of problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from impls.interface import Problem
from reports.views.problems import shared_words, without
from reports.views.text import abbreviated

_STEPS: Final = {"forward": "forward", "prefill": "prefill", "decode": "one token"}
_MOST_MODEL: Final = 32
"""Characters of a model's name; a longer one is abbreviated."""


def step(problem: Problem) -> str:
    """The step of a model in words: prefill, one token, training step."""
    return "training step" if problem.training else _STEPS[problem.model_step]


def titles(problems: Iterable[Problem]) -> dict[Problem, str]:
    """Model and step of each problem; with the words that set it apart where two are alike."""
    every = list(dict.fromkeys(problems))
    plain = {each: title(each) for each in every}
    alike = Counter(plain.values())
    found = {}
    for each, name in plain.items():
        group = [other for other in every if plain[other] == name]
        apart = without(each, shared_words(group)) if alike[name] > 1 else ""
        found[each] = " ".join(filter(None, (name, apart)))
    return found


def title(problem: Problem) -> str:
    """The model and the step of a problem: llama, prefill."""
    return f"{abbreviated(problem.model_name, _MOST_MODEL)}, {step(problem)}"
