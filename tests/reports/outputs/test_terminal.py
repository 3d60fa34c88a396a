"""The terminal: tables that fit, states that differ, and silence without a terminal."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, RenderableType

from impls.interface import Limits
from impls.interface.limits import EVERY_BIAS, EVERY_MASK
from reports.analysis.run_analysis import Analysis
from reports.outputs.exit_status import exit_status
from reports.outputs.html.page import page
from reports.outputs.reporting import MOST_CHARTS, report
from reports.outputs.terminal import listings, run_tables
from reports.outputs.terminal.grid_tables import folded
from reports.outputs.terminal.listings import capability_markdown
from reports.outputs.terminal.verdict_tables import MOST_ROWS
from reports.views.numbers import mebibytes, milliseconds, ratio_in, share
from suites import listing
from suites.records.codec import to_data
from suites.records.plan import Entry
from tests.saved_run import MACHINE, PROBLEMS, TWO, entries, over_budget, small_run

ANY = (Limits(),)


def shown(*what: RenderableType, width: int = 100, coloured: bool = False) -> str:
    kept = io.StringIO()
    console = Console(
        file=kept,
        width=width,
        force_terminal=coloured,
        color_system="standard" if coloured else None,
    )
    console.print(*what, sep="\n")
    return kept.getvalue()


@pytest.mark.parametrize("width", [80, 100, 140])
def test_the_tables_at_the_end_fit_the_width(width: int) -> None:
    text = shown(*run_tables.summary(Analysis(*small_run()), every=True), width=width)
    assert max(map(len, text.splitlines())) <= width
    assert "Time of attention, ms (b1 d64 fp32 cpu)" in text
    assert "Memory of layers, MiB above the inputs" in " ".join(text.split())


def test_a_row_of_the_table_holds_times_and_words() -> None:
    lines = shown(*run_tables.summary(Analysis(*small_run()))).splitlines()
    (row,) = [line for line in lines if line.startswith("h8 t2048 full")][:1]
    assert row.split() == ["h8", "t2048", "full", "-", "4.09", "20.4", "oom", "36.7"]


def test_verdicts_and_time_inside_calls_are_below_the_tables() -> None:
    analysis = Analysis(*small_run(problems=PROBLEMS[:2]))
    text = " ".join(shown(*run_tables.summary(analysis, every=True)).split())
    assert text.index("Memory of layers") < text.index("Attention against naive")
    assert re.search(r"[\d.]+ % of 1 min 40 s inside calls of implementations ", text)
    assert text.index("inside calls") < text.index("full: use sdpa_flash at every size;")
    assert text.index("layers, full: use ") < text.index("Noise here: identical code differed by")
    assert "8 comparisons: 6 faster, 2 slower; a difference counts from 1 %." in text


def test_titles_name_the_labels_that_are_not_the_default() -> None:
    run, records = small_run(problems=PROBLEMS[:2], threads=(1, 2))
    run = replace(run, plan=replace(run.plan, cache="cold", allocator="retain"))
    text = " ".join(shown(*run_tables.summary(Analysis(run, records), every=True)).split())
    for what in ("Time of attention", "Memory of layers"):
        assert f"{what}, cache cold, allocator retain, 2 threads," in text


def test_a_run_of_several_numbers_of_threads_says_what_is_shown_and_what_they_gain() -> None:
    run, records = small_run(problems=PROBLEMS[:2], threads=(1, 2))
    slower = [
        replace(r, times_ms=tuple(1.5 * t for t in r.times_ms)) if r.threads == 1 else r
        for r in records
    ]
    summary = run_tables.summary(Analysis(run, slower), every=True)
    text = " ".join(shown(*summary, width=140).split())
    assert "Measured with 1 and 2 threads: the tables of time, memory and error are of 2;" in text
    title = "Speed-up of attention by 2 threads, ms with 1 and how many times as fast with 2 (b1 h8"
    place = text.index(title)
    assert re.search(r"t128 0\.\d+ 1\.\d\dx ", text[place:])
    assert "Speed-up of layers by 2 threads" in text
    alone = " ".join(
        shown(*run_tables.summary(Analysis(*small_run(problems=PROBLEMS[:2])))).split()
    )
    assert "Speed-up" not in alone
    assert "Measured with" not in alone


def test_the_best_choices_are_named_and_many_are_counted() -> None:
    made = tuple(Entry(name=f"chunked[b={b}]", limits=ANY) for b in (64, 128))
    run, records = small_run(made=made)
    for every, most in ((False, run_tables.FEW_CHOICES), (True, run_tables.MOST_CHOICES)):
        summary = run_tables.summary(Analysis(run, records), every=every)
        text = " ".join(shown(*summary).split())
        assert text.startswith(f"chunked on {PROBLEMS[4]}: b=64 and b=128")  # the largest
        assert f"Choices on {len(PROBLEMS) - most} more" in text
        assert text.index("Choices on") < text.index("Time of attention")


def test_layers_have_a_table_of_their_own() -> None:
    text = shown(*run_tables.summary(Analysis(*small_run()), every=True))
    attention = text[text.index("Time of attention") : text.index("Time of layers")]
    assert "multi_" not in attention


def test_the_fastest_is_bold() -> None:
    text = shown(*run_tables.summary(Analysis(*small_run(problems=PROBLEMS[:2]))), coloured=True)
    (row,) = [line for line in text.splitlines() if "h8 t128" in line or "t128" in line][:1]
    assert re.search(r"\x1b\[1m *0\.0289\x1b\[0m", row)


def test_many_implementations_go_into_further_tables() -> None:
    made = tuple(Entry(name=f"implementation_{place}", limits=ANY) for place in range(12))
    text = shown(
        *run_tables.summary(Analysis(*small_run(problems=PROBLEMS[:2], made=made))), width=80
    )
    assert "continued" in text
    assert max(map(len, text.splitlines())) <= 80
    grids = text[: text.index("full: ")]
    assert grids.count("t128") == grids.count("continued") + 2


def test_one_wide_name_still_gets_its_column() -> None:
    made = (Entry(name="x" * 200, limits=ANY),)
    assert "0." in shown(
        *run_tables.summary(Analysis(*small_run(problems=PROBLEMS[:2], made=made))), width=80
    )


def test_what_was_not_measured_is_listed_with_its_reason() -> None:
    summary = run_tables.summary(Analysis(*small_run()), every=True)
    text = " ".join(shown(*summary, width=120).split())
    assert "local_window refused 9 mask full: takes window" in text
    assert "off_by_one wrong 18 out: 41 times what rounding explains" in text


def test_problems_without_a_time_are_counted_and_have_no_row() -> None:
    run, records = small_run(problems=PROBLEMS[:3])
    stopped = [r for r in records if r.problem != PROBLEMS[1]]
    text = shown(*run_tables.summary(Analysis(run, stopped), every=True))
    assert not re.search(r"^t256", text, re.MULTILINE)
    assert re.search(r"^t512", text, re.MULTILINE)
    told = "Left out, without a time: 1 problem of attention, 1 problem of layers; the page has"
    assert told in " ".join(text.split())
    assert "Left out" not in shown(*run_tables.summary(Analysis(run, records)))


def test_many_charts_are_counted_for_people_and_listed_for_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, records = small_run()
    report(run, records, tmp_path, as_json=True)
    charts = json.loads(capsys.readouterr().out)["charts"]
    assert len(charts) > MOST_CHARTS
    report(run, records, tmp_path, as_json=False)
    *_, told, page = capsys.readouterr().out.splitlines()
    assert page == str(tmp_path / "report.html")
    assert told == f"{len(charts)} charts in {tmp_path}"
    few_run, few = small_run(problems=PROBLEMS[:1])
    report(few_run, few, tmp_path / "few", as_json=False)
    *_, chart, page = capsys.readouterr().out.splitlines()
    assert chart.endswith(".png")
    assert page == str(tmp_path / "few" / "report.html")


def test_a_run_without_a_time_says_so() -> None:
    refusing = tuple(each for each in entries() if each.name == "xformers")
    text = shown(*run_tables.summary(Analysis(*small_run(made=refusing))))
    assert "No time was taken in this run." in text
    assert "device cpu: runs on cuda" in text


def test_the_cause_budget_is_shown_as_not_reached() -> None:
    run, records = small_run(problems=PROBLEMS[:2], made=TWO)
    kept = [r for r in records if (r.problem, r.implementation) != (PROBLEMS[1], "other")]
    analysis = Analysis(run, [*kept, over_budget(PROBLEMS[1], "other")])
    text = " ".join(shown(*run_tables.summary(analysis), width=120).split())
    assert "… not reached" in text
    assert "Not reached: 1 of 4 answers, of other (see --all)." in text
    text = " ".join(shown(*run_tables.summary(analysis, every=True), width=120).split())
    assert "other not reached 1 the budget of 1 min does not suffice for it (--budget)" in text


def test_a_run_that_its_budget_ended_before_any_time_exits_with_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert exit_status([over_budget(PROBLEMS[0], "base")]) == 1
    assert "nothing was measured: 1 not reached;" in capsys.readouterr().err
    assert exit_status([over_budget(PROBLEMS[0], "base"), small_run(made=TWO)[1][0]]) == 0


def test_a_named_implementation_without_a_time_makes_the_status_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, records = small_run(problems=PROBLEMS[:2], made=TWO)
    assert exit_status(records, named=("base", "other")) == 0
    first = [r for r in records if (r.problem, r.implementation) != (PROBLEMS[0], "other")]
    assert exit_status(first, named=("base", "other")) == 0  # a time on one problem suffices
    without = [r for r in records if r.implementation == "base"]
    over = [over_budget(problem, "other") for problem in PROBLEMS[:2]]
    assert exit_status([*without, *over], named=("base",)) == 0
    assert capsys.readouterr().err == ""
    assert exit_status([*without, *over], named=("other",)) == 1
    said = "other was named with --impl and has no time: 2 not reached\n"
    assert capsys.readouterr().err == said
    assert exit_status(without, named=("other",)) == 1
    assert "has no time: no session timed it" in capsys.readouterr().err


def test_times_beside_a_time_out_in_another_session_are_no_time() -> None:
    _, records = small_run(problems=PROBLEMS[:1], made=TWO)
    late = replace(
        over_budget(PROBLEMS[0], "other", session=3), cause="time_limit", reason="it took too long"
    )
    cut = [r for r in records if (r.session, r.implementation) != (3, "other")]
    assert exit_status([*cut, late], named=("other",)) == 1


def test_a_share_of_the_gate_has_two_decimals() -> None:
    assert [share(each) for each in (0.123, 1000.0, 46927536855.0, None)] == [
        "0.12", "1000.00", ">1000", "",
    ]  # fmt: skip


def test_brackets_in_a_name_are_no_markup() -> None:
    made = (Entry(name="chunked[red]", limits=ANY), Entry(name="gone", missing="[bold]no\x1b[31m"))
    analysis = Analysis(*small_run(problems=PROBLEMS[:1], made=made))
    text = shown(*run_tables.summary(analysis, every=True))
    assert "[red]" in text
    assert "[bold]no" in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("naive", ["naive"]),
        ("torch_multi_head", ["torch_", "multi_", "head"]),
        ("chunked[block_q=128]", ["chunked", "[block_", "q=128]"]),
        ("multi_head(sdpa_flash)", ["multi_", "head", "(sdpa_", "flash)"]),
    ],
)
def test_a_long_name_is_folded_at_its_joints(name: str, lines: list[str]) -> None:
    assert folded(name).split("\n") == lines


def test_the_list_of_implementations_says_what_each_cannot() -> None:
    data = [to_data(entry) for entry in entries()]
    text = shown(listings.listed("implementations", data), width=120)
    rows = [" ".join(line.split()) for line in text.splitlines()]
    assert "local_window all all window none grouped heads 1 to 1024" in rows
    assert "flash_attn No module named 'flash_attn'" in rows
    assert any(row.startswith("cuda bf16") for row in rows)


NARROW = """
naive
  no limits

