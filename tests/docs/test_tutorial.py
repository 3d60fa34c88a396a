"""The pages of docs/tutorial: their code runs, their commands parse, their figures are stored."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from statistics import median
from typing import Final

import pytest
import torch
from pyarrow import parquet

from tests.command_line.program import call

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / "docs" / "tutorial"
PAGES: Final = sorted(FOLDER.glob("[1-9]-*.md"))
TEXTS: Final = {page.name: page.read_text() for page in (*PAGES, FOLDER / "README.md")}


def code_of(name: str) -> str:
    found = re.findall(r"\n```python\n(.*?)\n```", TEXTS[name], re.DOTALL)
    assert len(found) == 1
    return str(found[0])


def run(code: str, name: str) -> None:
    with torch.random.fork_rng(devices=[]):
        exec(compile(code, name, "exec"), {"__name__": "__main__"})  # noqa: S102 - a page's own code


@pytest.mark.parametrize("name", [page.name for page in PAGES])
def test_the_code_of_a_page_runs(name: str) -> None:
    run(code_of(name), name)


WRONG: Final = (
    ("1-principle.md", " / math.sqrt(q.shape[-1])", ""),
    ("1-principle.md", "scores.masked_fill(~mask, -math.inf)", "scores"),
    ("1-principle.md", "weights.masked_fill(~mask, 0.0)", "weights"),
    ("2-transformer.md", "            tgt_mask=future,", "#"),
    ("2-transformer.md", "            src_key_padding_mask=hidden,", "#"),
    ("2-transformer.md", "            memory_key_padding_mask=hidden,", "#"),
    ("2-transformer.md", "with_sinusoids(self.source(source))", "self.source(source)"),
    ("2-transformer.md", "nn.Embedding(source_words, width)", "nn.Embedding(width, source_words)"),
    ("2-transformer.md", "nn.Linear(width, target_words)", "nn.Linear(target_words, width)"),
    ("3-costs.md", "k[:, :, : t + 1]", "k[:, :, : t + 2]"),
    ("4-language.md", "x = x + self.attention(x, mask=padding)", "x = x + 0.0"),
    ("4-language.md", "with_sinusoids(self.embedding(words))", "self.embedding(words)"),
    ("4-language.md", "mask=padding)", "mask=Mask())"),
    ("4-language.md", "(x * seen[:, :, None]).sum(1) / seen.sum(1, keepdim=True)", "x.mean(1)"),
    ("5-heads-positions-windows.md", "rotated(k, 100)", "rotated(k, 101)"),
    ("5-heads-positions-windows.md", 'positions="rotary"', 'positions="none"'),
    ("6-vision.md", "stride=patch)", "stride=patch - 1)"),
    ("6-vision.md", "self.encoder(x)[:, 0]", "x[:, 0]"),
    ("7-next.md", "elu(q) + 1, elu(k) + 1", "elu(q) + 1, elu(k) + 2"),
    ("7-next.md", '"window:8", "causal") == 64', '"window:8", "window:9") == 64'),
)
"""Page, right code and wrong code: the assertions of the page must fail with it."""


@pytest.mark.parametrize(("name", "right", "wrong"), WRONG)
def test_the_assertions_of_a_page_find_a_fault(name: str, right: str, wrong: str) -> None:
    code = code_of(name)
    assert code.count(right) == 1
    with pytest.raises((AssertionError, IndexError, RuntimeError)):
        run(code.replace(right, wrong), name)


def commands(name: str) -> list[str]:
    blocks = re.findall(r"\n```sh\n(.*?)```", TEXTS[name], re.DOTALL)
    inline = re.findall(r"`(python run_bench\.py [^`]+)`", TEXTS[name])
    return [*"".join(blocks).splitlines(), *inline]


ALL: Final = [(name, line) for name in TEXTS for line in commands(name)]


@pytest.mark.parametrize(("name", "line"), ALL)
def test_every_command_of_a_page_is_understood(
    name: str,
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = shlex.split(line)[2:]
    if words[0] not in ("check", "list"):
        words[1:1] = ["--out", "/proc/nowhere"]
    files = [word for word in words if word.endswith(".py")]
    assert all(f"`{file}`" in TEXTS[name] for file in files)
    ended = call(*words, monkeypatch=monkeypatch, capsys=capsys, cwd=tmp_path)
    if words[0] == "list":
        assert not ended.status
        return
    assert ended.status == 2
    assert re.search(
        r"cannot be written to /proc/nowhere|no file '\w+\.py'|\w+\.py does not exist", ended.stderr
    ), ended.stderr


@pytest.mark.parametrize("name", TEXTS)
def test_every_link_of_a_page_leads_to_a_file_and_its_heading(name: str) -> None:
    for target, heading in re.findall(r"\]\((?!http)([^)#]+)#?([^)]*)\)", TEXTS[name]):
        path = FOLDER / target
        assert path.exists(), target
        assert not heading or heading in headings(path), f"{target}#{heading}"


def headings(path: Path) -> list[str]:
    """Anchors of a page, as GitHub makes them."""
    lines = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_short_and_has_one_small_figure_and_its_command(page: Path) -> None:
    text = TEXTS[page.name]
    assert text.count("\n") <= 120
    figures = re.findall(r"!\[.+?\]\((.+?\.png)\)", text)
    assert len(figures) == 1
    figure = (FOLDER / figures[0]).resolve()
    assert figure.parent != FOLDER or figure.stat().st_size < 150_000
    assert text.count("\n```sh\n") == 1
    assert f"({page.name})" in TEXTS["README.md"]


def test_no_figure_is_left_over() -> None:
    shown = {name for text in TEXTS.values() for name in re.findall(r"\(([^/)]+\.png)\)", text)}
    assert {path.name for path in FOLDER.glob("*.png")} == shown


@pytest.mark.parametrize("name", TEXTS)
def test_a_sentence_has_at_most_twenty_words(name: str) -> None:
    prose = re.sub(r"\n```.*?\n```|\n\$\$.*?\$\$", "\n", TEXTS[name], flags=re.DOTALL)
    prose = re.sub(r"^[|<!#].*$", "", prose, flags=re.MULTILINE)
    prose = re.sub(r"\]\([^)]*\)|\*\*", "", re.sub("`[^`]*`", "code", prose))
    for part in re.split(r"\n\n|\n\* ", prose):
        for sentence in re.split(r"[.?](?:\s|$)", part.replace("\n", " ")):
            assert len(re.findall(r"[\w²]+", sentence)) <= 20, sentence


def test_the_times_and_bytes_of_the_pages_are_those_of_the_committed_run() -> None:
    cells = "|".join(TEXTS.values())
    rows = re.findall(r"^\| `(\S+)` \| `(b1 [^`]+)` \| (\S+) \| (\S+) \|$", cells, re.MULTILINE)
    assert len(rows) == 7
    columns = ["problem", "implementation", "times_ms", "peak_bytes"]
    path = ROOT / "reports" / "examples" / "records.parquet"
    records = parquet.read_table(path, columns=columns).to_pylist()
    for name, problem, ms, mebibytes in rows:
        own = [r for r in records if (r["implementation"], r["problem"]) == (name, problem)]
        times = [median(r["times_ms"]) for r in own if r["times_ms"]]
        peak = next(r["peak_bytes"] for r in own if r["peak_bytes"] is not None)
        assert (ms, mebibytes) == (f"{median(times):.3g}", f"{peak / 2**20:.3g}")


def test_the_main_page_links_to_the_tutorial() -> None:
    assert "(docs/tutorial/README.md)" in (ROOT / "README.md").read_text()
