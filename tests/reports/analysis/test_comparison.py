"""Two implementations, or two runs: what is compared, and what has no verdict."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from impls.interface import Limits
from reports.analysis.comparison import (
    IS_BASELINE,
    NOTHING_SHARED,
    Comparison,
    ComparisonRow,
    implementations,
    no_longer_timed,
    slower_beyond,
)
from reports.analysis.differences import differences
from reports.analysis.run_comparison import runs
from reports.rows.measurements import measurements
from reports.views.commands import interleaved_command
from reports.views.comparison import not_gated, sentences
from reports.views.differences import sentence, side_by_side
from reports.views.differences import sentences as differences_in_words
from suites.records.plan import Entry
from suites.records.record import Record
from suites.records.store import Run
from tests.reports.row_data import rows_of, verdicts
from tests.saved_run import MACHINE, PROBLEMS, small_run, two

ONE = PROBLEMS[1]


def renamed(run: Run, **machine: Any) -> Run:
    return replace(run, name="later", machine={**run.machine, **machine})


def compared(base: float, new: float, **plan: Any) -> Comparison:
    """Two runs in which the other took `base` and `new` times as long as the baseline."""
    ours, theirs = two(base), two(new, **plan)
    return runs(*ours, renamed(theirs[0]), theirs[1])


def said_of(run: Run, other: Run) -> list[str]:
    """What differs between two runs, in words."""
    return [sentence(each, run.name, other.name) for each in differences(run, other)]


def only(found: Iterable[ComparisonRow], implementation: str) -> dict[str, Any]:
    rows = [row for row in rows_of(found) if row["implementation"] == implementation]
    assert len(rows) == 1
    return rows[0]


def test_two_implementations_get_the_verdicts_of_their_run() -> None:
    run, records = small_run()
    found = implementations(run, records, "naive", "chunked")
    judged = [r for r in verdicts(run, records) if r["implementation"] == "chunked"]
    assert (found.base, found.new, found.differences) == ("naive", "chunked", ())
    assert len(found.rows) == len(judged) == 18
    own = ("base_ms", "new_ms", "missing", "series", "is_baseline")
    for ours, theirs in zip(rows_of(found.rows), judged, strict=True):
        shared = [name for name in ours if name not in own]
        assert {name: ours[name] for name in shared} == {name: theirs[name] for name in shared}


def test_any_two_may_be_compared_not_only_with_the_baseline() -> None:
    run, records = small_run(problems=PROBLEMS[:2])
    ours = rows_of(implementations(run, records, "chunked", "sdpa_flash").rows)
    turned = rows_of(implementations(run, records, "sdpa_flash", "chunked").rows)
    assert [row["verdict"] for row in ours] == ["faster", "faster"]
    assert [row["verdict"] for row in turned] == ["slower", "slower"]
    assert [1 / row["ratio"] for row in ours] == pytest.approx([row["ratio"] for row in turned])


def test_an_implementation_against_itself_is_never_faster_or_slower() -> None:
    found = implementations(*small_run(), "chunked", "chunked")
    assert {row.verdict for row in found.rows} == {"not judged"}


def test_an_unknown_implementation_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(
        ValueError, match=r"no implementation 'chunk' in run .*; did you mean 'chunked'"
    ):
        implementations(*small_run(), "naive", "chunk")
    with pytest.raises(ValueError, match=r"no implementation '7'.*; it has naive, chunked"):
        implementations(*small_run(), "7", "naive")


def test_a_layer_is_not_compared_with_attention() -> None:
    with pytest.raises(
        ValueError, match="naive is in the panel attention and multi_head in the panel layers"
    ):
        implementations(*small_run(), "naive", "multi_head")
    assert len(implementations(*small_run(), "multi_head", "torch_multi_head").rows) == 18


def test_a_run_against_itself_is_never_faster_or_slower() -> None:
    run, records = small_run()
    found = runs(run, records, run, records)
    assert {row.verdict for row in found.rows} <= {"same", "inconclusive", "not judged"}
    assert "same" in {row.verdict for row in found.rows}
    assert found.differences == ()
    assert len(found.rows) == len(measurements(run, records))


@pytest.mark.parametrize(
    ("base", "new", "word"),
    [(2.0, 2.0, "same"), (2.0, 2.1, "slower"), (2.0, 1.9, "faster"), (2.0, 2.017, "inconclusive")],
)
def test_two_runs_are_compared_by_their_ratios_to_a_shared_baseline(
    base: float, new: float, word: str
) -> None:
    found = only(compared(base, new).rows, "other")
    assert (found["verdict"], found["baseline"]) == (word, "base")
    assert found["ratio"] == pytest.approx(new / base, rel=1e-3)
    assert found["low"] < found["ratio"] < found["high"]
    assert found["basis"] == "sessions"


def test_a_machine_that_is_slower_as_a_whole_makes_nothing_slower() -> None:
    run, records = two(2.0)
    late = [replace(r, times_ms=tuple(1.5 * t for t in r.times_ms), twin_ms=()) for r in records]
    found = only(runs(run, records, renamed(run), late).rows, "other")
    assert found["verdict"] == "same"
    assert found["new_ms"] == pytest.approx(1.5 * found["base_ms"])


def test_the_baseline_itself_has_milliseconds_and_no_verdict() -> None:
    found = only(compared(2.0, 2.1).rows, "base")
    assert found["base_ms"] == found["new_ms"] > 0
    assert (found["verdict"], found["ratio"], found["reason"]) == (
        "not judged",
        None,
        IS_BASELINE,
    )


def test_a_comparison_says_that_runs_were_measured_at_different_times() -> None:
    said = " ".join(sentences(compared(2.0, 2.1)))
    assert "2026-01-02-quick and later were measured at different times" in said
    assert "2 comparisons: 1 slower, 1 not judged; a difference counts from 1 %." in said


def test_the_floor_of_two_runs_is_that_of_both_together() -> None:
    one = verdicts(*two(2.0))[0]["floor"]
    found = only(compared(2.0, 2.0).rows, "other")
    assert found["floor"] == pytest.approx(2**0.5 * one, rel=1e-3)


def test_delta_is_by_default_that_of_the_new_run() -> None:
    assert only(compared(2.0, 2.1, delta=0.2).rows, "other")["verdict"] == "same"
    run, records = two(2.0)
    later, slower = two(2.1)
    assert only(runs(run, records, later, slower, delta=0.2).rows, "other")["verdict"] == "same"


def test_a_baseline_whose_file_has_changed_is_not_shared() -> None:
    run, records = two(2.0)
    entries = tuple(
        replace(e, hashes={"base": "other"} if e.name == "base" else {}) for e in run.plan.entries
    )
    later = replace(renamed(run), plan=replace(run.plan, entries=entries))
    found = runs(run, records, later, records)
    assert only(found.rows, "base")["baseline"] == "other"
    assert only(found.rows, "other")["reason"] == NOTHING_SHARED


def test_one_session_of_a_run_gives_no_verdict() -> None:
    run, records = two(2.0)
    later, slower = two(2.1, (1.0,))
    found = only(runs(run, records, later, slower).rows, "other")
    assert (found["verdict"], found["ratio"]) == ("not judged", pytest.approx(1.05, rel=1e-3))
    assert found["reason"] == "an interval takes 2 sessions of each run, not 1"


def test_what_is_no_longer_timed_has_a_row_that_says_why() -> None:
    run, records = two(2.0)
    wrong = Record(
        session=0,
        problem=ONE,
        implementation="other",
        status="wrong",
        cause="wrong_output",
        reason="row 3",
    )
    later = [wrong, *(r for r in records if r.implementation == "base")]
    compared = runs(run, records, renamed(run), later)
    assert f"No longer timed in later: other on {ONE}." in sentences(compared)
    found = compared.rows
    assert only(found, "other")["reason"] == "wrong in later: row 3"
    assert [row.implementation for row in no_longer_timed(found)] == ["other"]
    turned = runs(renamed(run), later, run, records).rows
    assert only(turned, "other")["verdict"] == "not judged"
    assert no_longer_timed(turned) == []


def test_an_implementation_that_was_not_timed_yet_has_a_reason() -> None:
    run, records = two(2.0)
    later = [r for r in records if r.implementation == "base" or r.session == 0]
    found = only(runs(run, records, renamed(run), later).rows, "other")
    assert found["reason"] == "not timed in later"


def test_a_sample_of_0_ms_is_not_judged() -> None:
    run, records = two(2.0)
    still = [
        replace(r, times_ms=(0.0,) * 5) if r.times_ms and r.implementation == "other" else r
        for r in records
    ]
    found = only(runs(run, records, renamed(run), still).rows, "other")
    assert found["reason"].startswith("a sample of 0 ms")


def test_what_only_one_run_holds_is_named() -> None:
    small, large = small_run(problems=PROBLEMS[:2]), small_run(problems=PROBLEMS[:3])
    entries = tuple(e for e in small[0].plan.entries if e.name != "chunked")
    small = (replace(small[0], plan=replace(small[0].plan, entries=entries)), small[1])
    found = runs(*small, renamed(large[0]), large[1])
    assert "Only in later: chunked, 1 problem." in sentences(found)
    assert "chunked" not in {row.implementation for row in found.rows}
    assert {row.problem for row in found.rows} == set(PROBLEMS[:2])


def test_two_runs_with_nothing_in_common_say_so() -> None:
    small, other = small_run(problems=PROBLEMS[:1]), small_run(problems=PROBLEMS[1:2])
    found = runs(*small, *other)
    assert sentences(found)[0] == "Nothing was measured on both sides."
    assert slower_beyond(found.rows, 0.03) == []
    assert no_longer_timed(found.rows) == []


def test_a_gate_counts_only_what_is_slower_with_its_whole_interval() -> None:
    found = compared(2.0, 2.1).rows
    assert [row.implementation for row in slower_beyond(found, 0.03)] == ["other"]
    assert slower_beyond(found, 0.05) == []
    assert slower_beyond(compared(2.1, 2.0).rows, 0.0) == []


def without(run: Run, name: str) -> Run:
    """A later run whose plan lacks an implementation."""
    entries = tuple(entry for entry in run.plan.entries if entry.name != name)
    return replace(renamed(run), plan=replace(run.plan, entries=entries))


def test_a_gate_that_could_find_nothing_says_why() -> None:
    assert not_gated(compared(2.0, 2.0)) == ""
    run, records = two(2.0)
    beside = runs(run, records, without(run, "other"), records)
    assert not_gated(beside) == "none of 1 comparison was judged: no shared baseline was measured"
    small, other = small_run(problems=PROBLEMS[:1]), small_run(problems=PROBLEMS[1:2])
    assert not_gated(runs(*small, *other)) == "nothing was measured on both sides"


def test_what_the_base_timed_and_the_new_run_did_not_even_plan_is_named() -> None:
    run, records = small_run(problems=PROBLEMS[:3])
    few = replace(without(run, "chunked"), plan=replace(run.plan, problems=PROBLEMS[:2]))
    later = [r for r in records if r.problem != PROBLEMS[2] and r.implementation != "chunked"]
    (said,) = [each for each in sentences(runs(run, records, few, later)) if "No longer" in each]
    assert said.startswith(
        f"No longer timed in later: naive on {PROBLEMS[2]}, chunked on 3 problems,"
    )


def test_two_implementations_say_where_only_one_has_a_time() -> None:
    said = sentences(implementations(*small_run(), "naive", "local_window"))
    assert "Timed for naive and not for local_window: 9 problems." in said


def test_a_run_beside_itself_is_not_said_to_be_of_another_time() -> None:
    run, records = two(2.0)
    assert "different times" not in " ".join(sentences(runs(run, records, run, records)))


def test_a_run_does_not_differ_from_itself() -> None:
    run, _ = small_run()
    assert differences(run, renamed(run)) == []


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        ({"cpu": "Other"}, "CPU: Example CPU 9000 in 2026-01-02-quick, Other in later"),
        ({"cores": 4}, "cores: 2 in 2026-01-02-quick, 4 in later"),
        ({"memory_bytes": 2**34}, "memory: 8 GiB in 2026-01-02-quick, 16 GiB in later"),
        ({"cores": None}, "cores: 2 in 2026-01-02-quick, not recorded in later"),
        (
            {"versions": {"torch": "2.14.0", "xformers": None}},
            "torch: 2.13.0+cpu in 2026-01-02-quick, 2.14.0 in later",
        ),
        (
            {"versions": {"torch": "2.13.0+cpu", "xformers": "0.0.35"}},
            "xformers: not installed in 2026-01-02-quick, 0.0.35 in later",
        ),
        (
            {"allocator": "glibc 2.36, retain"},
            "allocator: glibc 2.36, default in 2026-01-02-quick, glibc 2.36, retain in later",
        ),
    ],
)
def test_a_difference_between_machines_has_a_sentence(machine: dict[str, Any], said: str) -> None:
    run, _ = small_run()
    assert said_of(run, renamed(run, **machine)) == [said]


def test_labels_of_the_plan_are_part_of_the_fingerprint() -> None:
    run, records = small_run()
    plan = replace(run.plan, threads=(1, 2), cache="cold", allocator="retain")
    found = runs(run, records, replace(renamed(run), plan=plan), records)
    assert differences_in_words(found) == [
        "--threads: 2 in 2026-01-02-quick, 1, 2 in later",
        "--cache: hot in 2026-01-02-quick, cold in later",
        "--allocator: default in 2026-01-02-quick, retain in later",
    ]


def test_what_only_draws_the_page_is_no_difference() -> None:
    run, _ = small_run()
    assert differences(run, renamed(run, versions={**MACHINE["versions"], "plotly": "9"})) == []


def test_a_device_that_no_problem_asks_for_is_no_difference() -> None:
    run, _ = small_run()
    devices = [*MACHINE["devices"], {"device": "cuda", "name": "Example GPU"}]
    assert differences(run, renamed(run, devices=devices)) == []
    devices = [{"device": "cpu", "name": "Other"}]
    assert len(differences(run, renamed(run, devices=devices))) == 1


def test_two_implementations_are_measured_side_by_side_by_one_command() -> None:
    own = Entry(name="mine", files={"mine": "/home/me/my file.py"}, limits=(Limits(),))
    command = interleaved_command(ONE, Entry(name="naive"), own, sessions=8)
    assert shlex.split(command) == [
        *(
            "python",
            "run_bench.py",
            "run",
            "--problem",
            str(ONE),
            "--impl",
            "/home/me/my file.py:mine",
        ),
        *("--against", "naive", "--sessions", "8"),
    ]


def test_a_file_that_changed_between_runs_is_copied_beside_the_new_one() -> None:
    run, records = two(2.0)

    def hashed(hash_of_other: str) -> tuple[Entry, ...]:
        own = replace(
            run.plan.entries[1], files={"other": "/w/other.py"}, hashes={"other": hash_of_other}
        )
        return (run.plan.entries[0], own)

    before = replace(run, plan=replace(run.plan, entries=hashed("aa")))
    after = replace(renamed(run), plan=replace(run.plan, entries=hashed("bb")))
    said = (
        "other.py has changed: to measure both versions side by side, copy the old one to "
        "/w/old_other.py, call its function old_other, and run: python run_bench.py run "
        f'--problem "{ONE}" --impl "/w/other.py:other" --against "/w/old_other.py:old_other" '
        "--threads 2"
    )
    changed = runs(before, records, after, records)
    assert side_by_side(changed) == [said]
    assert side_by_side(runs(before, records, before, records)) == []
    assert said in sentences(changed)
