"""A run handed on: exported as a bundle, reported and measured again in another folder."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.command_line.program import RIGHT, call, run_here
from tests.records.bundles import members, rewritten

PROBLEM = ("--problem", "b1 h2 t64 d16", "--sessions", "2", "--threads", "1")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a run of the user's file, in a folder of its own; the file is gone."""
    first = tmp_path_factory.mktemp("first")
    (first / "mine.py").write_text(RIGHT)
    impls = ("--impl", "mine.py", "--impl", "naive")
    made = run_here("run", *impls, *PROBLEM, cwd=first)
    assert made.returncode == 0, made.stderr
    exported = run_here("export", "--format", "bundle", "--to", "a.zip", cwd=first)
    assert (exported.returncode, exported.stdout, exported.stderr) == (0, "a.zip\n", "")
    second = tmp_path_factory.mktemp("second")
    shutil.move(first / "a.zip", second / "a.zip")
    shutil.rmtree(first)
    return second / "a.zip"


def test_a_bundle_is_reported_without_a_store(bundle: Path, tmp_path: Path) -> None:
    made = run_here("report", str(bundle), "--json", cwd=tmp_path)
    assert (made.returncode, made.stderr) == (0, "")
    data = json.loads(made.stdout)
    assert {row["implementation"] for row in data["measurements"]} == {"mine", "naive"}
    assert (tmp_path / data["page"]).is_file()
    assert not (tmp_path / "results" / "bench.db").exists()


def test_a_bundle_is_measured_again_elsewhere(bundle: Path, tmp_path: Path) -> None:
    made = run_here("rerun", str(bundle), cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    (line,) = made.stderr.splitlines()
    found = re.fullmatch(r"runs with your rights: (results/bundles/.*/files/mine\.py)", line)
    assert found
    assert (tmp_path / found[1]).read_text() == RIGHT
    assert "mine" in made.stdout
    both = run_here("report", str(bundle), "latest", "--json", cwd=tmp_path)
    assert both.returncode == 0, both.stderr
    assert [len(each["points"]) for each in json.loads(both.stdout)["series"]] == [2, 2]
    compared = run_here("compare", str(bundle), "latest", "--json", cwd=tmp_path)
    assert compared.returncode == 0, compared.stderr
    assert {row["implementation"] for row in json.loads(compared.stdout)["rows"]} == {
        "mine",
        "naive",
    }


def of_server(bundle: Path, folder: Path) -> Path:
    """The bundle as if another machine had made it."""
    other = folder / "b.zip"
    shutil.copy(bundle, other)
    found = members(other)
    machine = {**json.loads(found["machine.json"]), "cpu": "Server CPU", "cores": 64}
    run = json.loads(found["run.json"])
    rewritten(
        other,
        {
            "machine.json": json.dumps(machine).encode(),
            "run.json": json.dumps({**run, "name": "server"}).encode(),
        },
    )
    return other


def test_bundles_of_two_machines_are_shown_side_by_side(
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("report", str(bundle), str(of_server(bundle, tmp_path)), "--out", "page", "--json")
    ended = call(*words, monkeypatch=monkeypatch, capsys=capsys, cwd=tmp_path)
    assert not ended.status, ended.stderr
    data = json.loads(ended.stdout)
    assert [each["run"] for each in data["machines"]][1] == "server"
    assert any("Server CPU in B" in each for each in data["differences"])
    assert "Machines side by side" in (tmp_path / "page" / "report.html").read_text("utf-8")


def test_machines_are_compared_on_request_only(
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("compare", str(bundle), str(of_server(bundle, tmp_path)))
    refused = call(*words, monkeypatch=monkeypatch, capsys=capsys, cwd=tmp_path)
    assert refused.status == 2
    assert re.search(r"not comparable: .*CPU: .* in server; --anyway", refused.stderr)
    compared = call(*words, "--anyway", monkeypatch=monkeypatch, capsys=capsys, cwd=tmp_path)
    assert not compared.status, compared.stderr
    assert "Not alike: CPU:" in " ".join(compared.stdout.split())


@pytest.mark.parametrize("command", ["report", "rerun", "compare"])
def test_a_damaged_bundle_is_one_line_and_nothing_is_written(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK")
    words = (command, *(["a.zip"] * (2 if command == "compare" else 1)))
    ended = call(*words, monkeypatch=monkeypatch, capsys=capsys, cwd=tmp_path)
    assert (ended.status, ended.stdout) == (2, "")
    assert ended.stderr.startswith("attnbench: a.zip is no zip file, or damaged: ")
    assert ended.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_the_help_of_rerun_says_that_a_bundle_is_code(tmp_path: Path) -> None:
    shown = " ".join(run_here("rerun", "--help", cwd=tmp_path).stdout.split())
    assert "The files of a bundle are code and run with all your rights" in shown
