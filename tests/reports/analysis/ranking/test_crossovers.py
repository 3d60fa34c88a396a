from dataclasses import replace

import pytest

from impls.interface import Problem
from reports.analysis.ranking.crossovers import Crossover, crossovers
from reports.analysis.ranking.ratios import ratios_of
from reports.views.parts import sections
from reports.views.parts.crossovers import section, sentence
from reports.views.problems import common_facets
from suites.records.record import Record
from suites.stats.pairing import pair
from tests.reports.analysis.ranking.made import entry, linear, made, problems, square
from tests.saved_run import small_run

LENGTHS = (128, 256, 512, 1024, 2048)
TIMES = {"short": square(1.0), "long": linear(600.0)}


def found_in(*args: object, **run: object) -> list[Crossover]:
    analysis = made(*args, **run)  # type: ignore[arg-type]  # handed on as they came
    return crossovers(analysis, ratios_of(analysis))


def test_ratios_are_those_of_pairs() -> None:
    from reports.analysis.run_analysis import Analysis

    run, records = small_run()
    odd = [
        replace(each, conditions=None) if each.implementation == "chunked" else each
        for each in records
    ]
    odd = [
        replace(each, in_rounds=False, times_ms=each.times_ms[:1], twin_ms=(), conditions=None)
        if each.implementation == "sdpa_math" and each.times_ms
        else each
        for each in odd
    ]
    analysis = Analysis(run, odd)
    checked = 0
    for (problem, threads, _), ratios in ratios_of(analysis).items():
        records_of = analysis.timed[problem, threads]
        for first in ratios.names:
            for second in ratios.names:
                expected = pair(records_of[first], records_of[second]).log_ratios
                assert ratios.between(first, second) == pytest.approx(expected, abs=1e-12)
                checked += 1
    assert checked > 100


def test_the_crossing_is_where_the_times_are_equal() -> None:
    (found,) = found_in(problems(LENGTHS), TIMES)

    assert found.crossing.size == pytest.approx(600, rel=0.01)
    assert (found.before, found.after, found.leads, found.often) == ("short", "long", True, False)
    assert (found.measured, found.sizes, found.sessions) == ((512, 1024), (128, 2048), 5)
    assert found.crossing.low is not None
    assert found.crossing.high is not None
    assert found.crossing.low < 600 < found.crossing.high
    assert common_facets(found.problems)["heads"] == "8"


def test_the_order_of_the_plan_does_not_matter() -> None:
    (found,) = found_in(problems(LENGTHS), dict(reversed(TIMES.items())))

    assert (found.before, found.after) == ("short", "long")
    assert found.crossing.size == pytest.approx(600, rel=0.01)


def test_heads_are_an_axis_too() -> None:
    def batched(problem: Problem) -> float:
        return 5.0

    def each_apart(problem: Problem) -> float:
        return 1.0 * problem.query_heads

    asked = problems((256,), heads=(1, 2, 4, 8, 16))
    (found,) = found_in(asked, {"each_apart": each_apart, "batched": batched})

    assert found.axis.name == "heads"
    assert found.crossing.size == pytest.approx(5, rel=0.01)
    assert "heads" not in common_facets(found.problems)
    assert sentence(found).startswith("batched becomes faster than each_apart from 5 [")
    assert "] heads on (" in sentence(found)


def test_crossovers_of_the_fastest_come_first() -> None:
    others = {"slow": square(40.0), "slower": linear(9000.0)}
    found = found_in(problems(LENGTHS), {**others, **TIMES})

    assert found[0].leads
    assert (found[0].before, found[0].after) == ("short", "long")
    assert not any(each.leads for each in found[1:])
    assert ("slow", "slower") in {(each.before, each.after) for each in found[1:]}


def test_one_length_and_an_order_that_stays_have_no_row() -> None:
    assert found_in(problems((512,)), TIMES) == []
    assert found_in(problems(LENGTHS), {"a": linear(1.0), "b": linear(2.0)}) == []
    assert found_in(problems(LENGTHS), {"a": linear(1.0)}) == []


def test_panels_are_never_compared_with_each_other() -> None:
    entries = (entry("short"), entry("long", panel="layers"))

    assert found_in(problems(LENGTHS), TIMES, made=entries) == []


def test_numbers_of_threads_are_never_compared_with_each_other() -> None:
    found = found_in(problems(LENGTHS), TIMES, threads=(1, 2))

    assert [each.threads for each in found] == [1, 2]
    assert "1 thread)" in sentence(found[0], several=True)
    assert "2 threads)" in sentence(found[1], several=True)


def test_one_session_has_a_crossing_without_an_interval() -> None:
    (found,) = found_in(problems(LENGTHS), TIMES, sessions=1)

    assert not found.crossing.settled
    said = sentence(found)
    assert said.startswith("long may become faster than short between T = 512 and 1,024 (")
    assert "no interval: fewer than two sessions timed both at every size" in said


def test_without_an_interval_no_size_between_the_measured_ones_is_shown() -> None:
    times = {"few": lambda p: p.query_heads**2.0, "many": lambda p: 3.0 * p.query_heads}
    found = section(made(problems((512,), (1, 2, 4, 8)), times, sessions=1))

    assert "many may become faster than few between 2 and 4 heads (" in found.sentences[0]
    (table,) = found.tables
    assert table.rows[0].cells[2].text == "between 2 and 4 heads"
    assert "interval" not in " ".join([table.caption, *found.sentences[1:]])


