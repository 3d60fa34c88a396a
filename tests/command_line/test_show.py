"""The command `show`: sentence, text, page and images; failures and mistakes in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.command_line.program import RIGHT, call, run_here
from tests.reports.browser import draw_all, opened

SHIFTED = RIGHT.replace("def mine", "def shifted").replace(
    "torch.arange(k.shape[2]))", "torch.arange(k.shape[2]) - 1)"
)
CRASHES = """
import os

def crashes(q, k, v, *, mask, scale):
    os.abort()
"""
HANGS = """
def hangs(q, k, v, *, mask, scale):
    while True:
        pass
"""
TEXT = "b1 h2 t12 d8 causal"


@pytest.mark.browser
def test_an_implementation_that_agrees_is_drawn_in_text_on_a_page_and_as_images(
    tmp_path: Path,
) -> None:
    ended = run_here("show", "chunked", "--problem", TEXT, "--threads", "1", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    first, *rest = ended.stdout.splitlines()
    assert first.startswith("chunked agrees with the reference: the largest difference")
    assert "query 11" in ended.stdout
    assert "The weights of a query sum to 1." in ended.stdout
    folder = tmp_path / "results" / "show-chunked"
    names = ["weights_row_0_head_0.png", "weights_row_0_head_1.png", "weights.html"]
    assert rest[-3:] == [f"results/show-chunked/{name}" for name in names]
    assert {path.name for path in folder.iterdir()} == set(names)
    page = folder / "weights.html"
    assert page.stat().st_size < 7_000_000
    with opened(page) as seen:
        draw_all(seen)
        assert seen.complaints == []
        assert len(seen.requests) == 1
        assert seen.view.title() == "Attention weights of chunked, b1 h2 t12 d8 causal fp32 cpu"
        kinds = "[...document.querySelectorAll('.chart')].map(c => c.data.map(t => t.type))"
        assert seen.view.evaluate(kinds) == [["heatmap"] * 3] * 2
        hidden = "document.querySelector('.chart').data[0].z[0][1]"
        assert seen.view.evaluate(hidden) is None


def test_a_shifted_mask_is_seen_in_the_sentence_and_marked_on_the_page(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(SHIFTED)
    ended = run_here("show", "own.py", "--problem", TEXT, "--json", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    found = json.loads(ended.stdout)
    worst = found["deviations"][0]["worst"]
    assert worst["key"] == worst["query"] + 1
    assert found["answer"].startswith(
        f"shifted differs from the reference: query {worst['query']} gives weight "
    )
    assert f"to key {worst['key']}, which the mask causal hides" in found["answer"]
    with opened(tmp_path / "results" / "show-shifted" / "weights.html") as seen:
        draw_all(seen)
        assert seen.complaints == []
        charts = "[...document.querySelectorAll('.chart')]"
        marked = f"{charts}.flatMap(c => c.data.slice(3).map(t => t.y[0]))"
        assert seen.view.evaluate(marked) == [worst["query"]] * 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (CRASHES, "crashes gave no weights on b1 h2 t12 d8 causal fp32 cpu: crashed: the process"),
        (HANGS, "hangs gave no weights on b1 h2 t12 d8 causal fp32 cpu: timed_out: "),
    ],
)
def test_a_failure_is_one_line_and_status_one(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(text)
    ended = run_here("show", "own.py", "--problem", TEXT, "--time-limit", "2", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith(said)
    assert not list(tmp_path.glob("results/*"))


def test_a_layer_has_no_weights_to_show(tmp_path: Path) -> None:
    ended = run_here("show", "multi_head", cwd=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.endswith("mix the values, so that no output is the weight of one key\n")


def test_the_users_own_queries_and_keys_are_shown(tmp_path: Path) -> None:
    q = torch.zeros(1, 1, 5, 4)
    torch.save({"q": q, "k": q, "v": q, "problem": "causal"}, tmp_path / "call.pt")
    ended = run_here("show", "naive", "--inputs", "call.pt", "--json", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    (head,) = json.loads(ended.stdout)["heads"]
    assert head["weights"][3] == pytest.approx([0.25, 0.25, 0.25, 0.25, 0.0])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("sdap",), "unknown implementation 'sdap'; did you mean 'sdpa"),
        (("naive", "--problem", "12 tokens"), "not understood"),
        (("naive", "--problem", TEXT, "--problem", "t9"), "2 problems to show; expected one"),
        (("naive", "--problem", "t8 train"), "is in training, and show reads a forward pass"),
        (
            ("naive", "--problem", "b1 h8 t4096 d64"),
            "has 134,217,728 weights, and show reads every",
        ),
        (("local_window", "--problem", TEXT), "local_window refuses b1 h2 t12 d8 causal"),
        (("naive", "--inputs", "none.pt"), "no file 'none.pt'"),
        (("naive", "--problem", TEXT, "--inputs", "none.pt"), "no file 'none.pt'"),
        (("naive", "--out", "/proc/nowhere"), "cannot be written to /proc/nowhere"),
        (("naive", "--sessions", "3"), "No such option: --sessions"),
    ],
)
def test_a_mistake_is_one_line_and_status_two(
    words: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ended = call("show", *words, monkeypatch=monkeypatch, capsys=capsys, cwd=tmp_path)
    assert (ended.status, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert said in line
    assert not (tmp_path / "results").exists()
