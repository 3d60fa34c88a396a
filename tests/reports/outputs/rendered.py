"""Markdown as a renderer reads it: its tables, paragraphs and blocks of code."""

from __future__ import annotations

from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from markdown_it.token import Token


@dataclass
class Rendered:
    """What a reader sees.

    tables      rows of cells as text, the head first
    paragraphs  text, without marks of formatting
    bold        the paragraphs that are bold as a whole
    blocks      blocks of code
    kinds       the kinds of inline tokens that occur
    """

    tables: list[list[list[str]]] = field(default_factory=list)
    paragraphs: list[str] = field(default_factory=list)
    bold: list[str] = field(default_factory=list)
    blocks: list[str] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)


def rendered(markdown: str) -> Rendered:
    """Markdown with the tables and the strike-through of GitHub."""
    found, cell = Rendered(), False
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown):
        if token.type == "table_open":
            found.tables.append([])
        elif token.type == "tr_open":
            found.tables[-1].append([])
        elif token.type in ("th_open", "td_open", "th_close", "td_close"):
            cell = token.type.endswith("open")
        elif token.type == "fence":
            found.blocks.append(token.content.rstrip("\n"))
        elif token.type == "inline":
            _add(found, token, cell=cell)
    return found


def _add(found: Rendered, token: Token, *, cell: bool) -> None:
    children = [each for each in token.children or () if each.content or each.nesting]
    found.kinds |= {each.type for each in children}
    text = "".join(each.content for each in children if each.type != "html_inline")
    if cell:
        found.tables[-1][-1].append(text)
        return
    found.paragraphs.append(text)
    if children and (children[0].type, children[-1].type) == ("strong_open", "strong_close"):
        found.bold.append(text)
