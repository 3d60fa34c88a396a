"""The rooms of the program: imports point one way, no two rooms import each other, and the like.

Everything is read from the syntax trees of the files that git tracks or would add.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
ROOMS = ("impls", "suites", "reports", "run_bench")
"""Each may import itself and those before it."""

FLOORS = ("rows", "analysis", "views", "outputs")
"""The rooms of reports: each may import itself and those before it."""
PRINTERS = (
    "run_bench.py",
    "reports/outputs/terminal/console.py",
    "reports/outputs/terminal/screen.py",
)
WITHOUT_TORCH = (
    "impls.interface",
    "suites.records.record",
    "suites.records.plan",
    "suites.records.store",
    "suites.stats.pairing",
    "suites.stats.intervals",
    "suites.stats.percentiles",
    "suites.stats.verdicts",
    "suites.stats.ceilings",
    "suites.engine.conductor",
    "suites.calibrate.selftest",
    "suites.calibrate.device.conduct",
    "suites.discover.discovery",
    "suites.discover.limits",
)
FIRST_TO_IMPORT_TORCH = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
    if "torch" in sys.modules:
        sys.exit(f"{name} imports torch")
"""


@cache
def listed() -> list[Path]:
    """The Python files that git tracks or would take, relative to the root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted({Path(name) for name in names.splitlines() if (ROOT / name).is_file()})


def ours(*rooms: str) -> list[Path]:
    return [path for path in listed() if path.parts[0].removesuffix(".py") in rooms]


def module_of(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


@cache
def imported(tree: ast.AST, path: Path) -> tuple[str, ...]:
    """Every module a file imports, wherever it does, with the names taken from each."""
    return tuple(_imported(tree, path.parent.parts))


def _imported(tree: ast.AST, package: tuple[str, ...]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*above, *filter(None, [node.module])))
            yield from (f"{module}.{each.name}" for each in node.names)


def prints(tree: ast.AST) -> Iterator[int]:
    """The lines that print: `print(...)`, `console.print(...)`, `sys.stdout`, `sys.stderr`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            if name in ("print", "echo") or (
                isinstance(node.func, ast.Name) and node.func.id in ("print", "pprint")
            ):
                yield node.lineno


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(), filename=str(path))


def against_the_direction(path: Path, tree: ast.AST) -> list[str]:
    room = path.parts[0].removesuffix(".py")
    later = ROOMS[ROOMS.index(room) + 1 :]
    return [
        f"{path} imports {name}" for name in imported(tree, path) if name.split(".")[0] in later
    ]


def room_of(module: str) -> str:
    """The room of a module, as `suites.records`; empty for none, and for a folder's own modules."""
    parts = module.split(".")
    is_room = len(parts) > 1 and (ROOT / parts[0] / parts[1]).is_dir()
    return ".".join(parts[:2]) if is_room else ""


def imports_between_rooms(folder: str) -> dict[str, set[str]]:
    """The rooms of a folder, each with the other rooms that its files import."""
    found: dict[str, set[str]] = {}
    for path in ours(folder):
        room = room_of(module_of(path))
        if room:
            others = {room_of(name) for name in imported(tree_of(path), path)}
            found.setdefault(room, set()).update(
                each for each in others - {room} if each.startswith(f"{folder}.")
            )
    return found


def in_cycles(graph: dict[str, set[str]]) -> set[str]:
    """The rooms that import themselves through other rooms."""
    return {room for room in graph if room in reached_from(room, graph)}


def reached_from(room: str, graph: dict[str, set[str]]) -> set[str]:
    """The rooms that a room imports, directly or through others."""
    reached: set[str] = set()
    waiting = list(graph[room])
    while waiting:
        each = waiting.pop()
        if each not in reached:
            reached.add(each)
            waiting += graph.get(each, set())
    return reached


def imports_of_top_modules(folder: str) -> list[str]:
    """Imports, by files of rooms, of the modules that stand beside the rooms."""
    return [
        f"{path} imports {name}"
        for path in ours(folder)
        if room_of(module_of(path))
        for name in imported(tree_of(path), path)
        if name.split(".")[0] == folder and not room_of(name) and not is_constant(name)
    ]


def is_constant(name: str) -> bool:
    """Whether this is a constant of the folder itself, as suites.VERSION."""
    return name.count(".") == 1 and name.rpartition(".")[2].isupper()


def upwards(path: Path, tree: ast.AST) -> list[str]:
    """Imports of a later floor of reports."""
    floor = path.parts[1]
    later = FLOORS[FLOORS.index(floor) + 1 :] if floor in FLOORS else ()
    return [
        f"{path} imports {name}"
        for name in imported(tree, path)
        if name.split(".")[0] == "reports" and name.split(".")[1:2] and name.split(".")[1] in later
    ]


def beyond_the_contract(path: Path, tree: ast.AST) -> list[str]:
    return [
        f"{path} imports {name}"
        for name in imported(tree, path)
        if name.split(".")[0] in (*ROOMS, "tests") and name.split(".")[:2] != ["impls", "interface"]
    ]


def test_every_room_is_looked_at() -> None:
    names = {str(path) for path in ours(*ROOMS)}
    assert {"impls/naive.py", "suites/records/store.py", "reports/__init__.py"} <= names