def test_one_head_is_one_head() -> None:
    times = {"few": lambda p: p.query_heads**2.0, "many": lambda p: 1.01 * p.query_heads}
    (table,) = section(made(problems((512,), (1, 2, 4, 8)), times)).tables

    assert table.rows[0].cells[2].text == "1 head"


def test_a_length_where_one_is_wrong_is_left_out() -> None:
    def wrong_at_512(record: Record) -> Record | None:
        if record.implementation != "long" or record.problem.key_length != 512:
            return record
        if record.session:
            return None
        return replace(
            record,
            status="wrong",
            cause="wrong_output",
            reason="out: 41 times what rounding explains",
        )

    (found,) = found_in(problems(LENGTHS), TIMES, change=wrong_at_512)

    assert found.measured == (256, 1024)
    assert found.crossing.size == pytest.approx(600, rel=0.01)


def test_a_length_with_a_time_of_0_ms_is_left_out() -> None:
    def still(record: Record) -> Record:
        if record.times_ms and record.problem.key_length == 128 and record.implementation == "long":
            return replace(record, times_ms=(0.0,) * 5)
        return record

    (found,) = found_in(problems(LENGTHS), TIMES, change=still)

    assert found.sizes == (256, 2048)


def test_sessions_that_lack_a_length_do_not_count() -> None:
    def short(record: Record) -> Record | None:
        return None if record.session > 3 and record.problem.key_length == 2048 else record

    (found,) = found_in(problems(LENGTHS), TIMES, change=short)

    assert found.sessions == 3
    assert found.crossing.settled


def test_sessions_without_a_common_length_have_a_crossing_without_an_interval() -> None:
    def apart(record: Record) -> Record | None:
        early = record.problem.key_length < 600
        return record if record.session in (0, 1 if early else 2) else None

    (found,) = found_in(problems(LENGTHS), TIMES, sessions=2, change=apart)

    assert (found.sessions, found.crossing.settled) == (0, False)


def test_sessions_that_tie_have_no_interval_and_say_so() -> None:
    def tied(record: Record) -> Record:
        if not record.times_ms:
            return record
        own = TIMES[record.implementation](record.problem)
        return replace(record, times_ms=(own,) * 5)

    (found,) = found_in(problems(LENGTHS), TIMES, change=tied)

    assert "no interval: the sessions tie" in sentence(found)


def test_two_crossovers_of_one_pair_are_reported_as_several() -> None:
    def hump(problem: Problem) -> float:
        return 1.3 if problem.key_length in (512, 1024) else 0.7

    found = found_in(problems(LENGTHS), {"hump": hump, "level": lambda problem: 1.0})

    assert [(each.before, each.after) for each in found] == [("hump", "level"), ("level", "hump")]
    assert all(sentence(each).endswith("their order changes more than once.") for each in found)


def test_a_crossing_near_the_end_may_be_and_says_up_to_where_it_is_not_known() -> None:
    (found,) = found_in(problems(LENGTHS), {"short": square(1.0), "long": linear(2047.5)})

    said = sentence(found)
    assert "long may become faster than short" in said
    assert "2,048 or above]" in said
    assert "not distinguished at 2,048; chance of no change in range: " in said


def test_a_sentence_says_where_and_how_sure() -> None:
    (found,) = found_in(problems((512, 1024, 2048, 4096)), {**TIMES, "long": linear(1500.0)})

    assert sentence(found).startswith("long becomes faster than short from T = 1,50")
    assert "] on (full mask, forward, 8 heads, batch 1, head dimension 64, float32, cpu)." in (
        sentence(found)
    )


def test_the_section_has_sentences_maps_and_a_table() -> None:
    found = section(made(problems(LENGTHS, (4, 8)), TIMES))

    assert (found.id, found.heading) == ("crossovers", "Where the winner changes")
    (table,) = found.tables
    assert table.caption.endswith("Of 2 intervals up to 0.1 are expected to miss.")
    assert [[cell.text for cell in row.cells][:2] for row in table.rows] == [["long", "short"]] * 2
    assert all(len(row.cells) == len(table.head) for row in table.rows)
    assert [row.facets["heads"] for row in table.rows] in (["4", "8"], ["8", "4"])


def test_records_with_other_threads_than_planned_are_left_out_and_break_nothing() -> None:
    analysis = made(problems(LENGTHS), TIMES, change=lambda each: replace(each, threads=7))

    assert crossovers(analysis, ratios_of(analysis)) == []
    assert "limit" in [each.id for each in sections(analysis)]


def test_many_changes_are_counted_rather_than_said() -> None:
    found = section(made(problems(LENGTHS, range(1, 11)), TIMES))

    assert sum("becomes faster" in each for each in found.sentences) == 8
    assert "The table has 2 more changes of the fastest." in found.sentences


def test_a_run_without_times_has_no_section() -> None:
    assert section(made(problems(LENGTHS), TIMES, sessions=0)).is_empty
