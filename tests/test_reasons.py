"""No code reads the text of a reason: it branches on the cause. Reasons are for people.

Found in the syntax trees of suites and reports, except where reports show text.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.test_imports import ours, tree_of

if TYPE_CHECKING:
    from collections.abc import Iterator

FIELDS: Final = ("reason", "reasons")
SHOWN: Final = ("reports/views/", "reports/outputs/")
"""Where reasons are joined, shortened and printed."""
MIGRATED: Final = "suites/records/migrations/"
"""Records of the first formats had no cause: it is read from their reasons, once."""
PATTERNS: Final = ("search", "match", "fullmatch", "findall", "finditer", "sub", "split")
"""Functions of regular expressions."""


def is_reason(node: ast.AST) -> bool:
    """Whether this is the field or a variable that holds a reason."""
    if isinstance(node, ast.Attribute):
        return node.attr in FIELDS
    return isinstance(node, ast.Name) and node.id == "reason"


def reads(tree: ast.AST) -> Iterator[int]:
    """The lines that look into the text of a reason.

    That is: compare it, search in it, slice it, call one of its methods, add to it, or match it.
    """
    for node in ast.walk(tree):
        operands: list[ast.AST] = []
        if isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
            if all(isinstance(each, ast.Is | ast.IsNot) for each in node.ops):
                operands = []
        elif isinstance(node, ast.Subscript | ast.Attribute):
            operands = [node.value]
        elif isinstance(node, ast.BinOp):
            operands = [node.left, node.right]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            operands = [*node.args] if node.func.attr in PATTERNS else []
        elif isinstance(node, ast.Match):
            operands = [node.subject]
        if any(map(is_reason, operands)):
            yield getattr(node, "lineno", 0)


def test_no_branch_reads_the_text_of_a_reason() -> None:
    found = [
        f"{path}:{line}"
        for path in ours("suites", "reports")
        if not str(path).startswith((*SHOWN, MIGRATED))
        for line in reads(tree_of(path))
    ]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "record.reason.endswith('(--budget)')",
        "'foreseen' in row.reason",
        "row.reason == 'slow'",
        "row.reason[:3]",
        "row.reasons[0]",
        "row.reason + 'x'",
        "re.search('hard', record.reason)",
        "WHERE.sub('', row.reason)",
        "reason.split(';')",
        "match row.reason:\n    case 'x': pass",
    ],
)
def test_a_branch_on_a_reason_would_be_found(text: str) -> None:
    assert len(list(reads(ast.parse(text)))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "f'{record.reason}'",
        "Record(reason=record.reason)",
        "record.reason is None",
        "row.cause == 1",
    ],
)
def test_a_reason_may_be_handed_on(text: str) -> None:
    assert list(reads(ast.parse(text))) == []


def test_the_places_that_show_reasons_exist() -> None:
    paths = {str(path) for path in ours("reports")}
    assert all(any(path.startswith(shown) for path in paths) for shown in SHOWN)
    assert Path("reports/analysis/verdicts.py") in ours("reports")
