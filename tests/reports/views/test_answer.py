"""The answer in sentences."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from impls.interface import Limits
from impls.interface.limits import EVERY_BIAS
from reports.analysis.run_analysis import Analysis
from reports.views.answer import MOST_SENTENCES, sentences
from suites.records.plan import Entry
from tests.reports.analysis.ranking.made import entry, linear, made, problems, square
from tests.saved_run import TWO, small_run, two

LENGTHS = (128, 256, 512, 1024, 2048)
CROSSING = {"short": square(1.0), "long": linear(600.0)}


def said(*args: object, **run: object) -> list[str]:
    return sentences(made(*args, **run))  # type: ignore[arg-type] # passed through


def test_the_name_to_use_comes_first_with_the_lead_on_the_largest_problem() -> None:
    (one,) = said(problems(LENGTHS, (1, 4)), {"a": linear(1.0), "b": linear(1.5), "c": linear(3.0)})
    assert re.fullmatch(
        r"full: use a at every size; at T = 2,048 with 4 heads next is b, 1\.50x as long "
        r"\[1\.\d\d, 1\.\d\d\]\.",
        one,
    )


def test_a_crossing_is_stated_with_its_interval() -> None:
    (one,) = said(problems(LENGTHS), CROSSING)
    match = re.match(r"full: use long from T = (\d+) \[(\d+), (\d+)\] on, short below; ", one)
    assert match is not None
    size, low, high = map(int, match.groups())
    assert low <= size <= high
    assert 590 < size < 610


def test_crossings_that_differ_between_heads_are_a_range() -> None:
    times: dict[str, Callable[..., float]] = {
        "short": square(1.0),
        "long": lambda problem: problem.key_length * (600.0 if problem.query_heads == 1 else 900.0),
    }
    (one,) = said(problems(LENGTHS, (1, 8)), times)
    assert re.match(r"full: use long from T = 60\d to 90\d \(by heads\) on, short below; ", one)


def test_without_an_interval_the_measured_size_stands() -> None:
    (one,) = said(problems(LENGTHS), CROSSING, sessions=1)
    assert " [" not in one.split(";")[0]


def test_a_single_problem_lists_the_rivals() -> None:
    slower = sentences(Analysis(*two(1.3)))
    assert slower == ["full: use base; next is other, 1.30x as long [1.30, 1.30]."]
    run, records = small_run(problems=["b1 h8 t256 d64 full fp32 cpu"])
    (first, *_) = sentences(Analysis(run, records))
    assert re.match(
        r"full: use sdpa_flash; next is chunked, .*, then sdpa_math, .*, then naive, ", first
    )


def test_those_not_distinguished_are_named() -> None:
    (one,) = sentences(Analysis(*two(1.0002)))
    assert re.fullmatch(
        r"full: use (base or other; other|other or base; base) \(1\.00x as long "
        r"\[1\.00, 1\.00\]\) is not distinguished from it\.",
        one,
    )


def test_one_session_has_no_interval() -> None:
    (alone,) = sentences(Analysis(*two(0.5, (1.0,))))
    assert alone == (
        "full: use other or base; base (2.00x as long, without an interval) is not distinguished "
        "from it."
    )


def test_the_memory_is_named_where_the_fastest_needs_much_more() -> None:
    run, records = two(1.3)
    heavy = [
        replace(each, peak_bytes=8 * 2**20 if each.implementation == "base" else 2**20)
        if each.peak_bytes is not None
        else each
        for each in records
    ]
    (one,) = sentences(Analysis(run, heavy))
    assert one.endswith("; it needs 8.00 MiB above the inputs, other 1.00 MiB.")


def test_another_panel_has_one_sentence_where_one_name_serves_all() -> None:
    asked = [*problems(LENGTHS[:3]), *problems(LENGTHS[:3], rest="causal")]
    made_ = (entry("a"), entry("b"), entry("layer", "layers"), entry("other", "layers"))
    times = {"a": linear(1.0), "b": linear(2.0), "layer": linear(1.0), "other": linear(4.0)}
    *_, last = said(asked, times, made=made_)
    assert last.startswith("layers: use layer on all 6 problems; at T = 512 with 8 heads (")
    assert "next is other, 4.0x as long" in last


def test_kinds_are_named_by_the_words_that_set_them_apart() -> None:
    kinds = ("d32 full", "d64 full", "d64 full alibi")
    asked = [f"b1 h{heads} t128 {kind} fp32 cpu" for kind in kinds for heads in (1, 2)]
    limits = (Limits(biases=EVERY_BIAS),)
    entries = tuple(Entry(name=name, limits=limits) for name in ("naive", "sdpa_flash"))
    found = sentences(Analysis(*small_run(problems=asked, made=entries)))
    assert [each.split(":")[0] for each in found] == ["full d32", "full d64", "full d64 alibi"]


def test_only_so_many_kinds_have_a_sentence() -> None:
    asked = [f"b1 h1 t128 d64 window:{reach} fp32 cpu" for reach in range(1, 13)]
    entries = tuple(Entry(name=name, limits=(Limits(),)) for name in ("naive", "sdpa_flash"))
    found = sentences(Analysis(*small_run(problems=asked, made=entries)))
    assert len(found) == MOST_SENTENCES + 1
    assert found[-1] == "4 more kinds of problem: on the page."


def test_a_run_that_compares_nothing_has_no_answer() -> None:
    assert sentences(Analysis(*small_run(sessions=0))) == []
    run, records = small_run(made=TWO)
    assert sentences(Analysis(run, [r for r in records if r.implementation == "base"])) == []


def test_one_near_the_fastest_everywhere_comes_with_its_distance() -> None:
    patchwork: dict[str, Callable[..., float]] = {
        "even": lambda _: 1.1,
        "odd": lambda problem: 1.0 if problem.key_length % 256 else 2.0,
        "other": lambda problem: 2.0 if problem.key_length % 256 else 1.0,
    }
    (one,) = said(problems((128, 256, 384, 512, 640)), patchwork)
    assert one.startswith(
        "full: use even at every size; never above 1.10x the time of the fastest; "
    )
    assert "faster there is odd, 0.91x as long [0.9" in one


def test_a_crossing_over_heads_has_tenths() -> None:
    times: dict[str, Callable[..., float]] = {
        "few": lambda problem: problem.query_heads**2 * problem.key_length,
        "many": lambda problem: 2.6 * problem.query_heads * problem.key_length,
    }
    (one,) = said(problems((256,), (1, 2, 4, 8)), times)
    assert re.match(r"full: use many from 2\.[56]( \[[\d., ]+\])? heads on, few below; ", one)


def test_kinds_that_would_read_alike_have_their_grouped_heads_and_unequal_lengths() -> None:
    words = ["h4 t256 full", "h8/2 t256 full", "h4 t1/256 full", "h4 t256 causal"]
    run, records = small_run(problems=[f"b1 {each}" for each in words])
    labels = [each.partition(": ")[0] for each in sentences(Analysis(run, records))]
    assert labels[:4] == ["full", "full h8/2", "full t1/256", "causal"]
