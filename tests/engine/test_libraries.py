"""Libraries of implementations: missing, unusable, failing; imported only where one takes part."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest

import impls
from impls.interface import Limits, Problem
from suites.conducting import planned, pool_for, pool_of
from suites.engine import describe
from suites.engine.catalogue import open_catalogue, with_libraries
from suites.engine.conductor import Conductor
from suites.engine.messages import Message
from suites.engine.protocol import ListImplementations
from suites.records.plan import Entry, Plan
from suites.records.store import Run, Store, now
from suites.request.planning import Request
from suites.request.suites import named
from tests.command_line.program import call, start
from tests.engine.planted_library import FILE, plant
from tests.engine.real_sessions import Silent

PIP = 'python -m pip install -c constraints.txt -e ".[peers]"'
FAULTS = {
    "not installed": ("", "", f"planted is not installed; install it with: {PIP}"),
    "unusable": ("2.0.1", "", "planted 2.0.1 does not work here: its sums are wrong"),
    "raises": (
        "1.0",
        "raise RuntimeError('needs AVX-512\\nand more')",
        "planted 1.0 does not import here: RuntimeError: needs AVX-512",
    ),
    "exits": ("1.0", "raise SystemExit(3)", "planted 1.0 does not import here: SystemExit: 3"),
    "ends the process": (
        "1.0",
        "import os; os._exit(3)",
        "ended the process that imports it: the process ended with status 3",
    ),
    "changes the process": (
        "1.0",
        "import torch; torch.set_default_dtype(torch.float64)",
        "importing its library changed",
    ),
}
"""By fault: the version that is installed, what the module does, and the reason that is given."""


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `site`, one for all tests: their sessions have equal variables."""
    return tmp_path_factory.mktemp("site")


