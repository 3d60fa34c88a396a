"""A run, its report and its lists, as a user starts them."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.command_line.program import RIGHT, TINY, WRONG, run_here, start

SUMMARIES = ("summary.md", "main.md")
"""What `run --summary` and `export --format markdown` write."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which `made` carries out one small run."""
    path = tmp_path_factory.mktemp("bench")
    (path / "mine.py").write_text(RIGHT)
    (path / "bad.py").write_text(WRONG)
    return path


@pytest.fixture(scope="module")
def made(folder: Path) -> subprocess.CompletedProcess[str]:
    impls = ("--impl", "mine.py", "--impl", "sdpa_flash", "--impl", "xformers")
    kept = ("--save", "main", "--summary", "summary.md")
    return start("run", *impls, *TINY, "--sessions", "2", *kept, cwd=folder)


def test_resume_keeps_which_implementations_were_named(
    made: subprocess.CompletedProcess[str], folder: Path
) -> None:
    assert made.returncode == 1
    resumed = run_here("run", "--resume", "--json", cwd=folder)
    assert (resumed.returncode, resumed.stderr) == (1, made.stderr)


def test_a_run_without_a_terminal_prints_nothing_on_stderr(tmp_path: Path) -> None:
    words = ("--problem", "h2 t64 d16", "--sessions", "1", "--threads", "1")
    result = run_here("run", "--impl", "naive", *words, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")


def test_the_verdicts_are_counted_on_demand_and_of_a_single_run_only(
    made: subprocess.CompletedProcess[str], folder: Path
) -> None:
    every = run_here("report", "--all", "--out", "every", cwd=folder)
    assert every.returncode == 0
    assert "Where nothing differs, 5 % of intervals exclude 1" in " ".join(every.stdout.split())
    assert "Where nothing differs" not in made.stdout
    several = run_here("report", "latest", "latest", "--all", cwd=folder)
    assert several.returncode == 2
    assert several.stderr == (
        "attnbench: --all beside 2 runs; it prints the tables of a single run\n"
    )


def test_a_run_measures_reports_and_prints_the_paths(
    made: subprocess.CompletedProcess[str], folder: Path
) -> None:
    assert made.returncode == 1
    assert made.stderr == "xformers was named with --impl and has no time: 4 refused\n"
    paths = [Path(line) for line in made.stdout.splitlines() if line.startswith("results/")]
    assert paths[-1].name == "report.html"
    assert made.stdout.splitlines()[-1] == str(paths[-1])
    assert {path.suffix for path in paths[:-1]} == {".png"}
    assert all((folder / path).stat().st_size > 1000 for path in paths)
    for name in ("mine", "sdpa_flash", "xformers"):
        assert name in made.stdout


def test_a_stored_run_is_reported_again_listed_and_read_by_programs(
    made: subprocess.CompletedProcess[str], folder: Path
) -> None:
    again = run_here("report", "latest", "--out", "elsewhere", "--json", cwd=folder)
    assert again.returncode == 0, again.stderr
    data = json.loads(again.stdout)
    assert (folder / data["page"]).is_file()
    medians = {(m["problem"], m["implementation"]): m["median_ms"] for m in data["measurements"]}
    assert len(medians) == 8
    assert all(value > 0 for value in medians.values())
    runs = json.loads(run_here("list", "runs", "--json", cwd=folder).stdout)
    assert [run["name"] for run in runs] == [data["run"]]
    assert (runs[0]["problems"], runs[0]["implementations"], runs[0]["records"]) == (4, 3, 28)
    assert runs[0]["ended"]
    assert data["run"] in run_here("list", "runs", cwd=folder).stdout


def test_a_saved_run_is_named_listed_compared_and_exported(
    made: subprocess.CompletedProcess[str], folder: Path
) -> None:
    assert made.returncode == 1
    (listed,) = json.loads(run_here("list", "runs", "--json", cwd=folder).stdout)
    assert listed["saved_as"] == ["main"]
    gate = ("--fail-if-slower", "90%", "--summary", "gate.md")
    compared = run_here("compare", "--run", "main", "sdpa_flash", "sdpa_flash", *gate, cwd=folder)
    assert compared.returncode == 1  # the samples tie: nothing is judged
    line = compared.stdout.splitlines()[-1]
    assert line.startswith("GATE 90 %: unsure; none of 4 comparisons was judged: ")
    assert (folder / "gate.md").read_text().startswith(f"**{line}**\n")
    exported = run_here("export", "main", "--format", "markdown", "--to", "main.md", cwd=folder)
    assert exported.stdout == "main.md\n"
    visible = [(folder / name).read_text().split("<details>")[0] for name in SUMMARIES]
    assert visible[0] == visible[1] != ""


def test_a_summary_is_appended_to(made: subprocess.CompletedProcess[str], folder: Path) -> None:
    assert made.returncode == 1
    (folder / "steps.md").write_text("before\n")
    for _ in range(2):
        ended = run_here("report", "main", "--summary", "steps.md", "--out", "again", cwd=folder)
        assert ended.returncode == 0, ended.stderr
    run_here("export", "main", "--format", "markdown", "--to", "once.md", cwd=folder)
    once = (folder / "once.md").read_text()
    assert (folder / "steps.md").read_text() == f"before\n\n{once}\n{once}"


def test_a_name_that_is_given_again_says_which_run_had_it(
    made: subprocess.CompletedProcess[str], folder: Path
) -> None:
    assert made.returncode == 1
    (old,) = [
        run["name"] for run in json.loads(run_here("list", "runs", "--json", cwd=folder).stdout)
    ]
    words = ("--problem", "h2 t64 d16", "--sessions", "1", "--threads", "1", "--save", "main")
    clash = run_here("run", "--impl", "naive", *words[:-1], old, cwd=folder)
    assert (clash.returncode, clash.stdout) == (2, "")
    assert clash.stderr == (
        f"attnbench: --save {old}: a stored run has this name; name it otherwise\n"
    )
    again = run_here("run", "--impl", "naive", *words, cwd=folder)
    assert (again.returncode, again.stderr) == (0, f"main was {old} until now\n")


def test_a_wrong_implementation_is_reported_wrong_and_never_timed(folder: Path) -> None:
    result = run_here(
        "run", "--impl", "bad.py", "--problem", "h4 t64 d16 causal", "--json", "--out", "bad",
        "--store", "sqlite:///bad.db", cwd=folder,
    )  # fmt: skip
    assert result.returncode == 1
    doubt, limits = result.stderr.splitlines()
    assert doubt.startswith("ignores_the_mask: no reading of its parameters is right on a small")
    assert re.fullmatch(r"ignores_the_mask states no Limits.* run_bench\.py check bad\.py", limits)
    record, data = map(json.loads, result.stdout.splitlines())
    assert (record["kind"], record["status"], record["session"]) == ("record", "wrong", 0)
    assert data["kind"] == "run"
    assert data["measurements"] == []
    (outcome,) = data["outcomes"]
    assert outcome["status"] == "wrong"
    assert "sees keys 0..63, expected 0..0" in outcome["reason"]
    with closing(sqlite3.connect(folder / "bad.db")) as connection:
        stored = connection.execute("select data from records").fetchall()
    assert all(not json.loads(row)["times_ms"] for (row,) in stored)


def test_a_run_with_only_refused_records_ends_with_a_message_and_status_1(tmp_path: Path) -> None:
    result = run_here("run", "--impl", "sdpa_cudnn", *TINY, cwd=tmp_path)
    assert result.returncode == 1
    assert "nothing was measured" in result.stderr
    assert "device cpu: runs on cuda" in result.stdout
