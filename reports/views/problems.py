"""Problems as text: words they share, optional fields, facets to filter by."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from impls.interface import Problem
from reports.views.text import counted

FACETS: Final = ("implementation", "device", "dtype", "mask", "pass", "heads")
"""What a page can be filtered by."""
_USUAL: Final = (
    "batch", "query_heads", "key_heads", "query_length", "key_length", "head_dim", "mask", "dtype",
    "device", "training",
)  # fmt: skip
"""Fields that every problem shows; all others are optional."""
_SIZE: Final = re.compile(r"[ht]\d+(/\d+)?")
"""A word of heads or of lengths: h32/8, t1024."""


def shared_words(problems: Iterable[str | Problem]) -> frozenset[str]:
    """The words that all of several texts contain; empty for a single text."""
    words = [set(str(problem).split()) for problem in problems]
    return frozenset(set.intersection(*words)) if len(words) > 1 else frozenset()


def without(problem: str | Problem, shared: frozenset[str]) -> str:
    """The text without the words it shares with all others."""
    text = str(problem)
    return " ".join(word for word in text.split() if word not in shared) or text


def common_words(problem: str | Problem, shared: frozenset[str]) -> str:
    """The shared words, in the order of one of the texts."""
    return " ".join(word for word in str(problem).split() if word in shared)


def unsized_words(problem: Problem) -> list[str]:
    """The words of a problem without those of heads and lengths."""
    return [word for word in str(problem).split() if not _SIZE.fullmatch(word)]


def uneven_words(problem: Problem) -> list[str]:
    """The words of heads and lengths that are not the same for queries and keys: h8/2, t1/8192."""
    return [word for word in str(problem).split() if "/" in word and _SIZE.fullmatch(word)]


def optional_words(problem: Problem) -> dict[str, str]:
    """The fields that few problems have, in words; empty at their defaults."""
    default, found = Problem().fields(), problem.fields()
    return {
        name: "" if value == default[name] else _optional(name, value)
        for name, value in found.items()
        if name not in _USUAL
    }


def _optional(name: str, value: Any) -> str:
    """An optional field that is not at its default, in words."""
    words = {
        "bias": f"{value} bias",
        "sink": "a sink",
        "value_dim": f"value dimension {value}",
        "model": f"in {value}",
        "ranks": f"{value} ranks",
    }
    number = f"{value:g}" if isinstance(value, float) else value
    return words.get(name, f"{name.replace('_', ' ')} {number}")


def fixed_words(problem: Problem) -> dict[str, str]:
    """Every field but lengths and heads, in words; empty for an optional field at its default."""
    return {
        "mask": f"{problem.mask} mask",
        "training": pass_word(problem),
        "batch": f"batch {problem.batch}",
        "head_dim": f"head dimension {problem.head_dim}",
        **optional_words(problem),
        "dtype": problem.dtype,
        "device": problem.device,
    }


def kind_parts(problem: Problem) -> list[str]:
    """A kind of problems, without lengths and heads, in words."""
    even = problem.query_length == problem.key_length
    ratio = problem.query_heads // problem.key_heads
    parts = (
        *fixed_words(problem).values(),
        "" if even else counted(problem.query_length, "query row"),
        "" if ratio == 1 else f"{ratio} query heads for each key head",
    )
    return [part for part in parts if part]


def pass_word(problem: Problem) -> str:
    """The pass: forward or training."""
    return "training" if problem.training else "forward"


@lru_cache(maxsize=8192)
def facets(problem: Problem, implementation: str = "") -> Mapping[str, str]:
    """The facets of a problem: device, dtype, mask, pass, heads; and the implementation."""
    heads = (problem.query_heads, problem.key_heads)
    found = {
        "implementation": implementation,
        "device": problem.device,
        "dtype": problem.dtype,
        "mask": str(problem.mask),
        "pass": pass_word(problem),
        "heads": f"{heads[0]}" if heads[0] == heads[1] else f"{heads[0]}/{heads[1]}",
    }
    return MappingProxyType({name: text for name, text in found.items() if text})


def common_facets(problems: Iterable[Problem], implementation: str = "") -> dict[str, str]:
    """The facets that one problem or several share with the same value."""
    first, *others = (facets(problem, implementation) for problem in problems)
    return {
        name: text
        for name, text in first.items()
        if all(other.get(name) == text for other in others)
    }


def facets_beside(problem: Problem, common: Mapping[str, str]) -> dict[str, str]:
    """The facets of a problem that its chart does not have as a whole."""
    return {name: text for name, text in facets(problem).items() if name not in common}
