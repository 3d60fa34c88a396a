"""The command `explain`: the steps as text, as a page and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command_line.program import call
from tests.reports.browser import draw_all, opened

SAID = {
    "chunked": ("The online softmax, block by block", "keys 4 to 7", "rescaling"),
    "naive": ("Attention by its definition", "The mask hides 66 of 144 scores", "exponential"),
    "local_window": ("computes 192 of 576 scores (33 %)", "3 to 11", "█ visible"),
    "multi_head": ("[1, 4, 12, 8]", "1,024", "80 %"),
}
FILES = {
    "chunked": {"online_softmax.png", "online_softmax_weights.png"},
    "naive": {"naive_attention.png"},
    "local_window": {"window_strips.png"},
    "multi_head": set[str](),
}


@pytest.mark.browser
@pytest.mark.parametrize("name", SAID)
def test_a_method_is_explained_in_text_and_on_a_page(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = call("explain", name, monkeypatch=monkeypatch, capsys=capsys, cwd=tmp_path)
    assert not ended.status, ended.stderr
    for words in SAID[name]:
        assert words in ended.stdout
    folder = tmp_path / "results" / f"explain-{name}"
    assert {path.name for path in folder.iterdir()} == {"explanation.html", *FILES[name]}
    assert ended.stdout.splitlines()[-1] == f"results/explain-{name}/explanation.html"
    with opened(folder / "explanation.html") as seen:
        draw_all(seen)
        assert seen.complaints == []
        assert len(seen.requests) == 1


def test_json_has_every_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("explain", "chunked", "--block", "5", "--query", "7", "--json")
    ended = call(*words, monkeypatch=monkeypatch, capsys=capsys, cwd=tmp_path)
    found = json.loads(ended.stdout)
    assert [(step["first"], step["end"]) for step in found["steps"]] == [(0, 5), (5, 10), (10, 12)]
    assert (found["query"], found["block"]) == (7, 5)
    assert found["difference"] < 1e-15


def test_a_query_without_a_key_has_no_chart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("explain", "chunked", "--problem", "b1 h1 t12/5 d8 causal", "--query", "2")
    ended = call(*words, monkeypatch=monkeypatch, capsys=capsys, cwd=tmp_path)
    assert not ended.status, ended.stderr
    assert "The query sees no key: its sum is 0, and its output is 0." in ended.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("flex",), "no explanation of 'flex'; expected one of chunked, naive"),
        (("chunked", "--block", "0"), "Invalid value for '--block'"),
        (("chunked", "--out", "/proc/nowhere"), "cannot be written to /proc/nowhere"),
    ],
)
def test_a_mistake_is_one_line_and_status_two(
    words: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ended = call("explain", *words, monkeypatch=monkeypatch, capsys=capsys, cwd=tmp_path)
    assert (ended.status, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert said in line