chunked
  choices  block_q: 64, 128

local_window
  masks   window
  cannot  grouped heads

sdpa_flash
  devices  cpu
  or
  devices  cuda
  dtypes   bf16
"""


def test_a_narrow_terminal_lists_implementations_as_blocks_of_what_limits_them() -> None:
    limits = {"local_window": (Limits(biases=EVERY_BIAS, masks=("window",), grouped_heads=False),)}
    made = tuple(
        replace(each, limits=limits.get(each.name, _with_every_bias(each.limits)))
        for each in entries()[:4]
    )
    data = [to_data(entry) for entry in (*made, Entry(name="gone", missing="not here"))]
    text = shown(listings.listed("implementations", data), width=60)
    assert "\n".join(line.rstrip() for line in text.splitlines()).startswith(NARROW)
    assert [line.split() for line in text.splitlines()][-1] == ["gone", "not", "here"]


def _with_every_bias(limits: tuple[Limits, ...]) -> tuple[Limits, ...]:
    return tuple(replace(each, biases=EVERY_BIAS, masks=EVERY_MASK) for each in limits)


@pytest.mark.parametrize("width", range(60, 200, 10))
def test_the_list_of_implementations_never_breaks_a_word(width: int) -> None:
    limits = Limits(masks=("window", "window+padding", "window+documents"), own_value_dim=True)
    many = {"block_q": ["64", "128", "256"], "block_k": ["64", "128", "256", "512"]}
    made = Entry(name="multi_head(local_window)", limits=(limits,), panel="layers", choices=many)
    text = shown(listings.listed("implementations", [to_data(made)]), width=width)
    assert max(map(len, text.splitlines())) <= width
    assert {"multi_head(local_window)", "window+documents", "window+padding,"} <= set(text.split())


def test_a_run_is_one_line_where_there_is_room() -> None:
    cpu = "Intel(R) Xeon(R) Platinum 8480C CPU @ 2.20GHz"
    run = {**RUN, "name": "quick-20260102-030405", "machine": cpu, "devices": [cpu, "NVIDIA H100"]}
    lines = shown(listings.listed("runs", [run] * 3), width=100).splitlines()
    assert len(lines) == 2 + 3
    assert "Intel Xeon Platinum 8480C, NV…" in lines[-1]
    wide = shown(listings.listed("runs", [run]), width=140)
    assert "Intel Xeon Platinum 8480C, NVIDIA H100 " in wide
    narrow = " ".join(shown(listings.listed("runs", [run]), width=80).split())
    assert "@" in narrow


@pytest.mark.parametrize("width", [80, 140])
def test_saved_names_stand_below_the_name_of_their_run(width: int) -> None:
    runs = [RUN, {**RUN, "name": "quick-0", "saved_as": ["main", "v1"]}]
    lines = shown(listings.listed("runs", runs), width=width).splitlines()
    place = next(place for place, line in enumerate(lines) if line.startswith("quick-0"))
    assert lines[place + 1].strip().startswith("saved as main, v1")
    assert "saved" not in shown(listings.listed("runs", [RUN]), width=width)


@pytest.mark.parametrize("width", [80, 140])
def test_the_runs_of_a_group_stand_below_its_name(width: int) -> None:
    own = {"group": "quick-2", "saved_as": ["main"]}
    names = ("quick-2@amd", "quick-2@h200")
    runs = [RUN, *({**RUN, **own, "name": name} for name in names), {**RUN, "name": "quick-0"}]
    lines = shown(listings.listed("runs", runs), width=width).splitlines()
    place = next(at for at, line in enumerate(lines) if line.startswith("quick-2 "))
    assert "2 kinds of" in lines[place]
    below = [line for line in lines[place:] if line.startswith("  quick-2@")]
    assert [line.split()[0] for line in below] == list(names)
    assert sum("saved as main" in line for line in lines) == len(names)


def test_a_run_with_profiles_says_so_below_its_name() -> None:
    runs = [RUN, {**RUN, "name": "quick-0", "profiled": True}]
    text = shown(listings.listed("runs", runs), width=140)
    assert text.count("with profiles: report draws their page") == 1


def test_the_capabilities_are_a_markdown_table() -> None:
    lines = capability_markdown(entries()).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    row = "| `local_window` | all | all | window | none |  | no | yes | yes | 1 to 1024 |  |  |"
    assert row in lines
    assert any("block_q: 64, 128" in line for line in lines)
    assert any("missing: No module named 'flash_attn'" in line for line in lines)


def test_what_few_take_is_named_in_one_column() -> None:
    limits = Limits(biases=EVERY_BIAS, own_value_dim=True, sink=True)
    (_, row) = listings.capability_rows(
        (Entry(name="a", limits=ANY), Entry(name="b", limits=(limits,)))
    )
    named = dict(zip(listings.CAPABILITIES, row, strict=True))
    assert (named["biases"], named["also"]) == ("all", "value dim, sink")


RUN = {
    "fault": "",
    "name": "quick-1",
    "group": "",
    "kind": "",
    "saved_as": [],
    "profiled": False,
    "suite": "quick",
    "machine": "Example CPU 9000",
    "devices": ["Example CPU 9000", "Example GPU"],
    "problems": 18,
    "implementations": 4,
    "records": 60,
    "started": "2026-01-02T03:04:05+00:00",
    "ended": None,
}


SUITE = {
    "name": "quick",
    "kind": "general",
    "problems": 18,
    "minutes": 3,
    "asks": "What is fast?",
}
CASE = {
    "problem": "b1 h2 t512 d64 full fp32 cpu",
    "label": "the encoder",
    "count": 12,
    "step": "one request",
    "source": "arXiv 1706.03762",
    "scaled": "batch 1 of 32",
}


def test_suites_are_listed_by_kind() -> None:
    others = [{**SUITE, "kind": kind, "name": kind} for kind in ("questions", "applications")]
    text = shown(listings.listed("suites", [SUITE, *others]), width=100)
    words = ("begin with", "quick", "by question", "questions", "by application", "applications")
    assert [text.index(each) for each in words] == sorted(text.index(each) for each in words)


def test_the_problems_of_a_suite_have_their_labels_counts_and_sources() -> None:
    plain = {**CASE, "label": "", "count": 1, "step": "", "source": "", "scaled": ""}
    suite = {**SUITE, "cases": [CASE, {**plain, "problem": "b1 h2 t9 d64 full fp32 cpu"}]}
    left_out = {**suite, "left_out": ["training: it takes too long"]}
    lines = shown(listings.listed("problems", left_out), width=100).splitlines()
    assert [line.strip() for line in lines if line.strip()] == [
        "quick: What is fast?",
        "18 problems on a CPU with 2 cores, 3 minutes at most",
        "b1 h2 t512 d64 full fp32 cpu",
        "label: the encoder",
        "calls: 12 in one request",
        "source: arXiv 1706.03762",
        "scaled: batch 1 of 32",
        "b1 h2 t9 d64 full fp32 cpu",
        "left out",
        "training: it takes too long",
    ]
    assert "left out" not in shown(listings.listed("problems", {**suite, "left_out": []}), width=99)


@pytest.mark.parametrize("width", [25, 40, 60])
def test_the_lists_of_runs_and_suites_cut_no_number_in_a_narrow_terminal(width: int) -> None:
    run = {**RUN, "name": "problem-20261129-063056", "problems": 1800, "records": 60123}
    words = shown(listings.listed("runs", [run, run]), width=width).split()
    assert {"1800", "60123", run["name"]} <= set(words)
    suite = {**SUITE, "problems": 1800, "minutes": 333}
    assert {"1800", "333"} <= set(shown(listings.listed("suites", [suite]), width=width).split())


@pytest.mark.parametrize(
    ("what", "data", "expected"),
    [
        (
            "runs",
            [RUN],
            "quick-1 Example CPU 9000, Example GPU 18 4 60 not ended",
        ),
        ("runs", [{**RUN, "fault": "its plan cannot be read"}], "its plan cannot be read"),
        ("runs", [], "no runs; python run_bench.py makes one"),
        (
            "suites",
            [SUITE],
            "quick 18 3 What is fast?",
        ),
        ("machine", MACHINE, "torch 2.13.0+cpu"),
        ("machine", {"cpu_capability": "AVX2"}, "cpu capability AVX2"),
        ("machine", {}, "CPU not recorded"),
    ],
)
def test_each_list_is_a_table(what: str, data: Any, expected: str) -> None:
    text = shown(listings.listed(what, data), width=140)
    rows = [" ".join(line.split()) for line in text.splitlines()]
    assert any(row == expected or row.endswith(expected) for row in rows)


def test_there_is_a_table_for_each_list() -> None:
    assert set(listings.TABLES) == {*listing.LISTS, listing.PROBLEMS}


def of_one_problem(*names: str, **plan: Any) -> Analysis:
    """A run of one problem; `performer` approximates."""
    panels = {"performer": "approximations"}
    made = tuple(Entry(name=n, limits=ANY, panel=panels.get(n, "attention")) for n in names)
    run, records = small_run(problems=PROBLEMS[:1], made=made, baseline="sdpa_flash")
    return Analysis(replace(run, plan=replace(run.plan, **plan)), records)


@pytest.mark.parametrize(
    "names",
    [
        ("naive", "sdpa_flash"),
        ("naive", "chunked", "sdpa_flash"),
        ("off_by_one", "naive", "sdpa_flash"),
        ("performer", "sdpa_flash"),
        ("performer", "naive", "sdpa_flash"),
        ("performer", "off_by_one", "sdpa_flash"),
    ],
)
def test_a_run_of_one_problem_takes_at_most_40_lines(
    names: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    analysis = of_one_problem(*names, across=True)
    report(analysis.run, analysis.records, tmp_path, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 40, "\n".join(lines)
    assert max(map(len, lines[:-4])) <= 80


def test_a_run_of_one_problem_has_one_table_and_ends_with_its_sentences() -> None:
    lines = shown(*run_tables.summary(of_one_problem("naive", "sdpa_flash"))).splitlines()
    rows = [" ".join(line.split()) for line in lines if line.strip()]
    assert rows[:2] == [str(PROBLEMS[0]), "ms MiB above the inputs"]
    assert rows[3:5] == ["sdpa_flash 0.0289 0.645", "naive 0.156 1.00"]
    assert rows[-2] == "full: use sdpa_flash; next is naive, 5.4x as long [5.4, 5.5]."
    assert rows[-1].startswith("Noise here: identical code differed by 0.32 %, so differences ")


def test_ratios_across_panels_have_a_table_and_a_sentence() -> None:
    analysis = of_one_problem("performer", "sdpa_flash", across=True, named=("performer",))
    rows = [" ".join(line.split()) for line in shown(*run_tables.summary(analysis)).splitlines()]
    place = rows.index(f"Across panels: other functions against sdpa_flash ({PROBLEMS[0]})")
    assert rows[place + 3].startswith("performer 2.653 [")
    said = "performer computes another function, RMS error 3e-05 % of attention; it takes 2.7x"
    assert said in " ".join(rows)
    assert "RMS error" in rows[1] + rows[2] + rows[3]


def test_how_implementations_were_called_is_said_once_each() -> None:
    analysis = of_one_problem("naive", "sdpa_flash")
    noted = [
        replace(r, notes=("called with a dense mask",)) if r.implementation == "naive" else r
        for r in analysis.records
    ]
    text = shown(*run_tables.summary(Analysis(analysis.run, noted)))
    assert text.count("naive: called with a dense mask.") == 1
    assert page(Analysis(analysis.run, noted)).count("naive: called with a dense mask.") == 1


def test_what_a_slip_explains_is_one_row_with_its_cure() -> None:
    run, records = small_run(problems=PROBLEMS[:3])
    slipped = [
        replace(r, slip="top_left", reason=f"query {place} sees key 0", cure="use tril(Tk - Tq)")
        if r.implementation == "off_by_one"
        else r
        for place, r in enumerate(records)
    ]
    analysis = Analysis(run, slipped)
    text = " ".join(shown(*run_tables.summary(analysis, every=True), width=200).split())
    assert re.search(r"off_by_one wrong 3 query \d+ sees key 0; first on .*; cure: use tril", text)
    assert text.count("sees key 0") == 2  # in the table, and among the faults at the end
    assert "; cure: use tril(Tk - Tq)" in page(analysis)


@pytest.mark.parametrize("width", [30, 40, 60])
@pytest.mark.parametrize("problems", [PROBLEMS[:1], PROBLEMS[:3], PROBLEMS])
def test_no_number_is_cut_in_a_narrow_terminal(width: int, problems: tuple[Any, ...]) -> None:
    analysis = Analysis(*small_run(problems=problems))
    text = shown(*run_tables.summary(analysis, every=True), width=width)
    assert max(map(len, text.splitlines())) <= width
    words = set(re.findall(r"[^\s:]+", text))
    for row in analysis.measurements:
        assert milliseconds(row.median_ms) in words
        assert mebibytes(row.peak_bytes) in words
    if len(analysis.verdicts) <= MOST_ROWS:
        for found in analysis.verdicts:
            assert ratio_in(found.ratio, found.low, found.high) in " ".join(text.split())


def test_a_speed_up_below_a_hundredth_is_a_bound() -> None:
    run, records = small_run(problems=PROBLEMS[:1], threads=(1, 2), made=TWO)
    slow = [
        replace(r, times_ms=tuple(300 * t for t in r.times_ms)) if r.threads == 2 else r
        for r in records
    ]
    assert "<0.01x" in shown(*run_tables.summary(Analysis(run, slow)))
