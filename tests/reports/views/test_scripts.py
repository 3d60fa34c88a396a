"""Views of a recorded script's time in attention: sentences, names, tables, charts."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.analysis.call_sites import CallSites, call_sites
from reports.views.charts.call_sites import MOST_COLOURS, MOST_PROBLEMS, bar, icicle
from reports.views.charts.chart import Icicle
from reports.views.scripts import names, notes, rest, sentences, tables
from reports.views.sections import Table
from suites.recording.collecting import Collected
from tests.reports.script_by_hand import CALLS, PROFILED, TRAINED, call, dropout, script

WORKLOAD = Path("out folder/workload.jsonl")


def headline(found: Collected) -> str:
    return sentences.headline(call_sites(found))


def said(found: Collected) -> str:
    return " ".join(notes.notes(call_sites(found)))


def column(table: Table, head: str) -> list[str]:
    place = table.head.index(head)
    return [row.cells[place].text for row in table.rows]


def test_the_headline_names_share_step_calls_and_lines() -> None:
    assert headline(script()) == "attention takes 35 % of a step of 100 ms, 5 calls from 2 lines"
    assert headline(script(call(count=25), steps=1)) == (
        "attention takes 10 % of the 2.00 s from the first call to the last, 25 calls from 1 line"
    )
    assert headline(script(call(count=25, took_ms=80.0))).endswith("2.50 calls from 1 line")


def test_a_backward_pass_that_is_not_seen_makes_the_share_a_lower_bound() -> None:
    found = script(others=(dropout(),))
    assert headline(found).startswith("attention takes at least 36 %")
    assert "The backward pass of 10 calls is not seen (train.py:25 forward)" in said(found)
    made = tables.site_table(call_sites(found))
    assert column(made, "backward ms") == ["12.0", "12.0", "not seen", ""]
    assert column(made, "share")[2] == ">1.0 %"


def test_the_table_has_every_line_and_closes_to_the_whole() -> None:
    made = tables.site_table(call_sites(script()))
    assert column(made, "line") == ["train.py:20 forward", "train.py:31 step", "outside attention"]
    assert column(made, "total ms") == ["20.0", "15.0", "65.0"]
    assert column(made, "share") == ["20.0 %", "15.0 %", "65.0 %"]
    assert column(made, "cumulative") == ["20.0 %", "35.0 %", "100.0 %"]
    assert column(made, "calls per step") == ["4", "1", ""]
    assert column(made, "line of the library") == ["", "models/model.py:12 forward", ""]
    assert "Every call is of scaled_dot_product_attention." in made.caption


def test_set_up_has_a_row_where_the_whole_script_is_the_unit() -> None:
    found = script(call(), steps=1)
    made = tables.site_table(call_sites(found))
    assert column(made, "line")[1:] == ["set-up in first calls", "outside attention"]
    assert column(made, "total ms") == ["200", "498", "1302"]
    assert column(made, "cumulative") == ["10.0 %", "34.9 %", "100.0 %"]
    assert "took 500 ms, a later one takes 2.00 ms" in said(found)
    assert "counts as set-up in first calls" in said(found)
    assert "is in no figure of a step" in said(script(call()))


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (script(), "Whole script: 50 calls, 0.350 s in attention, 2.00 s from the first call"),
        (script(processes=2), "2.00 s from the first call to the last of 2 processes together."),
        (script(steps=1), "--steps N states how many equal steps it has."),
        (script(ended="signal SIGKILL"), "The script ended with signal SIGKILL; the figures are"),
        (script(call(count=1)), "1 of 1 problem came up once: the times of that call have set-up"),
        (script(call(took_ms=3000.0)), "more than a step of 100 ms: steps differ or calls overlap"),
        (script(call(first_ms=3e3), steps=1), "Attention and its set-up take 3198 ms in the mean"),
        (script(call(), call("t64 full cpu", backward_ms=None)), "no backward pass; calls of an"),
        (script(compiled=("a.py:3 f",)), "Not seen: calls inside torch.compile (a.py:3 f)."),
        (script(faults=("E: x (a.py:3 f)",)), "Not recorded: calls that could not be described"),
        (script(others=(dropout(),)), "10 calls of these, 3 % of the time in attention, cannot"),
    ],
)
def test_what_a_reader_has_to_know_is_said(found: Collected, sentence: str) -> None:
    assert sentence in said(found)


def test_a_quick_first_call_has_no_sentence() -> None:
    assert "first call took" not in said(script(call(first_ms=2.5)))


def test_problems_of_a_line_are_a_range_where_one_word_differs() -> None:
    lengths = [call(f"h4 t1/{length} d16 full cpu", backward_ms=None) for length in (9, 100, 33)]
    found = call_sites(script(*lengths))
    assert names.problems(found.sites[0]) == "b1 h4 t1/9 to t1/100 d16 full fp32 cpu"
    mixed = call_sites(script(call(), call("h4 t1/9 d16 full cpu", backward_ms=None, took_ms=1.0)))
    assert names.problems(mixed.sites[0]) == f"{TRAINED} and 1 more"
    several = tables.problem_table(mixed)
    assert column(several, "problem") == [TRAINED, "b1 h4 t1/9 d16 full fp32 cpu"]
    assert column(several, "forward ms per call") == ["2.00", "0.0250"]


def test_a_problem_that_is_not_expressible_has_its_reason_and_shapes() -> None:
    found = call_sites(script(others=(dropout(),)))
    assert names.problem(found.sites[-1].calls[0]) == "dropout 0.1; 2x4x64x16"


def test_lines_with_one_name_are_told_apart_by_the_library() -> None:
    places = [f"lib.py:{line} f < a/train.py:3 g" for line in (1, 2)]
    found = call_sites(script(*(call(place=place) for place in places)))
    assert set(names.labels(found.sites).values()) == {
        "lib.py:1 f < train.py:3 g",
        "lib.py:2 f < train.py:3 g",
    }
    places = ["a/train.py:3 g", "b/train.py:3 g"]
    found = call_sites(script(*(call(place=place) for place in places)))
    assert set(names.labels(found.sites).values()) == set(places)


def test_two_functions_have_a_column() -> None:
    found = call_sites(script(call(), call(by="flex_attention", took_ms=1.0)))
    made = tables.site_table(found)
    assert column(made, "function")[0] == "scaled_dot_product_attention, flex_attention"
    assert "Every call" not in made.caption


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("python src/train.py --epochs 2", "train.py"),
        ("torchrun --nproc 2 a/b.py", "b.py"),
        ("python -m package.serve --port 1", "package.serve"),
        ("python train.py -m fast", "train.py"),
        ("python -c pass", "python"),
    ],
)
def test_a_script_is_named_without_folder_and_arguments(command: str, name: str) -> None:
    assert names.title(call_sites(script(command=command))) == f"Attention in {name}"


def test_the_next_commands_measure_the_workload_and_profile_the_heaviest_call() -> None:
    run, profile, other = (
        command for _, command in sentences.commands(call_sites(script()), WORKLOAD)
    )
    assert run == "python run_bench.py run --workload 'out folder/workload.jsonl'"
    assert profile == f'python run_bench.py profile sdpa --problem "{TRAINED}"'
    assert other == "python run_bench.py profile --rest -- python src/train.py --epochs 2"
    layer = call_sites(script(call(by="MultiheadAttention"), steps=1))
    assert len(sentences.commands(layer, WORKLOAD)) == 1
    decoding = call_sites(script(call("t1/64 full cpu", backward_ms=None)))
    assert len(sentences.commands(decoding, WORKLOAD)) == 2
    profiled = call_sites(script(profiled=PROFILED))
    assert len(sentences.commands(profiled, WORKLOAD)) == 2


def blocks(found: Icicle) -> dict[str, float]:
    """Every block with the values of its parts."""
    sums = [block.value for block in found.blocks]
    for place in range(len(sums) - 1, 0, -1):
        assert found.blocks[place].parent < place
        sums[found.blocks[place].parent] += sums[place]
    return {block.name: size for block, size in zip(found.blocks, sums, strict=True)}


@pytest.mark.parametrize("steps", [1, 10])
def test_bar_and_icicle_add_up_to_the_table(steps: int) -> None:
    found = call_sites(script(*CALLS, others=(dropout(),), steps=steps))
    assert sum(series.x[0] for series in bar(found).series) == pytest.approx(found.whole_ms)
    sums = blocks(icicle(found))
    assert sums[sentences.one(found)] == pytest.approx(found.whole_ms)
    assert sums["outside attention"] == pytest.approx(found.outside_ms)
    lines = names.labels(found.sites)
    for site in found.sites:
        assert sums[lines[site.place]] == pytest.approx(found.each(site.total_ms))


def many(count: int) -> CallSites:
    return call_sites(script(*(call(place=f"a.py:{line} f") for line in range(1, count + 1))))


def test_more_lines_than_colours_share_the_last_part() -> None:
    assert len(bar(many(MOST_COLOURS)).series) == MOST_COLOURS + 1
    last, outside = bar(many(MOST_COLOURS + 3)).series[-2:]
    assert (last.name, outside.name) == ("4 other lines", "outside attention")
    assert last.x[0] == pytest.approx(4 * 20.0)


def test_problems_without_room_share_a_block() -> None:
    calls = (call(f"t{length} full train cpu") for length in range(1, MOST_PROBLEMS + 3))
    sums = blocks(icicle(call_sites(script(*calls))))
    assert sums["2 other problems"] == pytest.approx(2 * 20.0)


def test_a_profiled_step_has_its_kinds_and_the_times_with_and_without_the_profiler() -> None:
    (section,) = rest.sections(call_sites(script(profiled=PROFILED)))
    assert " ".join(section.sentences) == (
        "One later step under torch's profiler: 50 % matrix products, 35 % attention, 15 % Python "
        "and what no operator covers. It took 200 ms, a step without the profiler takes 100 ms: "
        "read shares, not times."
    )
    (table,) = section.tables
    assert column(table, "share") == ["50.0 %", "35.0 %", "15.0 %"]
    assert column(table, "forward ms") == ["60.0", "70.0", ""]
    assert column(table, "backward ms") == ["40.0", "", ""]
    assert column(table, "operators of most time") == ["aten::mm", "aten::bmm", ""]


def test_a_script_without_a_profiled_step_has_no_such_section() -> None:
    assert list(rest.sections(call_sites(script()))) == []


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (script(profiled=PROFILED), ""),
        (script(unprofiled="the script uses a profiler of its own"), "a profiler of its own"),
        (script(), "expected a script with 4 steps of an optimizer or more"),
    ],
)
def test_why_no_step_was_profiled(found: Collected, reason: str) -> None:
    said = rest.unprofiled_step(call_sites(found))
    assert said.endswith(reason)
    assert bool(said) is bool(reason)
