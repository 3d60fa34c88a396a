"""The run in a few sentences that its intervals support."""

from __future__ import annotations

import re
from dataclasses import replace

from impls.interface import Limits
from impls.interface.limits import EVERY_BIAS
from reports.analysis.run_analysis import Analysis
from reports.views.findings import MOST_SENTENCES, sentences
from suites.records.plan import Entry
from tests.saved_run import LENGTHS, PROBLEMS, TWO, small_run, two

ONE = PROBLEMS[1]


def test_the_largest_problem_of_each_kind_has_a_sentence() -> None:
    said = sentences(Analysis(*small_run()))
    assert said[0].startswith("Noise here: identical code differed by 0.32 %")
    assert said[0].endswith("79 of 79 comparisons decided; a difference counts from 1 %.")
    largest = f"b1 h8 t{LENGTHS[-1]} d64 window:128 fp32 cpu"
    assert said[2] == (
        f"local_window is the fastest on {largest}; naive, the baseline, takes 47.2x its time "
        "[47.2, 47.2]; it needs 11.6 MiB above the inputs, the baseline 256."
    )
    assert said[4].startswith(
        f"Layers: multi_head is the fastest on {largest}; torch_multi_head takes "
    )
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
    assert said.startswith(f"sdpa_flash is the fastest on b1 h8 t{LENGTHS[3]} ")
    assert "naive, the baseline, takes 8.9x its time" in said


def test_an_implementation_that_was_not_judged_is_not_called_undistinguished() -> None:
    three = (*TWO, Entry(name="sdpa_flash", limits=(Limits(),)))
    run, records = small_run(problems=PROBLEMS[:1], made=three)
    late = [r for r in records if r.implementation != "other" or r.session < 2]
    (_, said) = sentences(Analysis(run, late))
    assert "sdpa_flash is " in said
    assert said.endswith(
        "; other is not judged beside sdpa_flash (one session; an interval takes 2, or 6 rounds of "
        "it)."
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
    assert re.search(r"base, the baseline, takes .* \(in this one process\)", said)


def test_slower_and_equal_implementations_are_reported() -> None:
    same = sentences(Analysis(*two(1.0)))[1]
    assert (
        same == f"none is shown to be faster than base, the baseline, on {ONE}; other is as fast."
    )
    slower = sentences(Analysis(*two(1.3)))[1]
    said = f"base is the fastest on {ONE}; other takes 1.30x its time [1.30, 1.30]."
    assert slower == said
    tiny = sentences(Analysis(*two(0.0005)))[1]
    assert "base, the baseline, takes >1000x its time [>1000, >1000]" in tiny


def test_kinds_differ_in_all_fields_but_sizes() -> None:
    kinds = ("d32 full", "d64 full", "d64 full alibi")
    problems = [f"b1 h{heads} t128 {kind} fp32 cpu" for kind in kinds for heads in (1, 2)]
    limits = (Limits(biases=EVERY_BIAS),)
    made = tuple(Entry(name=name, limits=limits) for name in ("naive", "sdpa_flash"))
    said = "\n".join(sentences(Analysis(*small_run(problems=problems, made=made))))
    for kind in kinds:
        assert said.count(f"on b1 h2 t128 {kind} fp32 cpu;") == 1
    assert " h1 " not in said


def test_a_gain_within_what_identical_code_differs_by_is_none() -> None:
    run, records = two(0.9)
    noisy = [
        replace(r, twin_ms=tuple((1.3, 0.8, 1.25)[r.session % 3] * t for t in r.times_ms))
        if r.twin_ms
        else r
        for r in records
    ]
    assert " takes " not in sentences(Analysis(run, noisy))[1]
    assert "takes 1.11x its time" in sentences(Analysis(run, records))[1]


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
    assert re.search(r"^(\w+) is faster than naive on .*, takes 9.0x its time \[8.8, 9.2\]", said)
    assert re.search(
        r"; (chunked|sdpa_flash) is not distinguished from (chunked|sdpa_flash)\.$", said
    )


def test_only_so_many_kinds_have_a_sentence() -> None:
    problems = [f"b1 h1 t128 d64 window:{reach} fp32 cpu" for reach in range(1, 10)]
    said = sentences(Analysis(*small_run(problems=problems)))
    assert len(said) == 2 + MOST_SENTENCES
    assert said[-1] == "12 further kinds of problem: see the verdicts."


def test_a_run_that_compares_nothing_has_no_summary() -> None:
    assert sentences(Analysis(*small_run(sessions=0))) == []
    run, records = small_run()
    assert sentences(Analysis(run, [r for r in records if r.implementation == "naive"])) == []
