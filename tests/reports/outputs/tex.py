"""Reads what the LaTeX export writes: environments, rows, cells, and text as LaTeX prints it.

It fails where LaTeX would stop: unbalanced braces and environments, rows with other numbers of
cells than columns, and special characters that are not escaped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

COMMANDS: Final = {
    "textbackslash": "\\",
    "textasciitilde": "~",
    "textasciicircum": "^",
    "textless": "<",
    "textgreater": ">",
    "textbar": "|",
    "ldots": "…",
}
"""The commands with an empty argument that texts may contain, and what they print."""
_TOKEN: Final = re.compile(r"\\([A-Za-z]+)\{\}|\\([#$%&_{},])|\{\}|([^\\{}#$%&_~^<>|])")


@dataclass
class Read:
    """A table: its environment, its columns as l and r, its caption, and its rows of texts."""

    environment: str
    columns: str
    caption: str
    rows: list[list[str]]


def plain(text: str) -> str:
    """A text as LaTeX prints it. Fails for a character that it reads as a command."""
    shown, place = "", 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        assert found, f"{text[place:]!r} in {text!r}"
        command, mark, other = found.groups()
        shown += COMMANDS[command] if command else mark or other or ""
        place = found.end()
    return shown


def tables(source: str) -> list[Read]:
    """The tables of a file, each checked as a whole."""
    lines = [line for line in source.splitlines() if line and not line.startswith("%")]
    assert all(line.isascii() for line in lines)
    assert not [line for line in lines if line.startswith(("[", "*"))], "a line break's argument"
    _expect_balanced(lines)
    return [_read(block) for block in _blocks(lines)]


def _expect_balanced(lines: list[str]) -> None:
    text = re.sub(r"\\[{}]", "", "\n".join(lines))
    depth = 0
    for each in text:
        depth += {"{": 1, "}": -1}.get(each, 0)
        assert depth >= 0
    assert depth == 0
    open_: list[str] = []
    for word, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if word == "begin":
            open_.append(name)
        else:
            assert open_.pop() == name
    assert open_ == []


def _blocks(lines: list[str]) -> list[list[str]]:
    """The lines of each float or longtable."""
    made: list[list[str]] = []
    for line in lines:
        if re.match(r"\\begin\{(table|longtable)\}", line):
            made.append([])
        made[-1].append(line)
    return made


def _read(block: list[str]) -> Read:
    source = "\n".join(block)
    tabular = re.search(r"\\begin\{(tabular|longtable)\}\{@\{\}([lr]+)@\{\}\}\n", source)
    caption = re.search(r"\\caption\{(.*)\}(\n|\\label)", source)
    assert tabular
    assert caption
    assert len(re.findall(r"\\label\{tab:[\w-]+\}", source)) == 1
    assert [source.count(rule) for rule in (r"\toprule", r"\bottomrule")] == [1, 1]
    body = re.split(r"\\(?:endhead|midrule)\n(?!\\)", source)[-1].split("\\bottomrule")[0]
    head = source.split("\\toprule\n")[1].splitlines()[0]
    assert head.count("&") == len(tabular[2]) - 1
    rows = [line.removesuffix(r" \\") for line in body.splitlines()]
    cells = [[plain(cell).strip() for cell in re.split(r"(?<!\\)&", row)] for row in rows]
    assert {len(row) for row in cells} == {len(tabular[2])}
    return Read(block[0].split("{")[1].split("}")[0], tabular[2], plain(caption[1]), cells)
