"""The end of a run in a terminal: short, the answer last, and everything on demand."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from impls.interface import Limits
from reports.analysis.run_analysis import Analysis
from reports.outputs.reporting import report
from reports.outputs.terminal import run_tables
from reports.outputs.terminal.grid_tables import fastest_first
from reports.views.disturbance import DEFINITION
from reports.views.grids import time_grid
from suites.records.plan import Entry
from suites.records.record import Conditions, Record
from suites.records.store import Run
from suites.request.suites import named
from tests.saved_run import PROBLEMS, entries, over_budget, small_run, two

ANY = (Limits(),)
OTHERS = (
    Entry(name="linear", limits=ANY, panel="dense_linear (linear.py)"),
    Entry(name="performer", limits=ANY, panel="approximations"),
    Entry(name="int8_attention", limits=ANY, panel="approximations"),
)


def like_quick(*, faults: bool = False) -> tuple[Run, list[Record]]:
    """The problems of the suite quick with all panels; one implementation is wrong on request."""
    own = tuple(e for e in entries() if faults or e.name != "off_by_one")
    problems = tuple(named("quick").problems(("cpu",)))
    run, records = small_run(
        problems=problems, made=(*own, *OTHERS), sessions=5, baseline="sdpa_flash"
    )
    slow = ("flex", "compiled", "onnxruntime", "openvino")
    return replace(run, plan=replace(run.plan, left_out=slow)), records


def text_of(
    analysis: Analysis, width: int = 80, *, every: bool = False, coloured: bool = False
) -> str:
    kept = io.StringIO()
    console = Console(
        file=kept,
        width=width,
        force_terminal=coloured,
        color_system="standard" if coloured else None,
    )
    console.print(*run_tables.summary(analysis, every=every), sep="\n", crop=False)
    return kept.getvalue()


def words_of(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("faults", [False, True])
def test_a_run_of_quick_takes_at_most_60_lines_and_ends_with_the_page(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    faults: bool,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    report(*like_quick(faults=faults), tmp_path, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 60, "\n".join(lines)
    assert lines[-1] == str(tmp_path / "report.html")
    assert max(map(len, lines[:-2])) <= 80
    answered = [n for n, line in enumerate(lines) if line.startswith(("full: ", "window:128: "))]
    assert len(answered) == 2
    assert answered[0] >= len(lines) - 15


@pytest.mark.parametrize("width", [40, 80, 160])
def test_the_end_reads_the_same_at_every_width(width: int) -> None:
    text = text_of(Analysis(*like_quick(faults=True)), width)
    assert max(map(len, text.splitlines())) <= width
    words = words_of(text)
    parts = [
        "Time of attention, ms (b1 d64 fp32 cpu)",
        "Memory of attention, MiB above the inputs (b1 d64 fp32 cpu)",
        "Also measured: 2 layers, 1 other function, 2 approximations (see --all).",
        "Refused: 18 of 143 answers, of local_window and xformers (see --all).",
        "Missing: 11 of 143 answers, of flash_attn: No module named 'flash_attn'.",
        "Left out, because their set-up takes longer than a second: flex, compiled, ",
        "were disturbed; ",
        DEFINITION,
        "off_by_one is wrong on b1 h4 t128 d64 full fp32 cpu and 10 more problems",
        "out: 41 times what rounding explains; query 17 sees keys 9..17, not 10..17",
        "full: use sdpa_flash at every size; at T = 2,048 with 4 heads next is ",
        "window:128: use ",
        "layers: use multi_head on all 11 problems; ",
        "Noise here: identical code differed by ",
    ]
    places = [words.find(part) for part in parts]
    assert -1 not in places, dict(zip(parts, places, strict=True))
    assert places == sorted(places)


def test_a_table_too_wide_is_broken_and_the_fastest_come_first() -> None:
    made = tuple(Entry(name=n, limits=ANY) for n in ("naive", "chunked", "sdpa_math", "sdpa_flash"))
    analysis = Analysis(*small_run(problems=PROBLEMS[:2], made=made))
    heads = [
        line.split()[1:]
        for line in text_of(analysis, 30).splitlines()
        if line.startswith("problem ")
    ]
    assert len(heads) > 2
    assert heads[0][0] == "flash"  # the second line of the folded head
    wide = next(line for line in text_of(analysis).splitlines() if line.startswith("problem "))
    assert wide.split() == ["problem", "sdpa_flash", "chunked", "sdpa_math", "naive"]


def test_columns_without_a_time_are_last() -> None:
    made = tuple(Entry(name=name, limits=ANY) for name in ("other", "naive", "sdpa_flash"))
    run, records = small_run(problems=PROBLEMS[:2], made=made)
    kept = [r for r in records if r.implementation != "other"]
    grid = time_grid(Analysis(run, kept), panel="attention")
    ordered = fastest_first(grid, grid)
    assert ordered.columns == ("sdpa_flash", "naive", "other")
    moved = [tuple(row.cells[at] for at in (2, 1, 0)) for row in grid.rows]
    assert [row.cells for row in ordered.rows] == moved


def test_everything_is_printed_on_demand() -> None:
    analysis = Analysis(*like_quick(faults=True))
    short, words = words_of(text_of(analysis)), words_of(text_of(analysis, every=True))
    for part in (
        "Time of layers, ms",
        "Time of approximations, ms",
        "Error of approximations",
        "Time of functions like dense_linear",
        "Attention against sdpa_flash",
        "Not measured",
        "device cpu: runs on cuda",
        "Where nothing differs, 5 % of intervals exclude 1",
        "inside calls of implementations",
        "comparisons: ",
    ):
        assert part in words, part
        assert part not in short, part
    assert "see --all" not in words


def test_faults_are_red_with_cause_and_cure_and_many_are_counted() -> None:
    made = tuple(Entry(name=f"bad_{place}", limits=ANY) for place in range(7))
    run, records = small_run(problems=PROBLEMS[:1], made=(Entry(name="base", limits=ANY), *made))
    wrong = [
        Record(
            session=0, problem=PROBLEMS[0], implementation=e.name, status="wrong",
            cause="wrong_output", reason=f"{e.name} sees key 0", cure="use tril(Tk - Tq)",
        )
        for e in made
    ]  # fmt: skip
    analysis = Analysis(run, [*(r for r in records if r.implementation == "base"), *wrong])
    text = text_of(analysis, coloured=True)
    assert f"\x1b[1;31mbad_0 is wrong on {PROBLEMS[0]}\x1b[0m" in text
    lines = [re.sub(r"\x1b\[[\d;]*m", "", line).rstrip() for line in text.splitlines()]
    place = lines.index(f"bad_0 is wrong on {PROBLEMS[0]}")
    assert lines[place + 1 : place + 3] == ["  bad_0 sees key 0", "  cure: use tril(Tk - Tq)"]
    assert "2 more faults: --all has them" in lines
    assert "bad_6 sees key 0" not in text
    assert "bad_6 sees key 0" in text_of(analysis, every=True)


def test_the_panel_of_a_named_implementation_is_shown() -> None:
    run, records = like_quick()
    plan = replace(run.plan, named=("multi_head",))
    words = words_of(text_of(Analysis(replace(run, plan=plan), records)))
    assert "Time of layers, ms" in words
    assert "Time of attention, ms" not in words
    assert "Also measured: 5 attention implementations, 1 other function, 2 approx" in words


def test_a_named_implementation_without_a_time_keeps_its_reasons() -> None:
    run, records = like_quick()
    plan = replace(run.plan, named=("xformers", "naive"))
    words = words_of(text_of(Analysis(replace(run, plan=plan), records)))
    assert "xformers refused 11 device cpu: runs on cuda" in words
    assert "Refused: 7 of 132 answers, of local_window (see --all)." in words


def test_the_panel_of_a_baseline_that_is_compared_across_panels_is_shown_too() -> None:
    run, records = like_quick()
    plan = replace(run.plan, named=("multi_head",), across=True)
    words = words_of(text_of(Analysis(replace(run, plan=plan), records)))
    assert "Time of layers, ms" in words
    assert "Time of attention, ms" in words


def test_few_verdicts_stay_row_by_row_and_many_are_left_to_the_answer() -> None:
    few = words_of(text_of(Analysis(*small_run(problems=PROBLEMS[:3]))))
    assert "Attention against naive" in few
    assert "faster" in few
    many = words_of(text_of(Analysis(*small_run(problems=PROBLEMS[:5]))))
    assert len(Analysis(*small_run(problems=PROBLEMS[:5])).verdicts) > run_tables.FEW_ROWS
    assert "Attention against naive" not in many


def test_a_withheld_verdict_is_named_with_its_reason() -> None:
    run, records = two(0.9)
    late = Conditions(disturbed=("waited", "waited", "", "", ""))
    parts = (2, 2, 1.4, 1, 1)

    def slower(record: Record) -> Record:
        each = zip(parts, record.times_ms, strict=True)
        times = tuple(p * t for p, t in each) if record.implementation == "other" else None
        return replace(record, times_ms=times or record.times_ms, conditions=late)

    made = [slower(r) if r.times_ms else r for r in records]
    words = words_of(text_of(Analysis(run, made)))
    assert "10 of 25 rounds were disturbed; with all rounds the ratio is 1.26" in words
    assert "the verdict is withheld." in words
    assert f"other on {PROBLEMS[1]}: withheld: all rounds give the ratio 1.26." in words


@pytest.mark.parametrize("count", [1, 18])
def test_without_a_time_the_reasons_are_listed(count: int) -> None:
    refusing = tuple(each for each in entries() if each.name == "xformers")
    words = words_of(text_of(Analysis(*small_run(problems=PROBLEMS[:count], made=refusing))))
    assert "No time was taken in this run." in words
    assert f"xformers refused {count} device cpu: runs on cuda" in words


def test_the_answers_of_a_state_are_counted_with_the_names_of_few() -> None:
    run, records = small_run(problems=PROBLEMS[:2], made=entries()[:4])
    late = [over_budget(problem, "naive") for problem in PROBLEMS[:2]]
    kept = [r for r in records if r.implementation != "naive"]
    words = words_of(text_of(Analysis(run, [*kept, *late])))
    assert "Not reached: 2 of 8 answers, of naive (see --all)." in words
    assert "Refused: 2 of 8 answers, of local_window (see --all)." in words


def test_one_problem_has_its_verdicts_row_by_row() -> None:
    analysis = Analysis(*small_run(problems=PROBLEMS[:1]))
    lines = [words_of(line) for line in text_of(analysis).splitlines()]
    assert f"Attention against naive ({PROBLEMS[0]})" in lines
    assert any(line.startswith("chunked 0.592 [0.592, 0.593] faster") for line in lines)
    assert not any(line.startswith("torch_multi_head") for line in lines)