def test_imports_point_one_way() -> None:
    assert [
        wrong for path in ours(*ROOMS) for wrong in against_the_direction(path, tree_of(path))
    ] == []


def test_reports_imports_its_floors_downwards() -> None:
    floors = {path.parts[1] for path in ours("reports") if len(path.parts) > 2}
    assert floors == set(FLOORS)
    assert [wrong for path in ours("reports") for wrong in upwards(path, tree_of(path))] == []


@pytest.mark.parametrize("folder", ["suites", "reports"])
def test_no_two_rooms_import_each_other(folder: str) -> None:
    graph = imports_between_rooms(folder)
    assert len(graph) >= 4
    assert {room: graph[room] for room in in_cycles(graph)} == {}


@pytest.mark.parametrize("folder", ["suites", "reports"])
def test_no_room_imports_a_module_beside_the_rooms(folder: str) -> None:
    assert imports_of_top_modules(folder) == []


def test_nothing_of_ours_imports_a_test() -> None:
    names = [
        f"{path} imports {name}"
        for path in ours(*ROOMS)
        for name in imported(tree_of(path), path)
        if name.split(".")[0] in ("tests", "conftest")
    ]
    assert names == []


def test_an_implementation_imports_nothing_of_ours_but_the_contract() -> None:
    files = [p for p in ours("impls") if len(p.parts) == 2 and p.name != "__init__.py"]
    assert Path("impls/naive.py") in files
    assert [wrong for path in files for wrong in beyond_the_contract(path, tree_of(path))] == []


def test_the_contract_imports_nothing_of_ours_but_itself() -> None:
    files = [path for path in ours("impls") if path.parts[1] == "interface"]
    assert Path("impls/interface/mask.py") in files
    assert [wrong for path in files for wrong in beyond_the_contract(path, tree_of(path))] == []


def test_only_the_command_line_the_console_and_the_live_screen_print() -> None:
    lines = [
        f"{path}:{line} prints"
        for path in ours(*ROOMS)
        if str(path) not in PRINTERS
        for line in prints(tree_of(path))
    ]
    assert lines == []


def test_plans_stores_and_pages_do_not_import_torch() -> None:
    names = [*WITHOUT_TORCH, *map(module_of, ours("reports"))]
    assert "reports" in names
    child = subprocess.run(
        [sys.executable, "-c", FIRST_TO_IMPORT_TORCH, *names],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (child.returncode, child.stderr) == (0, "")


def test_a_module_that_imports_torch_would_be_named() -> None:
    child = subprocess.run(
        [sys.executable, "-c", FIRST_TO_IMPORT_TORCH, "impls.interface", "impls.reference"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (child.returncode, child.stderr) == (1, "impls.reference imports torch\n")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("impls/new.py", "import suites.engine"),
        ("impls/new.py", "def f():\n    from suites import catalogue"),
        ("impls/interface/new.py", "if TYPE_CHECKING:\n    from reports.rows import tables"),
        ("impls/interface/new.py", "from ...suites import engine"),
        ("suites/engine/new.py", "from reports import tables"),
        ("suites/engine/new.py", "import os, run_bench"),
        ("reports/new.py", "from run_bench import main"),
    ],
)
def test_an_import_against_the_direction_would_be_found(path: str, text: str) -> None:
    assert len(against_the_direction(Path(path), ast.parse(text))) == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("reports/rows/new.py", "from reports.views import text"),
        ("reports/analysis/growth/new.py", "def f():\n    import reports.outputs.html.page"),
        ("reports/views/new.py", "from ..outputs import folder"),
    ],
)
def test_an_import_of_a_later_floor_would_be_found(path: str, text: str) -> None:
    assert len(upwards(Path(path), ast.parse(text))) == 1


def test_a_cycle_of_rooms_would_be_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": set()}
    assert in_cycles(graph) == {"a", "b", "c"}


@pytest.mark.parametrize(
    "text",
    ["import impls.naive", "from impls import naive", "from . import naive", "from .naive import f",
     "from suites.records import record", "import impls"],
)  # fmt: skip
def test_an_import_beyond_the_contract_would_be_found(text: str) -> None:
    assert len(beyond_the_contract(Path("impls/new.py"), ast.parse(text))) == 1


@pytest.mark.parametrize(
    "text",
    ["from impls.interface import Mask", "import impls.interface", "import torch",
     "from .interface import Mask", "from impls import interface"],
)  # fmt: skip
def test_the_contract_itself_may_be_imported(text: str) -> None:
    assert beyond_the_contract(Path("impls/new.py"), ast.parse(text)) == []


@pytest.mark.parametrize("text", ["print(1)", "console.print(1)", "def f():\n    pprint(2)"])
def test_a_loose_print_would_be_found(text: str) -> None:
    assert len(list(prints(ast.parse(text)))) == 1


FIRST_GRADIENT = """
import sys
from impls.interface import Problem
from suites.measure.inputs import call_of, make_inputs
inputs = make_inputs(Problem.parse("t8 d8 full train"), purpose="test")
call = call_of(lambda q, k, v: q * k * v, inputs)
before = set(sys.modules)
call()
print(sorted(set(sys.modules) - before))
"""


def test_what_a_first_gradient_imports_is_in_nobodys_call() -> None:
    child = subprocess.run(
        [sys.executable, "-c", FIRST_GRADIENT], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert child.stdout == "[]\n"
