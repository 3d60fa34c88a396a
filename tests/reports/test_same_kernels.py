"""Which implementations ran the same kernel, in rows and in the tables made of them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from impls.interface import Problem
from reports.analysis.candidates import candidate_rows, score
from reports.analysis.ranking.dispatch import Dispatch, dispatch
from reports.analysis.run_analysis import Analysis
from reports.outputs.export.export import export
from reports.outputs.export.judged_lines import of_candidate
from reports.outputs.html.page import page
from reports.outputs.markdown.run import of_run
from reports.outputs.terminal.run_tables import summary
from reports.rows.kernels import kernel_names
from reports.rows.measurements import measurement_columns
from reports.views import answer, judged, kernels
from reports.views.charts.ranking import rankings_charts
from reports.views.grids import time_grid
from reports.views.tables import measurement_table, verdict_tables
from reports.views.verdicts import conclusions
from suites.records.kernels import UNSEEN, Kernel
from suites.records.record import CHECK, Record
from tests.reports.analysis.ranking.made import entry, linear, made, problems, square
from tests.saved_run import stored

SHAPES = "8x512x64, 8x512x64, 8x512x64"
FLASH = Kernel(name="aten::_flash_attention_forward", share=0.9, calls=1, variant=SHAPES)
MASKED = replace(FLASH, variant=f"{SHAPES}, 512x512")
PRODUCTS = Kernel(name="aten::bmm", share=0.8, calls=2)
COPY = Kernel(name="aten::copy_", share=0.1, calls=3)
ONE = problems((512,))
LENGTHS = (128, 256, 512, 1024, 2048)
TIMES = {"flash": linear(1.0), "mine": linear(0.9), "slow": linear(3.0)}
RAN = {"flash": (FLASH,), "mine": (COPY, FLASH), "slow": (PRODUCTS,)}


def with_kernels(
    ran: Mapping[str, tuple[Kernel, ...]], fallback: Mapping[str, str] | None = None
) -> Callable[[Record], Record]:
    def change(record: Record) -> Record:
        if record.session != CHECK:
            return record
        return replace(
            record,
            kernels=ran.get(record.implementation, ()),
            fallback=(fallback or {}).get(record.implementation, ""),
        )

    return change


def analysis(
    ran: Mapping[str, tuple[Kernel, ...]] = RAN,
    asked: list[Problem] = ONE,
    times: Mapping[str, Callable[[Problem], float]] = TIMES,
    baseline: str = "flash",
    fallback: Mapping[str, str] | None = None,
) -> Analysis:
    return made(asked, dict(times), change=with_kernels(ran, fallback), baseline=baseline)


def same(found: Analysis) -> dict[str, str]:
    return {row.implementation: row.same_kernel for row in found.measurements if row.same_kernel}


def test_the_baseline_stands_for_all_that_ran_its_kernel() -> None:
    assert same(analysis()) == {"mine": "flash"}
    assert same(analysis(baseline="mine")) == {"flash": "mine"}


def test_without_the_baseline_the_first_in_the_plan_does() -> None:
    assert same(analysis(baseline="slow")) == {"mine": "flash"}


@pytest.mark.parametrize("other", [(MASKED,), (FLASH, PRODUCTS), (), (COPY,), (PRODUCTS,)])
def test_other_kernels_are_not_the_same(other: tuple[Kernel, ...]) -> None:
    assert same(analysis({**RAN, "mine": other})) == {}


def test_products_and_softmax_in_two_implementations_are_not_the_same_kernel() -> None:
    assert same(analysis(dict.fromkeys(TIMES, (PRODUCTS,)))) == {}


def test_layers_are_compared_within_their_panel_only() -> None:
    own = (entry("flash"), entry("mine", panel="layers"), entry("slow"))
    found = made(ONE, dict(TIMES), made=own, change=with_kernels(RAN), baseline="flash")
    assert same(found) == {}


def test_an_implementation_without_times_stands_for_none() -> None:
    def change(record: Record) -> Record | None:
        ran = with_kernels({**RAN, "slow": (FLASH,)})
        return None if record.implementation == "flash" else ran(record)

    found = made(ONE, dict(TIMES), change=change, baseline="flash")
    assert same(found) == {"slow": "mine"}


def test_only_one_of_them_is_ranked_and_the_other_keeps_its_ratio() -> None:
    (ranking,) = analysis().rankings.values()
    assert ranking.name == "flash"  # though "mine" has the smaller median
    assert [each.name for each in ranking.rivals] == ["slow"]
    assert ranking.not_reached == ()
    assert ranking.decided
    (mine,) = ranking.same
    assert (mine.name, mine.same_as) == ("mine", "flash")
    assert mine.ratio == pytest.approx(0.9, rel=0.01)


def test_they_have_no_crossover_with_each_other() -> None:
    times = {"flash": linear(600.0), "mine": square(1.0), "slow": linear(3000.0)}
    asked = problems(LENGTHS)
    assert {(each.before, each.after) for each in analysis({}, asked, times).crossovers} == {
        ("mine", "flash")
    }
    assert analysis(RAN, asked, times).crossovers == []


def test_one_that_is_the_same_at_some_lengths_only_is_ranked_at_the_others() -> None:
    def change(record: Record) -> Record:
        short = record.problem.key_length <= 256
        return with_kernels(RAN if short else {**RAN, "mine": (PRODUCTS,)})(record)

    times = {"flash": linear(600.0), "mine": square(1.0), "slow": linear(3000.0)}
    found = made(problems(LENGTHS), times, change=change, baseline="flash")
    assert [len(each.rivals) for each in found.rankings.values()] == [1, 1, 2, 2, 2]
    assert {(each.before, each.after) for each in found.crossovers} >= {("mine", "flash")}


def test_a_dispatch_table_ranks_one_and_chooses_the_other_where_only_that_is_able(
    tmp_path: Path,
) -> None:
    data = json.loads(json.dumps(dispatch(analysis())))
    (ranking,) = (each["ranking"] for each in data["problems"])
    assert [each["implementation"] for each in ranking] == ["flash", "slow"]
    assert ranking[0]["same_kernel"].keys() == {"mine"}
    table = Dispatch(data)
    problem = str(ONE[0])
    assert table.choose(problem).name == "flash"
    chosen = table.choose(problem, able={"mine", "slow"})
    assert (chosen.name, chosen.alternatives) == ("mine", ())
    assert chosen.median_ms == pytest.approx(0.9 * 512, rel=0.01)
    for each in ranking:
        del each["same_kernel"]  # as files of earlier versions
    assert Dispatch(data).choose(problem, able={"slow"}).name == "slow"


def test_the_answer_names_the_ranked_one_and_says_what_the_other_is() -> None:
    (said,) = answer.sentences(analysis())
    assert "use flash" in said
    assert "next is slow" in said
    assert "mine (0.90x" in said
    assert "same kernel as flash" in said


def test_two_that_ran_the_same_kernel_alone_have_an_answer() -> None:
    (said,) = answer.sentences(analysis(times={"flash": linear(1.0), "mine": linear(1.02)}))
    assert "use flash" in said
    assert "same kernel as flash" in said
    assert "alone has a time" not in said


def test_the_table_of_measurements_names_the_kernel_the_label_and_the_fallback() -> None:
    found = analysis(fallback={"slow": "fell back to math"})
    table = measurement_table(found)
    cells = {
        row.cells[1].text: dict(zip(table.head, (c.text for c in row.cells), strict=True))
        for row in table.rows
    }
    assert cells["mine"]["kernel"] == "same kernel as flash; aten::_flash_attention_forward"
    assert cells["flash"]["kernel"] == "aten::_flash_attention_forward"
    assert cells["slow"]["kernel"] == "fell back to math; aten::bmm"
    assert cells["slow"]["median ms"].endswith(" (math)")
    assert "(" not in cells["flash"]["median ms"]


def test_a_table_of_verdicts_has_the_label_in_place_of_a_verdict() -> None:
    found = analysis()
    ((_, table),) = verdict_tables(found)
    words = {row.cells[1].text: row.cells[table.head.index("verdict")].text for row in table.rows}
    assert words == {"mine": "same kernel as flash", "slow": "slower"}
    assert "1 comparison: 1 slower" in " ".join(conclusions(found))


def test_the_grid_of_times_marks_the_ranked_one_as_the_smallest() -> None:
    found = analysis(fallback={"slow": "ran torch's math"})
    grid = time_grid(found, panel="attention")
    cells = dict(zip(grid.columns, grid.rows[0].cells, strict=True))
    assert {name: cell.least for name, cell in cells.items()} == {
        "flash": True,
        "mine": False,
        "slow": False,
    }
    assert "same kernel as flash" in cells["mine"].title
    assert cells["slow"].text.endswith("(math)")
    assert "ran torch's math" in cells["slow"].title


def test_the_chart_of_one_problem_shows_both_with_the_label() -> None:
    (chart,) = rankings_charts(analysis())
    assert [each.name for each in chart.series[1:]] == ["flash", "mine", "slow"]
    assert "same kernel as flash" in chart.rows[1]


def test_every_output_has_the_label_and_the_fallback() -> None:
    found = analysis(fallback={"slow": "fell back to math"})
    console = Console(width=200, record=True, file=io.StringIO())
    for each in summary(found, every=True):
        console.print(each)
    printed = console.export_text()
    for text in (page(found), of_run(found), printed):
        assert "same kernel" in text
    for text in (page(found), printed):
        assert "mine ran the same kernel as flash on b1 h8 t512" in text
        assert "slow fell back to math on b1 h8 t512" in text
        assert kernels.MEANING in " ".join(text.split())


def test_exports_hold_the_names_of_kernels_the_same_kernel_and_the_fallback() -> None:
    found = analysis(fallback={"slow": "fell back to math"})
    rows = {row.implementation: measurement_columns(row) for row in found.measurements}
    names = ("kernels", "same_kernel", "fallback")
    assert {name: tuple(row[n] for n in names) for name, row in rows.items()} == {
        "flash": ("aten::_flash_attention_forward", "", ""),
        "mine": ("aten::_flash_attention_forward", "flash", ""),
        "slow": ("aten::bmm", "", "fell back to math"),
    }


def test_a_run_without_recorded_kernels_has_no_label() -> None:
    found = analysis({})
    assert same(found) == {}
    assert kernels.sentences(found) == []
    assert "same kernel" not in answer.sentences(found)[0]


def test_the_names_are_those_of_the_kernels_that_do_the_work() -> None:
    softmax = Kernel(name="aten::_softmax", share=0.05, calls=1)
    assert kernel_names((COPY, PRODUCTS, softmax)) == "aten::bmm, aten::_softmax"
    assert kernel_names((COPY, FLASH)) == "aten::_flash_attention_forward"
    assert kernel_names((COPY,)) == "aten::copy_"
    assert kernel_names(()) == ""


def test_a_candidate_that_ran_the_kernel_of_the_baseline_is_right_and_scores_nothing() -> None:
    found = analysis(times={"flash": linear(1.0), "mine": linear(0.5)})
    plan = found.plan
    files = {"mine": str(Path("mine.py").resolve())}
    entries = tuple(
        replace(each, files=files if each.name == "mine" else {}) for each in plan.entries
    )
    run = replace(found.run, plan=replace(plan, entries=entries))
    (row,) = candidate_rows("mine.py", Path("mine.py"), run, found.records)
    assert row.judgement == "same kernel"
    assert row.rows[0].right
    assert score([row], by=0.0) == (1, 0, 1)
    assert judged.word(row.judgement) == "same kernel"
    assert of_candidate(row, 0.0)["verdict"] == "same kernel"


def test_a_table_for_a_paper_has_the_label(tmp_path: Path) -> None:
    found = analysis()
    (file,) = export(stored(found.run, found.records), found.run, "latex", tmp_path / "run.tex")
    assert "mine (same kernel)" in file.read_text()


def test_kernels_outside_torch_are_named_as_that() -> None:
    found = made(
        ONE,
        dict(TIMES),
        change=lambda record: replace(record, notes=(UNSEEN,)),
        baseline="flash",
    )
    assert {kernels.described(row) for row in found.measurements} == {"outside torch, not seen"}
    assert {kernels.described(row) for row in analysis({}).measurements} == {"not recorded"}
