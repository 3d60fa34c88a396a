"""Steps of models on the page, in the terminal, as markdown and in exports."""

from __future__ import annotations

import io
import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyarrow import parquet
from rich.console import Console

from reports.analysis.in_models import COLUMNS, LAYER_COLUMNS, in_model_columns, in_models
from reports.analysis.run_analysis import Analysis
from reports.outputs.export.export import export
from reports.outputs.html.page import page
from reports.outputs.markdown.run import of_run
from reports.outputs.png.files import draw
from reports.outputs.terminal.run_tables import summary
from reports.views.charts.in_models import KEY, in_model_charts
from suites.records.codec import to_data
from suites.records.store import Store
from tests.models_run import PREFILL, STEPS, TRAINING, models_run
from tests.reports.outputs.rendered import rendered
from tests.saved_run import small_run, stored

ALONE = "b1 h8/2 t256 d64 causal fp32"


def terminal(analysis: Analysis, width: int = 80, *, every: bool = False) -> str:
    kept = io.StringIO()
    Console(file=kept, width=width).print(*summary(analysis, every=every), sep="\n")
    return kept.getvalue()


def words(said: str) -> str:
    return " ".join(said.split())


def test_the_page_has_the_section_the_folded_layers_and_the_terms() -> None:
    html = page(Analysis(*models_run()))
    _, _, after = html.partition('<section id="in-models">')
    own, _, rest = after.partition('<section id="models">')
    assert "Models by implementations" in own
    assert "What it saves of the baseline" in own
    assert "20 %, 1.25x" in own
    _, _, layers = rest.partition('<section id="model-layers">')
    assert "Show the layers" in layers.partition("</section>")[0]
    assert 'id="term-share-of-attention"' in html
    assert "Time of model steps" in html
    assert "Time of attention" not in re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)


def test_the_page_of_a_run_without_models_has_nothing_of_them() -> None:
    html = page(Analysis(*small_run()))
    for absent in ("in-models", "model-layers", "share of attention", "Model steps"):
        assert absent not in html


def test_the_terminal_has_the_savings_and_what_attention_does_not_explain() -> None:
    said = terminal(Analysis(*models_run([PREFILL, TRAINING])))
    assert max(map(len, said.splitlines())) <= 80
    assert "What it saves of a model's step" in said
    assert re.search(r"\n  naive +33 % +-20 % +-20 % \[-20, -20\]", said)
    assert "is less than the 10 % by its attention" in words(said)
    assert "What it saves" not in terminal(Analysis(*small_run()))


def test_a_narrow_terminal_cuts_no_figure() -> None:
    said = terminal(Analysis(*models_run([PREFILL])), 40)
    assert max(map(len, said.splitlines())) <= 40
    assert "-30 % [-30, -30]" in said


def test_the_terminal_shows_calls_and_steps_in_tables_of_their_own() -> None:
    said = terminal(Analysis(*models_run([ALONE, PREFILL])))
    assert "Time of attention, ms" in said
    assert "Time of model steps, ms" in said
    assert "Also measured" not in said


def test_many_rows_are_counted_in_the_terminal() -> None:
    problems = [f"b1 h8 t{length} d64 causal fp32 model:llama" for length in range(64, 74)]
    analysis = Analysis(*models_run(problems))
    assert "6 more rows: see --all." in terminal(analysis)
    assert "more rows: see --all" not in terminal(analysis, every=True)


def test_markdown_has_the_savings_folded() -> None:
    made = of_run(Analysis(*models_run([PREFILL])))
    times, savings = rendered(made).tables
    assert times[1][0] == "sdpa"
    assert savings[0] == [
        *("problem", "implementation", "share of attention", "at most", "by its attention"),
        "measured [95 %]",
    ]
    assert savings[2][:5] == ["llama, prefill", "naive", "33 %", "20 %, 1.25x", "-20 %"]
    assert "What it saves of a model's step" in made.partition("<details>")[2]
    assert "What it saves" not in of_run(Analysis(*small_run()))


def test_the_chart_is_drawn_as_a_file(tmp_path: Path) -> None:
    analysis = Analysis(*models_run([PREFILL, TRAINING]))
    (file,) = draw(in_model_charts(analysis, in_models(analysis)), tmp_path)
    assert file.name == f"{KEY}.png"
    assert file.stat().st_size > 10_000


def test_exports_have_the_rows_unrounded_and_the_layers(tmp_path: Path) -> None:
    run, records = models_run()
    rows = list(map(in_model_columns, in_models(Analysis(run, records))))
    for name in ("csv", "json"):
        export(stored(run, records), run, name, tmp_path / f"run.{name}")
    data = json.loads((tmp_path / "run.json").read_text())
    assert data["in_models"] == rows
    assert len(data["layers"]) == 2 * len(STEPS)
    table = pd.read_csv(tmp_path / "run-in-models.csv", keep_default_na=False)
    assert tuple(table.columns) == COLUMNS
    assert [float(each) for each in table["step_ms"]] == [row["step_ms"] for row in rows]
    layers = pd.read_csv(tmp_path / "run-layers.csv", keep_default_na=False)
    assert tuple(layers.columns) == LAYER_COLUMNS


def test_exports_of_a_run_without_models_have_no_such_file(tmp_path: Path) -> None:
    run, records = small_run()
    written = export(stored(run, records), run, "csv", tmp_path / "run.csv")
    assert [file.name for file in written] == ["run.csv", "run-samples.csv"]
    export(stored(run, records), run, "json", tmp_path / "run.json")
    data = json.loads((tmp_path / "run.json").read_text())
    assert data["in_models"] == data["layers"] == []


def test_parquet_holds_the_times_of_attention_and_the_panel(tmp_path: Path) -> None:
    run, records = models_run([ALONE, TRAINING])
    (file,) = export(stored(run, records), run, "parquet", tmp_path / "run.parquet")
    found = parquet.read_table(file).to_pylist()
    assert [row["in_model"] for row in found] == [to_data(each)["in_model"] for each in records]
    assert any(row["in_model"] for row in found)
    assert {(row["model"], row["panel"]) for row in found} == {
        ("", "attention"),
        ("bert", "models"),
    }


@pytest.mark.parametrize(
    "damaged",
    [
        {},
        {"step_ms": None, "attention_ms": 1.0, "layers": []},
        {"step_ms": 1.0, "attention_ms": -1.0, "layers": []},
        {"step_ms": 1.0, "attention_ms": 1.0, "layers": None},
        {"step_ms": 1.0, "attention_ms": 1.0, "layers": [{"layer": "a", "calls": 1}]},
        {
            "step_ms": 1.0,
            "attention_ms": 1.0,
            "layers": [{"layer": "a", "calls": 1, "forward_ms": 1.0, "backward_ms": -1.0}],
        },
    ],
)
def test_parquet_of_a_damaged_record_says_failed(damaged: dict[str, Any], tmp_path: Path) -> None:
    run, records = models_run([PREFILL], names=("sdpa",), sessions=1)
    store = Store.open(f"sqlite:///{tmp_path / 'bench.db'}")
    store.begin(run)
    store.add(run.name, *records)
    data = json.dumps(to_data(records[-1]) | {"in_model": damaged})
    with sqlite3.connect(tmp_path / "bench.db") as connection:
        connection.execute("update records set data = ? where id = ?", (data, len(records)))
    (file,) = export(store, run, "parquet", tmp_path / "run.parquet")
    found = parquet.read_table(file).to_pylist()
    assert [row["status"] for row in found] == ["ok", "failed"]


def test_the_store_keeps_the_times_of_attention() -> None:
    run, records = models_run()
    assert stored(run, records).records(run.name) == records
