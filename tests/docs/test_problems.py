"""The table of the grammar in docs/problems.md and the parser agree; the tables of suites, too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from impls.interface import Mask, Problem
from impls.interface.limits import OPTIONAL
from impls.interface.mask_text import GRAMMAR
from impls.interface.problem import DEVICES, DTYPES, LAYOUTS, parse_word
from reports.outputs.terminal.listings import suites_markdown
from suites import listing

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "problems.md").read_text()


def between(name: str, text: str) -> str:
    found = re.search(rf"<!-- begin {name} -->\n(.*?)<!-- end {name} -->", text, re.DOTALL)
    assert found
    return found[1]


def rows() -> list[tuple[list[str], str, str]]:
    """The words of each row of the grammar, its default and its example."""
    lines = between("grammar", PAGE).splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [(re.findall(r"`([^`]+)`", each[0]), each[2], each[3].strip("`")) for each in cells]


@pytest.mark.parametrize(("words", "default", "example"), rows())
def test_every_example_of_the_grammar_is_read_and_printed_the_same(
    words: list[str], default: str, example: str
) -> None:
    problem = Problem.parse(example)
    assert str(problem) == example
    for word in words:
        assert set(parse_word(word)) & {name for name, _ in problem.without()}, word
    if default.startswith("`") and " " not in default:
        assert Problem.parse(default.strip("`"), device="cpu") == Problem()


def test_every_word_of_the_parser_is_in_the_table() -> None:
    table = between("grammar", PAGE)
    for word in (*DTYPES.values(), *DEVICES, *LAYOUTS, *OPTIONAL, "train", "forward"):
        assert f"`{word}" in table, word
    for part in re.findall(r"[a-z]+(?=[:,])", GRAMMAR):
        assert f"`{part}" in table, part


def test_the_examples_of_the_text_are_read() -> None:
    for mask in ("window:256+padding:0.5", "causal+documents:300/700"):
        assert f"`{mask}`" in PAGE
        assert str(Mask.parse(mask)) == mask
    short = "2q1ks8k_q1s4k"
    assert f"`{short}`" in PAGE
    assert f"`{Mask.parse(short)}`" in PAGE


@pytest.mark.parametrize("page", ["README.md", "docs/problems.md"])
def test_the_table_of_suites_is_the_programs_own(page: str) -> None:
    found = listing.of("suites", "")
    assert isinstance(found, list)
    assert between("suites", (ROOT / page).read_text()) == suites_markdown(found)