@pytest.fixture
def site(searched: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that new processes search for packages, before those that are installed."""
    for path in searched.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    monkeypatch.setenv("PYTHONPATH", str(searched))
    return searched


@pytest.fixture
def file(tmp_path: Path) -> Path:
    written = tmp_path / "needs_planted.py"
    written.write_text(FILE)
    return written


def plan_with(entries: tuple[Entry, ...]) -> Plan:
    """A plan of one small problem in one timed session."""
    return Plan(
        suite="planted",
        problems=(Problem.parse("b1 h2 t16 d16 full"),),
        entries=entries,
        sessions=1,
        seed=1,
        round_budget_ms=5,
        time_limit_s=60.0,
        memory_limit=1 << 28,
        threads=(1,),
    )


@pytest.mark.parametrize("fault", FAULTS)
def test_a_library_with_a_fault_is_missing_and_the_others_are_measured(
    fault: str, site: Path, file: Path
) -> None:
    version, body, reason = FAULTS[fault]
    if version:
        plant(site, version=version, body=body)
    machine, entries = open_catalogue([str(file)], threads=1)
    store = Store.open("sqlite://")
    plan = plan_with(entries)
    with pool_of(plan) as pool:
        plan = with_libraries(plan, pool)
        run = Run(name="r", started=now(), command="c", plan=plan, machine=machine)
        store.begin(run)
        records = Conductor(run=run, store=store, listener=Silent(), pool=pool).conduct()
    found = {(r.implementation, r.session): (r.status, r.reason) for r in records}
    assert found["with_planted", 0][0] == "missing"
    assert reason in found["with_planted", 0][1]
    assert "and more" not in found["with_planted", 0][1]
    assert [found["beside", session][0] for session in (0, 1)] == ["ok", "ok"]


def test_a_library_that_imports_is_measured(site: Path, file: Path) -> None:
    imported = plant(site)
    _, entries = open_catalogue([str(file)], threads=1)
    assert [each.library for each in entries] == ["planted 1.0", ""]
    assert not imported.exists()  # listing reads the metadata alone
    with pool_of(plan_with(entries)) as pool:
        plan = with_libraries(plan_with(entries), pool)
    assert imported.exists()
    assert not any(each.missing for each in plan.entries)


@pytest.mark.parametrize("fault", ["not installed", "unusable", "raises", "ends the process"])
def test_a_missing_implementation_that_is_named_is_a_mistake(
    fault: str,
    site: Path,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    version, body, reason = FAULTS[fault]
    if version:
        plant(site, version=version, body=body)
    words = ("run", "--problem", "h2 t16 d16", "--impl", f"{file}:with_planted", "--sessions", "1")
    ended = call(*words, monkeypatch=monkeypatch, capsys=capsys, cwd=file.parent)
    assert ended.status == 2
    assert f"implementation 'with_planted' is missing here: {reason}" in ended.stderr


class Heard:
    """A sender that keeps the messages."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def send(self, message: Message) -> None:
        self.messages.append(message)


def test_an_own_file_whose_library_is_not_installed_is_missing(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(impls, "own_files", lambda: [file])
    task = ListImplementations(specs=None, without={}, cores=1)
    found = describe._entries(task, Heard())  # type: ignore[arg-type] # it only sends
    assert {each.name: each.missing for _, each in found} == {
        "beside": "",
        "with_planted": FAULTS["not installed"][2],
    }


def test_each_library_is_imported_by_the_process_that_checks_its_implementation() -> None:
    """One that breaks another's import has a process of its own; one that is unused has none."""
    taken: list[tuple[int, str]] = []

    class Pool:
        def take(self, session: int, threads: int, process: str) -> object:
            taken.append((session, process))
            watch = SimpleNamespace(time_limit_s=60.0, memory_limit=1)
            return watch, SimpleNamespace(ask=lambda *_: None)

        def put_back(self, session: int, process: object, name: str) -> None:
            taken.remove((session, name))

    entries = (
        Entry(name="shares", limits=(Limits(),), library="planted 1.0"),
        Entry(name="alone", limits=(Limits(),), library="planted 2.0", process="alone"),
        Entry(name="none", limits=(Limits(),)),
        Entry(name="absent", library="planted 3.0", missing="not installed"),
        Entry(name="refuses", limits=(Limits(devices=("cuda",)),), library="planted 4.0"),
    )
    plan = plan_with(entries)
    pool = Pool()
    with mock.patch.object(pool, "take", wraps=pool.take) as take:
        assert with_libraries(plan, pool) == plan  # type: ignore[arg-type] # it has what is used
    assert [each.args[2] for each in take.call_args_list] == ["", "alone"]
    assert taken == []


SLOW_LIBRARIES = ("onnxruntime", "openvino")
"""Libraries of this program's own implementations that take seconds to import."""


@pytest.fixture
def traps(site: Path) -> list[Path]:
    """The slow libraries replaced by modules that fail; each path exists once one was imported."""
    body = "raise RuntimeError('planted')"
    return [plant(site, name, "1.0", body) for name in SLOW_LIBRARIES]


@pytest.mark.parametrize(
    "words", [["--help"], ["run", "--help"], ["list", "suites"], ["list", "implementations"]]
)
def test_help_and_lists_import_no_library(
    words: list[str], traps: list[Path], tmp_path: Path
) -> None:
    ended = start(*words, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert not any(path.exists() for path in traps)


@pytest.mark.parametrize("suite", ["quick", "peers"])
def test_a_run_imports_the_libraries_of_those_that_take_part(suite: str, traps: list[Path]) -> None:
    request = Request(suite=named(suite))
    with pool_for(request) as pool:
        plan, _ = planned(request, pool)
        plan = with_libraries(plan, pool)
    assert [path.exists() for path in traps] == [suite == "peers"] * len(traps)
    reasons = {each.name: each.missing for each in plan.entries if each.name in SLOW_LIBRARIES}
    if suite == "peers":
        assert all("does not import here: RuntimeError: planted" in r for r in reasons.values())
        assert set(reasons) == set(SLOW_LIBRARIES)
    else:
        assert not reasons
        assert set(SLOW_LIBRARIES) <= set(plan.left_out)
