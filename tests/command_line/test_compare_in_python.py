"""`run_bench.compare` as scripts and notebooks call it, and what it returns."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import run_bench
from reports.outputs.notebook import html, progress
from reports.outputs.notebook.comparing import compare
from reports.outputs.notebook.result import Result
from tests.command_line.program import ROOT

SCRIPT = """
import torch
from torch.nn.functional import scaled_dot_product_attention as sdpa
from run_bench import compare

PART = 0.5

def mine(q, k, v):
    return sdpa(q, k, v, is_causal=True)

def wrong(q, k, v):
    return PART * sdpa(q, k, v, is_causal=True)

if __name__ == "__main__":
    found = compare(
        {"mine": mine, "wrong": wrong, "flash": "sdpa_flash"}, "b1 h2 t64 d16 causal",
        sessions=2, threads=1, against="flash", out="page", save="main",
    )
    print(found)
    print(sorted(found.measurements.implementation), list(found.verdicts.implementation))
    print(dict(zip(found.agreement.implementation, found.agreement.status)))
    print(found.page, len(found.samples) > 4, len(found.own_inputs))
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    folder = tmp_path_factory.mktemp("script")
    (folder / "bench.py").write_text(SCRIPT)
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    return subprocess.run(
        [sys.executable, "bench.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_functions_of_a_script_are_compared_and_a_wrong_one_says_why(
    script: subprocess.CompletedProcess[str],
) -> None:
    assert (script.returncode, script.stderr) == (0, "")
    lines = script.stdout.splitlines()
    assert re.fullmatch(r"run problem-\d{8}-\d{6}(-\d+)?", lines[0])
    assert re.search(r"^wrong: wrong, query 0 .* with unequal weights", script.stdout, re.MULTILINE)
    assert lines[-3:] == [
        "['flash', 'mine'] ['mine']",
        "{'mine': 'ok', 'wrong': 'wrong', 'flash': 'ok'}",
        "page/report.html True 0",
    ]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("compare")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("COLUMNS", "120")
        return run_bench.compare(
            ["sdpa_flash", "naive"], ["h2 t64 d16", "h2 t96 d16"], sessions=2, threads=[1]
        )


def test_the_tables_are_frames(found: Result) -> None:
    assert len(found.measurements) == 4
    assert set(found.measurements.implementation) == {"sdpa_flash", "naive"}
    assert found.measurements.median_ms.min() > 0
    assert list(found.verdicts.implementation) == ["naive", "naive"]
    assert found.verdicts.ratio.notna().all()
    assert (found.agreement.status == "ok").all()
    assert found.agreement.relative_error.max() < 1e-5
    assert set(found.samples.session) == {1, 2}
    assert found.not_measured.empty
    assert found.page is not None


def test_the_command_of_the_run_repeats_it(found: Result) -> None:
    assert found._analysis.run.command == (
        "python run_bench.py run --impl sdpa_flash --impl naive --problem 'h2 t64 d16' "
        "--problem 'h2 t96 d16' --sessions 2 --threads 1"
    )


def test_a_notebook_shows_verdicts_and_charts_without_a_network(found: Result) -> None:
    text = found._repr_html_()
    assert "<td>naive</td>" in text
    assert "<th>verdict</th>" in text
    assert text.count("plotly.js v") == 1  # the library comes once
    assert text.count('class="plotly-graph-div"') >= 2
    without_scripts = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    sources = re.findall(r'(?:src|href)="?([^"> ]+)', without_scripts)
    assert [each for each in sources if not each.startswith("data:")] == []


def test_without_plotly_it_shows_images(found: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "find_spec", lambda _: None)
    image = Path(__file__).with_suffix(".png")
    assert "<img" not in html.of(found._analysis, [], None)
    real = [ROOT / "reports" / "examples" / "page.png"]
    text = html.of(found._analysis, real, image)
    assert 'alt="page" src="data:image/png;base64,' in text
    assert "plotly" not in text


def test_names_in_html_are_text(found: Result) -> None:
    text = html.of(found._analysis, [], Path("<b>page"))
    assert "&lt;b&gt;page" in text


@pytest.mark.parametrize(
    ("problems", "options", "said"),
    [
        ((), {}, "no problem; expected one of problems, suite=, inputs=: compare("),
        ("t32", {"suite": "quick"}, "problems and suite=; expected one of problems, suite=,"),
        ("t32", {"inputs": "a.pt"}, "problems and inputs=; expected one of problems, suite=,"),
        ("t32", {"sesions": 2}, "unknown option sesions=; did you mean sessions=? expected one of"),
        ("t32", {"impl": "naive"}, "unknown option impl=; expected one of"),
        ("t32", {"sessions": 0}, "--sessions is '0', expected a whole number from 1 to 1000"),
        ("t32", {"precision": "x"}, "--precision is 'x', expected a part of the time like 1%"),
        ("32", {}, "--problem is '32', problem '32': '32' is not understood"),
        ((), {"suite": "quik"}, "unknown suite 'quik'; did you mean 'quick'?"),
        ((), {"inputs": "gone.pt"}, "no file 'gone.pt'; expected one with q, k and v"),
    ],
)
def test_a_mistake_is_one_line_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problems: Any, options: Any, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=re.escape(said)) as raised:
        run_bench.compare("naive", problems, **options)
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_options_are_typed_as_on_the_command_line() -> None:
    from reports.outputs.notebook.comparing import _options

    given = {"threads": (1, 2), "tail": True, "sustained": False, "budget": None, "apart": ["a"]}
    assert _options({**given, "python": {"new": "/p"}, "precision": 0.01, "inputs": "c.pt"}) == {
        "--threads": "1,2",
        "--tail": "on",
        "--apart": ["a"],
        "--python": ["new=/p"],
        "--precision": "0.01",
        "--inputs": ["c.pt"],
    }


class Shown:
    """Stands for IPython.display: keeps every text of the one output."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def display(self, text: object, *, display_id: bool) -> Shown:
        assert display_id
        self.update(text)
        return self

    def update(self, text: object) -> None:
        self.texts.append(repr(text))


def test_progress_in_a_notebook_is_one_output_that_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = Shown()
    monkeypatch.setattr(progress, "import_module", lambda _: shown)
    monkeypatch.setattr(progress, "SHOWN_EVERY_S", 0.0)
    with progress.NotebookScreen() as screen:
        screen.phase("checking <4> implementations", 4)
    assert shown.texts[0] == "starting"
    assert shown.texts[1].startswith("checking <4> implementations, 0 of 4; 0 s so far")
    assert shown.texts[-1] == ""
    assert progress.Lines("a < b")._repr_html_() == "<pre>a &lt; b</pre>"


def test_a_script_is_no_notebook() -> None:
    assert not progress.in_notebook()
    assert type(progress.screen(quiet=False)).__name__ == "Screen"


def test_the_command_line_needs_no_compare_of_python() -> None:
    assert run_bench.compare is not compare
    assert run_bench.compare_.__doc__ is not None
    assert run_bench.compare_.__doc__.startswith("Compare two runs")
