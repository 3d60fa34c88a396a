"""The bottom room: statistics import no torch and no other room of suites."""

from __future__ import annotations

import ast
from pathlib import Path

import suites.stats

FILES = sorted(Path(suites.stats.__file__).parent.rglob("*.py"))


def imported(file: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(file.read_text())))
    plain = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    return plain | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


def test_statistics_import_no_other_room_and_no_torch() -> None:
    assert len(FILES) > 3
    for file in FILES:
        for module in imported(file):
            assert not module.startswith("torch"), file
            assert not module.startswith("suites.") or module.startswith("suites.stats"), file
