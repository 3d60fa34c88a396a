"""Commands given the name of a run over several kinds of machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from suites.records.store import Store
from tests.command_line.program import run_here
from tests.kind_runs import AMD, GROUP, H200, group

NAMES = (f"{GROUP}@{AMD}", f"{GROUP}@{H200}")
CHOICE = f"stands for 2 runs, one on each kind of machine; name one of them: {', '.join(NAMES)}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose store has the runs of one group."""
    path = tmp_path_factory.mktemp("grouped")
    (path / "results").mkdir()
    store = Store.open(f"sqlite:///{path}/results/bench.db")
    for run, records in group():
        store.begin(run)
        store.add(run.name, *records)
        store.end(run.name)
    store.close()
    return path


@pytest.mark.parametrize("name", [GROUP, "latest"])
def test_a_report_of_a_group_has_all_machines(folder: Path, name: str) -> None:
    done = run_here("report", name, "--summary", f"{name}.md", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Fastest where: attention" in done.stdout
    assert done.stdout.splitlines()[-1] == f"results/{GROUP}/report.html"
    html = (folder / "results" / GROUP / "report.html").read_text("utf-8")
    assert all(f'id="on-{kind}-part"' in html for kind in (AMD, H200))
    assert "| noise floor |" in (folder / f"{name}.md").read_text("utf-8")


def test_a_report_of_one_kind_is_that_one_alone(folder: Path) -> None:
    done = run_here("report", NAMES[0], "--json", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    data = json.loads(done.stdout)
    assert (data["run"], "machines" in data) == (NAMES[0], False)
    assert data["page"] == f"results/{NAMES[0]}/report.html"


def test_programs_read_a_group(folder: Path) -> None:
    data = json.loads(run_here("report", "--json", cwd=folder).stdout)
    assert data["group"] == GROUP
    assert [each["run"] for each in data["machines"]] == list(NAMES)


def test_dispatch_of_a_group_has_a_section_for_each_machine(folder: Path) -> None:
    done = run_here("export", GROUP, "--format", "dispatch", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    path = folder / done.stdout.strip()
    assert path == folder / "results" / GROUP / "dispatch.json"
    assert [each["kind"] for each in json.loads(path.read_text())["machines"]] == [AMD, H200]


@pytest.mark.parametrize(
    "words",
    [
        ("export", GROUP, "--format", "csv"),
        ("run", "--resume", GROUP),
        ("rerun", GROUP),
        ("copy", GROUP, "--to", "sqlite:///other.db"),
        ("compare", GROUP, NAMES[0]),
        ("compare", NAMES[0], GROUP),
        ("compare", "naive", "chunked", "--run", GROUP),
        ("report", GROUP, NAMES[0]),
    ],
)
def test_a_command_of_single_runs_names_them(folder: Path, words: tuple[str, ...]) -> None:
    done = run_here(*words, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"attnbench: {GROUP!r} {CHOICE}\n"
    assert not (folder / "other.db").exists()


def test_two_machines_are_not_compared_unless_anyway(folder: Path) -> None:
    refused = run_here("compare", *NAMES, cwd=folder)
    assert refused.returncode == 2
    assert f"{NAMES[0]} and {NAMES[1]} are not comparable: CPU: AMD EPYC 9004" in refused.stderr
    assert refused.stderr.endswith("--anyway compares them nevertheless, marked\n")
    assert run_here("compare", *NAMES, "--anyway", cwd=folder).returncode == 0


def test_runs_of_a_group_are_listed_below_its_name(folder: Path) -> None:
    lines = run_here("list", "runs", cwd=folder).stdout.splitlines()
    place = next(at for at, line in enumerate(lines) if line.startswith(f"{GROUP} "))
    assert [line.split()[0] for line in lines[place + 1 :] if "@" in line] == list(NAMES)
