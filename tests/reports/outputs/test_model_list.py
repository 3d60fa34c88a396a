"""The list of models: its data and its text."""

from __future__ import annotations

from io import StringIO
from typing import Any

from rich.console import Console

from impls.interface import Problem
from reports.outputs.terminal.listings import listed
from suites import listing
from suites.models.kinds import KINDS, expect_possible


def models() -> list[dict[str, Any]]:
    found = listing.of("models", "")
    assert isinstance(found, list)
    return found


def test_every_model_is_listed_with_problems_that_it_has() -> None:
    assert [each["name"] for each in models()] == list(KINDS)
    for each in models():
        for words in each["problems"]:
            problem = Problem.parse(words)
            assert problem.model_name == each["name"]
            expect_possible(problem)


def test_the_text_has_the_mechanism_the_class_and_an_example() -> None:
    console = Console(width=100, file=StringIO(), record=True)
    console.print(listed("models", models()))
    text = " ".join(console.export_text().split())
    for each in models():
        assert f"{each['name']} {each['says']}" in text
        assert each["class"] in text
        assert each["example"] in text
