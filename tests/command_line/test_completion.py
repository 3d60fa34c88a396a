"""A shell completes the words of the installed program, without torch."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import impls
import run_bench
from impls.interface import Implementation
from reports.outputs.export.formats import names
from suites.records.store import Store
from suites.request.completion import implementations
from suites.request.suites import SUITES
from tests.command_line.program import call, start
from tests.saved_run import small_run

Complete = Callable[..., list[str]]


@pytest.fixture
def complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Complete:
    """The completions of the last word, as bash asks for them."""

    def completed(*words: str) -> list[str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["/usr/bin/attnbench"])
        monkeypatch.setenv("_ATTNBENCH_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", " ".join(["attnbench", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        with pytest.raises(SystemExit) as ended:
            run_bench.main()
        assert not ended.value.code
        return capsys.readouterr().out.split()

    return completed


@pytest.fixture
def stored(tmp_path: Path) -> str:
    """A run stored under the default URL and saved as `main`; its name."""
    run, records = small_run()
    (tmp_path / "results").mkdir()
    store = Store.open(f"sqlite:///{tmp_path}/results/bench.db")
    store.begin(run)
    store.add(run.name, *records)
    store.save("main", run.name)
    return run.name


def test_commands_options_suites_formats_and_lists_are_completed(complete: Complete) -> None:
    assert complete("exp") == ["export", "explain"]
    assert complete("explain", "loc") == ["local_window"]
    assert complete("show", "chun") == ["chunked"]
    assert "--fail-if-slower" in complete("compare", "--fail")
    assert complete("run", "") == list(SUITES)
    assert complete("export", "latest", "--format", "") == names()
    assert complete("list", "r") == ["runs"]
    assert complete("list", "problems", "win") == ["window"]
    assert complete("list", "runs", "win") == []


def test_runs_and_saved_names_are_completed(complete: Complete, stored: str) -> None:
    for command in ("report", "export", "compare"):
        assert complete(command, "") == ["latest", "main", stored]
    assert complete("run", "--resume", "ma") == ["main"]
    assert complete("compare", "main", "20") == [stored]


def test_nothing_is_completed_and_nothing_made_without_a_store(
    complete: Complete, tmp_path: Path
) -> None:
    assert complete("report", "") == []
    assert list(tmp_path.iterdir()) == []


def test_implementations_are_completed(complete: Complete) -> None:
    assert complete("run", "--impl", "sdpa_f") == ["sdpa_flash"]
    assert complete("check", "loc") == ["local_attention", "local_window"]
    assert complete("compare", "--run", "latest", "nai") == ["naive"]


def test_the_implementations_are_those_of_the_folder() -> None:
    loaded = impls.load()
    here = {name for name, each in loaded.items() if isinstance(each, Implementation)}
    assert here <= set(implementations("")) <= set(loaded)


def test_completion_imports_no_torch(
    complete: Complete, stored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("torch", "plotly", "matplotlib"):
        monkeypatch.setitem(sys.modules, name, None)  # an import of it fails
    assert stored in complete("report", "")
    assert "naive" in complete("check", "")


def test_the_script_for_a_shell_is_of_the_installed_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("typer._completion_shared._get_shell_name", lambda: "bash")
    monkeypatch.setattr("typer.completion._get_shell_name", lambda: "bash")
    ended = call("--show-completion", monkeypatch=monkeypatch, capsys=capsys, cwd=tmp_path)
    assert not ended.status
    assert "_ATTNBENCH_COMPLETE=complete_bash" in ended.stdout
    assert ended.stdout.strip().endswith(" attnbench")


def test_the_version_and_mistakes_name_the_program_that_was_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start("--version", cwd=tmp_path).stdout.startswith("attnbench ")
    monkeypatch.setattr(sys, "argv", ["/usr/bin/attnbench", "run", "--nonsense"])
    with pytest.raises(SystemExit):
        run_bench.main()
    said = capsys.readouterr().err
    assert said == "attnbench: No such option: --nonsense (attnbench run --help)\n"
