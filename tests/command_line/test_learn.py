"""The command `learn`: verdicts, faults of implementations as rows, files, and its mistakes."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from suites import training
from tests.command_line.program import call, run_here

needs_sklearn = pytest.mark.skipif(
    find_spec("sklearn") is None, reason="the extra `models` is not installed"
)
FILE = """
import os
from torch.nn.functional import scaled_dot_product_attention as sdpa

def drops_padding(q, k, v, *, mask, scale):
    return sdpa(q, k, v, scale=scale)

def dies(q, k, v, *, mask, scale):
    if len(q) == 64:
        os._exit(3)
    return sdpa(q, k, v, scale=scale)

def raises(q, k, v, *, mask, scale):
    if len(q) == 64:
        raise RuntimeError("too many rows")
    return sdpa(q, k, v, scale=scale)
"""


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, dict[str, Any], Path]:
    """Status, data and folder of ten steps with implementations that fail in different ways."""
    folder = tmp_path_factory.mktemp("learn")
    (folder / "faulty.py").write_text(FILE)
    words = ("faulty.py", "onnxruntime", "--steps", "10", "--out", "found", "--json")
    ended = run_here("learn", *words, cwd=folder)
    assert ended.stdout, ended.stderr
    return ended.returncode, json.loads(ended.stdout), folder / "found"


def rows(data: dict[str, Any], task: str) -> dict[str, dict[str, Any]]:
    (own,) = (each for each in data["tasks"] if each["task"] == task)
    return {each["implementation"]: each for each in own["trainings"]}


@needs_sklearn
def test_a_fault_is_a_row_of_its_own_and_stops_nothing(
    learnt: tuple[int, dict[str, Any], Path],
) -> None:
    status, data, _ = learnt
    found = rows(data, "sentiment")
    assert status == 1
    assert found["drops_padding"]["passes"] is False
    assert (found["dies"]["status"], found["raises"]["status"]) == ("crashed", "failed")
    assert "too many rows" in found["raises"]["reason"]
    assert [found[name]["passes"] for name in ("naive", "sdpa_math", "sdpa_flash")] == [True] * 3


@needs_sklearn
def test_a_refusal_comes_in_words(learnt: tuple[int, dict[str, Any], Path]) -> None:
    found = rows(learnt[1], "digits")["onnxruntime"]
    assert (found["status"] in ("refused", "missing"), found["passes"]) == (True, None)
    assert found["reason"]


@needs_sklearn
def test_a_fault_of_the_mask_passes_where_nothing_is_padded(
    learnt: tuple[int, dict[str, Any], Path],
) -> None:
    assert rows(learnt[1], "digits")["drops_padding"]["passes"] is True


@needs_sklearn
def test_the_threshold_is_derived_from_the_losses_of_the_same_run(
    learnt: tuple[int, dict[str, Any], Path],
) -> None:
    data = learnt[1]
    for task in ("digits", "sentiment"):
        found = rows(data, task)
        honest = [found[name]["losses"] for name in ("naive", "sdpa_math", "sdpa_flash")]
        largest = max(
            abs(a - b)
            for one in honest
            for other in honest
            for a, b in zip(one, other, strict=True)
        )
        (own,) = (each for each in data["tasks"] if each["task"] == task)
        assert own["allowed"] == data["factor"] * largest


@needs_sklearn
def test_recall_is_learnt_with_every_mask(learnt: tuple[int, dict[str, Any], Path]) -> None:
    (own,) = (each for each in learnt[1]["tasks"] if each["task"] == "recall")
    assert [len(each["by_distance"]) for each in own["trainings"]] == [31, 31, 31]


@needs_sklearn
def test_page_charts_and_data_are_written(learnt: tuple[int, dict[str, Any], Path]) -> None:
    _, data, folder = learnt
    names = {path.name for path in folder.iterdir()}
    curves = {
        f"learning_{t}_{k}.png" for t in ("digits", "sentiment") for k in ("loss", "accuracy")
    }
    charts = {*curves, "recall_by_distance.png"}
    assert names == {"learning.html", "learning.json", *charts}
    assert json.loads((folder / "learning.json").read_text()) == data
    page = (folder / "learning.html").read_text("utf-8")
    assert "drops_padding fails the gate on sentiment" in page
    assert "default-src 'none'" in page


def test_without_scikit_learn_one_line_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(training, "find_spec", lambda _: None)
    ended = call("learn", monkeypatch=monkeypatch, capsys=capsys, cwd=tmp_path)
    assert ended.status == 2
    assert ended.stderr.count("\n") == 1
    assert "scikit-learn is not installed" in ended.stderr
    assert '".[models]"' in ended.stderr


@needs_sklearn
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--steps", "9"), "--steps is 9; expected 10 or more"),
        (("--dtype", "float32,bfloat16"), "--dtype has 2 values"),
        (("--threads", "1,2"), "--threads has 2 values"),
        (("sdpa_flsh",), "sdpa_flsh"),
    ],
)
def test_a_mistake_is_one_line(
    words: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ended = call("learn", *words, monkeypatch=monkeypatch, capsys=capsys, cwd=tmp_path)
    assert ended.status == 2
    assert said in ended.stderr
