"""The README agrees with the program: commands, help, tables and constraints."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from pyarrow import parquet

import impls
from impls.interface import Implementation
from reports.outputs.terminal.listings import capability_markdown
from suites.engine.describe import entry_of
from suites.request.suites import SUITES
from tests.command_line.program import call

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()


def between(name: str) -> str:
    found = re.search(rf"<!-- begin {name} -->\n(.*?)<!-- end {name} -->", README, re.DOTALL)
    assert found
    return found[1]


def start(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "run_bench.py"), *words],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "80", "TERMINAL_WIDTH": "80"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_the_help_in_readme_is_the_programs_own() -> None:
    assert between("help") == f"```text\n{start('run', '--help').stdout.strip()}\n```\n"


def test_the_help_in_the_docs_of_profiles_is_the_programs_own() -> None:
    docs = (ROOT / "docs" / "profile.md").read_text()
    shown = f"```text\n{start('profile', '--help').stdout.strip()}\n```\n"
    assert f"<!-- begin help -->\n{shown}<!-- end help -->" in docs


def test_the_capability_table_in_readme_is_the_programs_own() -> None:
    known = impls.load()
    names = [name for name, each in known.items() if isinstance(each, Implementation)]
    assert between("capabilities") == capability_markdown(map(entry_of, impls.select(names, known)))


def test_every_suite_and_command_is_named_in_readme() -> None:
    for name in SUITES:
        assert f"`{name}`" in README
    listed = start("--help").stdout.split("Commands:")[1]
    for command in re.findall(r"^  (\w+)", listed, re.MULTILINE):
        assert f"run_bench.py {command}" in README, command


def test_the_two_commands_of_the_first_screen_stand_alone_on_their_lines() -> None:
    first = README.split("## ")[0]
    assert "\npython -m pip install -c constraints.txt -e . && python run_bench.py\n" in first
    assert '\npython -m pip install -c constraints.txt -e ".[test]" && python -m pytest\n' in first


def commands() -> list[str]:
    """The README's commands, after the two of the first screen."""
    blocks = re.findall(r"```sh\n(.*?)```", README.split("## Use")[1], re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


NEW = "python run_bench.py new my_attention"
CHECK = "python run_bench.py check my_attention.py"


@pytest.mark.parametrize("line", [line for line in commands() if line not in (NEW, CHECK)])
def test_every_command_of_readme_is_understood(
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The program accepts each command: a folder that cannot be written ends it early."""
    words = shlex.split(line)[2:]
    (tmp_path / "my_attention.py").write_text(example())
    if (words[0] == "run" and "--resume" not in words) or (
        words[0] in ("profile", "show", "explain") and "--" not in words
    ):
        words += ["--out", "/proc/nowhere"]
    ended = call(*words, monkeypatch=monkeypatch, capsys=capsys, cwd=tmp_path)
    assert ended.status == 2
    assert re.search(
        "cannot be written to /proc/nowhere|no store at|no file or folder|no bundle at"
        "|workload.jsonl does not exist|my_script.py does not exist",
        ended.stderr,
    ), ended.stderr


def test_the_command_that_readme_names_writes_a_new_implementation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert NEW in commands()
    monkeypatch.setattr(impls, "FOLDER", tmp_path)  # not the real impls/
    words = shlex.split(NEW)[2:]
    ended = call(*words, monkeypatch=monkeypatch, capsys=capsys, cwd=tmp_path)
    assert not ended.status, ended.stderr
    assert "def my_attention(" in (tmp_path / "my_attention.py").read_text()


def test_the_example_of_contributing_passes_the_check_that_readme_names(tmp_path: Path) -> None:
    assert CHECK in commands()
    (tmp_path / "my_attention.py").write_text(example())
    ended = start(*shlex.split(CHECK)[2:], "--threads", "1", cwd=tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def example() -> str:
    found = re.search(r"   ```python\n(.*?)   ```", CONTRIBUTING, re.DOTALL)
    assert found
    return re.sub(r"^   ", "", found[1], flags=re.MULTILINE)


def test_every_file_that_readme_links_to_exists() -> None:
    named = re.findall(r"\]\(((?!http)[^)#]+)\)", README)
    assert sum(name.endswith(".png") for name in named) == 2
    for name in named:
        assert (ROOT / name).exists(), name


def test_every_file_that_the_docs_link_to_exists() -> None:
    found = [
        (page, name)
        for page in sorted((ROOT / "docs").glob("*.md"))
        for name in re.findall(r"\]\(((?!http)[^)#]+)\)", page.read_text())
    ]
    assert sum(name.endswith(".png") for _, name in found) > 5
    assert [each for each in found if not (each[0].parent / each[1]).exists()] == []


def test_the_example_run_holds_the_data_of_its_page() -> None:
    folder = ROOT / "reports" / "examples"
    page = (folder / "report.html").read_text("utf-8")
    dispatch = json.loads((folder / "dispatch.json").read_text("utf-8"))
    assert dispatch["command"] in README
    assert dispatch["run"] in page
    records = parquet.read_table(folder / "records.parquet", columns=["problem"])
    stored = set(records.column("problem").to_pylist())
    assert stored >= {each["problem"] for each in dispatch["problems"]}
    assert page.count("<section") > 8


def test_the_constraints_pin_every_requirement_of_pyproject() -> None:
    pins = dict(
        re.findall(r"^([\w-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    )
    pyproject = (ROOT / "pyproject.toml").read_text()
    required = re.findall(r'^    "([\w-]+)[>=<]', pyproject, re.MULTILINE)
    assert pins["torch"] == "2.13.0"
    normal = {name.lower().replace("_", "-") for name in pins}
    assert {name.lower() for name in required} <= normal
