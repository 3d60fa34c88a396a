"""Tables that become blocks of `name: value` lines where the width would cut a number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

_WORD: Final = 20
"""Characters of a word in a column that may be broken; a longer one is."""
_GAP: Final = 2
"""Characters between two columns."""
INDENT: Final = 2


@runtime_checkable
class Broken(Protocol):
    """A cell that is broken at its separators."""

    text: str

    @property
    def least(self) -> int:
        """The least width that breaks none of its parts."""


@dataclass(frozen=True, slots=True)
class Fitting:
    """A table where all its columns fit; in a narrower terminal a block for each row.

    The first cell of a row heads its block.
    """

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if needed(self.table) <= options.max_width:
            yield self.table
            return
        if self.table.title:
            yield self.table.title
        heads = [_plain(column.header) for column in self.table.columns]
        for cells in zip(*(column.cells for column in self.table.columns), strict=True):
            values = [_text(cell) for cell in cells]
            yield from block(values[0], zip(heads[1:], values[1:], strict=True))


def block(heading: Text, values: Iterable[tuple[str, Text]]) -> Iterator[RenderableType]:
    """The heading, then `name: value` lines; an empty value has none."""
    yield heading
    for name, value in values:
        if value.plain.strip():
            before = f"{name}: " if name else ""
            yield indented(Text.assemble(before, one_line(value)))


def indented(text: Text, depth: int = INDENT) -> RenderableType:
    """The text with every line indented."""
    return Padding(text, (0, 0, 0, depth), expand=False)


def one_line(value: Text) -> Text:
    """A value of several lines as one."""
    return Text(" ").join(value.split("\n"))


def needed(table: Table) -> int:
    """The least width at which no number of a table is cut and no short word is broken."""
    return sum(map(_width, table.columns)) + _GAP * (len(table.columns) - 1)


def _width(column: Column) -> int:
    cells: Sequence[RenderableType] = list(column.cells)
    if column.no_wrap:
        return max(map(_longest_line, [column.header, *cells]), default=0)
    texts = [cell for cell in [column.header, *cells] if not isinstance(cell, Broken)]
    words = [len(word) for text in texts for word in _plain(text).split()]
    least = [cell.least for cell in cells if isinstance(cell, Broken)]
    return max([column.min_width or 0, *least, min(max(words, default=0), _WORD)])


def _longest_line(cell: RenderableType) -> int:
    return max(map(len, _plain(cell).split("\n")))


def _text(cell: RenderableType) -> Text:
    return cell if isinstance(cell, Text) else Text(_plain(cell))


def _plain(cell: RenderableType) -> str:
    if isinstance(cell, Text):
        return cell.plain
    return cell.text if isinstance(cell, Broken) else str(cell)
