"""The run in a few sentences that its intervals support."""

from __future__ import annotations

from dataclasses import replace

from impls.interface import Limits
from impls.interface.limits import EVERY_BIAS
from reports.analysis.run_analysis import Analysis
from reports.views.findings import MOST_SENTENCES, sentences
from suites.records.plan import Entry
from tests.saved_run import LENGTHS, PROBLEMS, TWO, small_run, two


def test_the_largest_problem_of_each_kind_has_a_sentence() -> None:
    said = sentences(Analysis(*small_run()))
    assert said[0].startswith("Identical code, the baseline and its twin, may differ by 0.2 %")
    assert said[0].endswith("79 of 79 comparisons decided; a difference counts from 1 %.")
    where = f"t T = {LENGTHS[-1]}, 8 heads of 64, float32, window:128, forward on cpu"
    assert said[2] == (
        f"A{where}: local_window is 47.2x [47.2, 47.2] faster than naive, the baseline; it needs "
        "11.6 MiB above the inputs, the baseline 256."
    )
    assert said[4].startswith(f"Layers, a{where}: multi_head, the baseline, is the fastest")
    assert len(said) == 5


def test_an_open_verdict_claims_nothing() -> None:
    said = sentences(Analysis(*two(1.0095)))
    assert said[0].endswith("0 of 1 comparison decided; a difference counts from 1 %.")
    assert said[1].endswith("inconclusive; other is not distinguished from base, the baseline.")
    (_, alone) = sentences(Analysis(*two(0.5, (1.0,))))
    assert ": other is not judged beside base, the baseline (one session; an interval" in alone
    assert "not distinguished" not in alone


def test_a_length_that_one_session_came_to_does_not_lead() -> None:
    made = tuple(Entry(name=name, limits=(Limits(),)) for name in ("naive", "sdpa_flash"))
    run, records = small_run(problems=PROBLEMS[:5], made=made)
    kept = [r for r in records if r.problem != PROBLEMS[4] or r.session < 2]
    (_, said) = sentences(Analysis(run, kept))
    assert said.startswith(f"At T = {LENGTHS[3]}, ")
    assert "sdpa_flash is 8.9x " in said


def test_an_implementation_that_was_not_judged_is_not_called_undistinguished() -> None:
    three = (*TWO, Entry(name="sdpa_flash", limits=(Limits(),)))
    run, records = small_run(problems=PROBLEMS[:1], made=three)
    late = [r for r in records if r.implementation != "other" or r.session < 2]
    (_, said) = sentences(Analysis(run, late))
    assert "sdpa_flash is " in said
    assert said.endswith(
        "; other is not judged beside it (one session; an interval takes 2, or 6 rounds of it)."
    )


def test_comparisons_within_one_process_are_counted_apart() -> None:
    run, records = two(0.5, (1.0,))
    many = [
        replace(
            r,
            times_ms=tuple(
                t * (1 + i / 1e4 * (r.implementation == "other")) for i, t in enumerate(r.times_ms)
            )
            * 3,
            twin_ms=r.twin_ms * 3,
            conditions=None,
        )
        if r.times_ms
        else r
        for r in records
    ]
    head, said = sentences(Analysis(run, many))
    assert "0 of 1 comparison decided, 1 more within one process only; a difference" in head
    assert "faster than base, the baseline (in this one process)" in said


def test_slower_and_equal_implementations_are_reported() -> None:
    assert "faster than base, the baseline; other is as fast." in sentences(Analysis(*two(1.0)))[1]
    slower = sentences(Analysis(*two(1.3)))[1]
    assert "base, the baseline, is the fastest; other takes 1.300 [" in slower


def test_kinds_differ_in_all_fields_but_sizes() -> None:
    kinds = ("d32 full", "d64 full", "d64 full alibi")
    problems = [f"b1 h{heads} t128 {kind} fp32 cpu" for kind in kinds for heads in (1, 2)]
    limits = (Limits(biases=EVERY_BIAS),)
    made = tuple(Entry(name=name, limits=limits) for name in ("naive", "sdpa_flash"))
    said = "\n".join(sentences(Analysis(*small_run(problems=problems, made=made))))
    assert said.count("At T = 128, 2 heads of 32, float32, full, forward on cpu: ") == 1
    assert said.count("At T = 128, 2 heads of 64, float32, full, forward on cpu: ") == 1
    assert said.count("At T = 128, 2 heads of 64, float32, full, alibi bias, forward on cpu: ") == 1
    assert "1 head of" not in said


def test_a_gain_within_what_identical_code_differs_by_is_none() -> None:
    run, records = two(0.9)
    noisy = [
        replace(r, twin_ms=tuple((1.3, 0.8, 1.25)[r.session % 3] * t for t in r.times_ms))
        if r.twin_ms
        else r
        for r in records
    ]
    assert " is 1.1" not in sentences(Analysis(run, noisy))[1]
    assert "other is 1.1" in sentences(Analysis(run, records))[1]


def test_implementations_not_distinguished_from_the_fastest_are_named() -> None:
    run, records = small_run()
    as_fast = {(r.problem, r.session): r for r in records if r.implementation == "sdpa_flash"}
    alike = [
        replace(
            r,
            times_ms=tuple(
                t * (1 + (r.session - 2) / 100) for t in as_fast[r.problem, r.session].times_ms
            ),
        )
        if r.implementation == "chunked" and r.times_ms
        else r
        for r in records
    ]
    said = sentences(Analysis(run, alike))[1]
    assert "9.0x [8.8, 9.2] faster than naive" in said
    assert said.endswith(" is not distinguished from it.")


def test_only_so_many_kinds_have_a_sentence() -> None:
    problems = [f"b1 h1 t128 d64 window:{reach} fp32 cpu" for reach in range(1, 10)]
    said = sentences(Analysis(*small_run(problems=problems)))
    assert len(said) == 2 + MOST_SENTENCES
    assert said[-1] == "12 further kinds of problem: see the verdicts."


def test_a_run_that_compares_nothing_has_no_summary() -> None:
    assert sentences(Analysis(*small_run(sessions=0))) == []
    run, records = small_run()
    assert sentences(Analysis(run, [r for r in records if r.implementation == "naive"])) == []
