"""`check --inputs` and `run --inputs` with files, as a user starts them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

import pytest
import torch

from suites.records.store import Store
from tests.command_line.program import run_here
from tests.saved_run import small_run

CLAMPS: Final = """
from impls.interface import Limits, implementation

@implementation(Limits(masks=("full",), grouped_heads=False))
def mine(q, k, v, **_):
    return (q @ k.mT / 4).clamp(max=9).softmax(-1) @ v
"""
"""It states Limits, so that `check` does not search for them."""
SAVED: Final = ("--save", "own", "--out", "page")


def save(path: Path, **content: Any) -> None:
    generator = torch.Generator().manual_seed(4)
    drawn = {name: torch.randn(1, 2, 32, 16, generator=generator) for name in ("q", "k", "v")}
    torch.save({**drawn, **content}, path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two files, and a run that is stored as `own`."""
    path = tmp_path_factory.mktemp("own")
    save(path / "a.pt", mask="causal")
    save(path / "b.pt", grad=torch.ones(1, 2, 32, 16))
    impls = ("--impl", "naive", "--impl", "sdpa_flash")
    made = run_here("run", "--inputs", "a.pt", "--inputs", "b.pt", *impls, "--sessions", "1",
                    "--threads", "1", "--dtype", "float64", *SAVED, cwd=path)  # fmt: skip
    assert (made.returncode, made.stderr) == (0, "")
    (path / "out.txt").write_text(made.stdout)
    return path


def test_the_tables_have_errors_on_these_inputs_beside_random_ones(folder: Path) -> None:
    lines = (folder / "out.txt").read_text().splitlines()
    first = next(place for place, line in enumerate(lines) if "Error on your inputs" in line)
    assert lines[first + 1].split() == ["file", "tensor", "on", "yours", "on", "random", "times"]
    rows = [line.split()[:3] for line in lines[first + 3 : first + 13]]
    tensors = ("out", "dq", "dk", "dv")
    names = ("naive", "sdpa_flash")
    assert sorted(rows) == sorted(
        [
            *([name, "a.pt", "out"] for name in names),
            *([name, "b.pt", tensor] for name in names for tensor in tensors),
        ]
    )
    assert any(line.startswith("Times are of the tensors in 2 files") for line in lines)


def test_the_page_has_them_and_repeats_with_the_file(folder: Path) -> None:
    page = (folder / "page" / "report.html").read_text()
    assert "Error on your inputs" in page
    assert f'run --inputs "{folder}/a.pt" --dtype float64 --impl' in page
    assert "error on your inputs" in page


def test_exports_have_them(folder: Path) -> None:
    assert run_here("export", "own", "--to", "own.csv", cwd=folder).returncode == 0
    rows = list(csv.DictReader((folder / "own-own-inputs.csv").read_text().splitlines()))
    assert len(rows) == 10
    assert all(0 < float(row["error"]) < 1e-13 for row in rows)
    assert all(0 < float(row["random_error"]) < 1e-13 for row in rows)
    measured = list(csv.DictReader((folder / "own.csv").read_text().splitlines()))
    assert all(0 < float(row["own_error"]) < 1e-13 for row in measured)


def test_a_bundle_has_no_tensors_unless_they_are_wanted(folder: Path) -> None:
    without = run_here("export", "own", "--format", "bundle", "--to", "a.zip", cwd=folder)
    assert without.returncode == 0
    assert without.stderr.count("a bundle has no tensors of yours; --format bundle-with-") == 2
    whole = run_here("export", "own", "--format", "bundle-with-inputs", "--to", "b.zip", cwd=folder)
    assert (whole.returncode, whole.stderr) == (0, "")
    found = [name for name in ZipFile(folder / "a.zip").namelist() if name.endswith(".pt")]
    assert found == []
    found = [name for name in ZipFile(folder / "b.zip").namelist() if name.endswith(".pt")]
    assert sorted(Path(name).name for name in found) == ["a.pt", "b.pt"]
    for name in ("a.zip", "b.zip"):
        assert str(folder) not in ZipFile(folder / name).read("plan.json").decode()
    refused = run_here("rerun", "a.zip", cwd=folder)
    assert refused.returncode == 2
    assert "are not here; expected SHA-256" in refused.stderr
    again = run_here("rerun", "b.zip", "--json", cwd=folder)
    assert again.returncode == 0
    last = json.loads(again.stdout.splitlines()[-1])
    assert len(last["own_inputs"]) == 10


def test_a_changed_file_is_refused_in_one_line(folder: Path) -> None:
    before = (folder / "a.pt").read_bytes()
    try:
        save(folder / "a.pt")
        for words in (("rerun", "own"), ("run", "--resume", "own")):
            found = run_here(*words, cwd=folder)
            assert (found.returncode, found.stdout) == (2, "")
            assert found.stderr.startswith(f"attnbench: the inputs {folder}/a.pt have changed")
            assert found.stderr.count("\n") == 1
    finally:
        (folder / "a.pt").write_bytes(before)


def test_a_check_shows_them_for_a_file_of_the_user(folder: Path) -> None:
    (folder / "mine.py").write_text(CLAMPS)
    save(folder / "large.pt", q=torch.full((1, 2, 32, 16), 9.0))
    found = run_here("check", "mine.py", "--inputs", "large.pt", "--json", cwd=folder)
    assert found.returncode == 1
    (row,) = json.loads(found.stdout)["outcomes"]
    assert row["status"] == "wrong"
    assert row["reason"].startswith("on your inputs (large.pt), out is wrong: RMS error ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("check", "naive", "--inputs", "bad.pt"), "bad.pt: cannot be read as tensors"),
        (("run", "--inputs", "bad.pt"), "bad.pt: cannot be read as tensors"),
        (("run", "--inputs", "nan.pt"), "nan.pt: its q is nan at [0, 0, 0, 0]; expected finite"),
        (("run", "--inputs", "none.pt"), "no file 'none.pt'; expected one with q, k and v"),
        (("run", "quick", "--inputs", "a.pt"), "a suite (quick) and --inputs; expected one or"),
        (
            ("run", "--inputs", "a.pt", "--seq", "64"),
            "--seq beside --inputs: the tensors have their own sizes; expected at most --device",
        ),
        (("run", "--inputs", "a.pt", "--problem", "t32"), "--problem beside --inputs: the tensors"),
        (("run", "--inputs", "a.pt", "--pass", "training"), "--pass training: "),
        (("export", "--format", "bundle-with-inputs"), "has no --inputs; expected --format bundle"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    save(tmp_path / "a.pt")
    save(tmp_path / "nan.pt", q=torch.full((1, 2, 32, 16), float("nan")))
    (tmp_path / "bad.pt").write_text("hello")
    if words[0] == "export":
        run, records = small_run(problems=("h1 t16 d8",), sessions=1)
        (tmp_path / "results").mkdir()
        store = Store.open(f"sqlite:///{tmp_path / 'results' / 'bench.db'}")
        store.begin(run)
        store.add(run.name, *records)
    found = run_here(*words, cwd=tmp_path)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith("attnbench: ")
    assert said in found.stderr
    assert found.stderr.count("\n") == 1
