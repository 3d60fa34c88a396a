"""Time in attention per step: arithmetic, the best mix, what is missing, and interpolation."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from impls.interface import Limits, Problem
from impls.interface.limits import EVERY_MASK
from reports.analysis.run_analysis import Analysis
from reports.analysis.sums.rows import StepRow
from suites.records.cases import Case, Step, Unexpressed
from suites.stats.intervals import Interval, over_sessions
from tests.saved_run import timed_run

STEP = "one forward pass"
FULL, WINDOW = (Problem.parse(f"h8 t1024 {mask} fp32 cpu") for mask in ("full", "window:128"))
CASES = (
    Case(problem=FULL, label="full layer", step=STEP, count=4),
    Case(problem=WINDOW, label="window layer", step=STEP, count=12),
)
TOOK = {
    (FULL, "sdpa_flash"): 2.0,
    (FULL, "chunked"): 3.0,
    (FULL, "naive"): 6.0,
    (WINDOW, "sdpa_flash"): 1.5,
    (WINDOW, "chunked"): 0.5,
    (WINDOW, "naive"): 4.0,
}
"""Milliseconds of one call."""


def noisy(of: Problem, name: str, session: int) -> float:
    """The time of a call: sessions differ by a percent, and each arm by a little more."""
    place = list(TOOK).index((of, name))
    return TOOK[of, name] * (1 + session % 3 / 100 + math.sin(7 * place + session) / 500)


def row(
    ms: Callable[[Problem, str, int], float | None] = noisy,
    cases: tuple[Case, ...] = CASES,
    **options: Any,
) -> StepRow:
    """The only row of a run with one step."""
    (found,) = Analysis(*timed_run(ms, cases, **options)).steps
    return found


def sums(*names: str) -> list[float]:
    """The sum of each of five sessions, with these implementations for the two cases."""
    return [
        sum(
            case.count * noisy(case.problem, name, session)
            for case, name in zip(CASES, names, strict=True)
        )
        for session in range(1, 6)
    ]


def test_a_sum_is_that_of_every_session_with_its_student_interval() -> None:
    found = {each.name: each.time for each in row().alone}

    for name, time in found.items():
        every = np.log(sums(name, name))
        half = 2.776445 * every.std(ddof=1) / math.sqrt(5)
        assert time.value == pytest.approx(math.exp(every.mean()))
        assert time.low == pytest.approx(math.exp(every.mean() - half))
        assert time.high == pytest.approx(math.exp(every.mean() + half))
        assert time.sessions == 5
    assert sorted(found, key=lambda name: found[name].value) == list(found)


def test_the_mix_is_better_than_any_single_one() -> None:
    found = row()

    assert found.mix is not None
    assert found.best is not None
    assert found.now is not None
    assert found.mix.names == ("sdpa_flash", "chunked")
    assert found.mix.time.value < min(each.time.value for each in found.alone)
    assert found.mix_saving is not None
    assert found.mix_saving.is_shown
    assert found.now.names == ("sdpa_flash", "sdpa_flash")


def test_a_saving_is_paired_within_sessions_and_joined_by_the_noise_floor() -> None:
    run, records = timed_run(noisy, CASES, twin=0.004)
    analysis = Analysis(run, records)
    (found,) = analysis.steps
    now, then = sums("sdpa_flash", "sdpa_flash"), sums("sdpa_flash", "chunked")

    paired = over_sessions(np.log(np.array(then) / now).tolist())
    assert isinstance(paired, Interval)
    base = math.exp(np.log(now).mean())
    changed = 12 * math.exp(
        np.mean([math.log(noisy(WINDOW, "sdpa_flash", n)) for n in range(1, 6)])
    )
    assert analysis.floor is not None
    assert found.mix is not None
    assert found.mix.saving is not None
    share = found.mix.saving.share
    half = math.hypot(
        paired.estimate * (math.sqrt(paired.high / paired.low) - 1),
        analysis.floor * changed / base,
    )
    assert share.value == pytest.approx(1 - paired.estimate)
    assert share.low is not None
    assert share.high is not None
    assert share.high - share.value == pytest.approx(half)
    assert share.value - share.low == pytest.approx(half)
    assert found.mix.saving.ms.value == pytest.approx(base * share.value)


def test_the_same_implementations_save_nothing_with_certainty() -> None:
    found = row(names=("sdpa_flash", "naive"))

    assert found.mix is not None
    assert found.mix.saving is not None
    share = found.mix.saving.share
    assert (share.value, share.low, share.high) == (0.0, 0.0, 0.0)
    assert not found.mix.saving.is_shown
    assert not found.mix.saving.is_loss


def test_a_choice_is_timed_in_other_sessions_than_those_that_made_it() -> None:
    """Two equal arms with large noise: the smaller one of each session would be far too small."""

    def alike(of: Problem, name: str, session: int) -> float:
        high = session % 2 == (name == "chunked")
        return 2.0 if high else 1.0

    found = row(alike, names=("sdpa_flash", "chunked"), sessions=6)

    assert found.mix is not None
    assert found.mix.time.value > 16 * math.sqrt(2.0)


def test_an_implementation_that_lacks_a_case_has_no_sum() -> None:
    def lacking(of: Problem, name: str, session: int) -> float | None:
        return None if (of, name) == (FULL, "chunked") else noisy(of, name, session)

    found = row(lacking)

    assert {each.name for each in found.alone} == {"sdpa_flash", "naive"}
    assert [(each.name, each.cases) for each in found.lacking] == [("chunked", CASES[:1])]
    assert found.mix is not None
    assert found.mix.names == ("sdpa_flash", "chunked")
    assert found.best is not None
    assert found.best.name == "sdpa_flash"


def test_a_case_without_any_time_is_left_out_of_all_sums() -> None:
    def lacking(of: Problem, name: str, session: int) -> float | None:
        return None if of == FULL else noisy(of, name, session)

    found = row(lacking)

    assert [each.case for each in found.left_out] == [CASES[0]]
    assert found.left_out[0].reason == "no implementation has a time"
    assert found.now is not None
    assert found.now.time.value == pytest.approx(12 * 1.5, rel=0.03)


def test_now_is_the_implementation_that_made_the_same_call_as_the_script() -> None:
    by = "torch.nn.functional.scaled_dot_product_attention"
    cases = (Case(problem=FULL, step=STEP, by=by), Case(problem=WINDOW, step=STEP, by="mine"))
    found = row(lambda *_: 1.0, cases, names=("naive", "sdpa"))

    assert [each.current for each in found.cases] == ["sdpa", "naive"]


def test_in_a_context_for_one_backend_the_choice_of_torch_is_no_alternative() -> None:
    pinned = "torch.nn.functional.scaled_dot_product_attention (math)"
    times = {"sdpa": 1.0, "sdpa_flash": 1.5, "sdpa_math": 4.0}

    def ms(_: Problem, name: str, __: int) -> float:
        return times[name]

    (case,) = (Case(problem=FULL, step=STEP, by=pinned),)
    found = row(ms, (case,), names=tuple(times))
    assert [each.current for each in found.cases] == ["sdpa_math"]
    assert found.best is not None
    assert found.best.names == ("sdpa_flash",)


def test_a_share_of_the_step_needs_its_recorded_time() -> None:
    step = Step(
        name=STEP,
        took_ms=(90.0, 100.0, 110.0),
        unexpressed=(Unexpressed(reason="dropout 0.1", count=2, took_ms=1.5),),
    )
    found, without = row(steps=[step]), row()

    assert found.took_ms == 100.0
    assert found.unexpressed == step.unexpressed
    assert found.mix is not None
    assert found.mix.saving is not None
    assert found.mix.saving.of_step is not None
    assert found.mix.saving.of_step.value == pytest.approx(found.mix.saving.ms.value / 100)
    assert without.mix is not None
    assert without.mix.saving is not None
    assert without.mix.saving.of_step is None


def test_steps_and_threads_have_rows_of_their_own() -> None:
    cases = (*CASES, Case(problem=FULL, step="another"), Case(problem=FULL))
    analysis = Analysis(*timed_run(noisy, cases, threads=(1, 2)))

    found = [(each.step, each.threads, len(each.cases)) for each in analysis.steps]
    assert found == [(STEP, 1, 2), (STEP, 2, 2), ("another", 1, 1), ("another", 2, 1)]


def test_one_session_gives_sums_without_intervals() -> None:
    found = row(sessions=1)

    assert found.mix is not None
    assert found.mix.saving is not None
    assert found.mix.time.low is None
    assert found.mix.saving.share.low is None
    assert found.mix.time.value == pytest.approx(
        4 * noisy(FULL, "sdpa_flash", 1) + 12 * noisy(WINDOW, "chunked", 1)
    )


def test_a_check_has_no_steps() -> None:
    assert Analysis(*timed_run(noisy, CASES, sessions=0)).steps == []


def test_a_run_without_cases_has_no_steps() -> None:
    assert Analysis(*timed_run(noisy, (), problems=(FULL, WINDOW))).steps == []


# Interpolation over length


def length(tokens: int) -> Problem:
    """A problem of this length."""
    return Problem.parse(f"h8 t{tokens} causal fp32 cpu")


LENGTHS = (256, 512, 1024, 2048)


def interpolated(
    ms: Callable[[Problem, str, int], float | None], tokens: int, lengths: tuple[int, ...] = LENGTHS
) -> StepRow:
    """A step of one case that is not measured."""
    cases = (Case(problem=length(tokens), step=STEP, count=3),)
    return row(ms, cases, problems=tuple(map(length, lengths)))


def test_interpolation_is_exact_for_a_power_law() -> None:
    def power(of: Problem, name: str, session: int) -> float:
        return (1 + session / 100) * (of.key_length / 512) ** (1.7 if name == "naive" else 1.2)

    found = interpolated(power, 700)

    (case,) = found.cases
    assert case.between == (length(512), length(1024))
    for sum_ in found.alone:
        exponent = 1.7 if sum_.name == "naive" else 1.2
        own = [3 * (1 + n / 100) * (700 / 512) ** exponent for n in range(1, 6)]
        expected = over_sessions(np.log(own).tolist())
        assert isinstance(expected, Interval)
        assert sum_.time.value == pytest.approx(expected.estimate)
        assert sum_.time.low == pytest.approx(expected.low)


def test_a_padded_length_lies_between_padded_lengths_of_other_batches() -> None:
    def padded(length: int, end: int) -> Problem:
        return Problem.parse(f"b2 h4 t{length} d32 padding:0-{length}/0-{end} fp32 cpu")

    ends = [padded(100, 60), padded(400, 100)]
    case = Case(problem=padded(200, 90), step=STEP)

    def ms(of: Problem, _: str, __: int) -> float:
        return of.key_length / 100

    run, records = timed_run(ms, (case,), problems=ends, names=("sdpa",))
    limits = (Limits(masks=EVERY_MASK),)
    entries = tuple(replace(each, limits=limits) for each in run.plan.entries)
    (found,) = Analysis(replace(run, plan=replace(run.plan, entries=entries)), records).steps
    assert found.cases[0].between == tuple(ends)
    assert found.now is not None
    assert found.now.time.value == pytest.approx(2.0)


def test_the_error_of_interpolation_joins_the_interval() -> None:
    def bent(of: Problem, name: str, session: int) -> float:
        return (1 + session / 1000) * (0.2 + (of.key_length / 512) ** 2)

    def straight(of: Problem, name: str, session: int) -> float:
        return (1 + session / 1000) * (of.key_length / 512) ** 2

    wide, narrow = interpolated(bent, 700).now, interpolated(straight, 700).now

    assert wide is not None
    assert narrow is not None
    assert wide.time.low is not None
    assert wide.time.high is not None
    assert narrow.time.low is not None
    assert wide.time.low < 3 * bent(length(700), "", 3) < wide.time.high
    assert wide.time.value / wide.time.low > narrow.time.value / narrow.time.low * 1.01


def test_two_lengths_bound_the_error_by_the_exponents_of_attention() -> None:
    def linear(of: Problem, name: str, session: int) -> float:
        return (1 + session / 1e6) * of.key_length / 512

    found = interpolated(linear, 724, (512, 1024)).now

    assert found is not None
    assert found.time.low is not None
    assert found.time.value / found.time.low == pytest.approx(math.sqrt(2), rel=2e-3)


@pytest.mark.parametrize(
    ("tokens", "lengths", "reason"),
    [
        (4096, LENGTHS, "length 4096 is outside the measured 256 to 2048"),
        (128, LENGTHS, "length 128 is outside the measured 256 to 2048"),
        (
            700,
            (512,),
            "its problem is not measured, nor are two that differ from it in length only",
        ),
    ],
)
def test_what_lies_outside_the_measured_lengths_is_not_answered(
    tokens: int, lengths: tuple[int, ...], reason: str
) -> None:
    found = interpolated(lambda *_: 1.0, tokens, lengths)

    assert [each.reason for each in found.left_out] == [reason]
    assert found.now is None
    assert found.sums == ()
