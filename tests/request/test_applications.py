"""Suites by application: what each case says of itself, minutes, and able implementations."""

from __future__ import annotations

import re
from collections import Counter

import pytest

import impls
from impls.interface import Implementation, Problem
from suites.request.suites import SUITES, kind_of
from suites.request.suites.applications import sentiment, translation
from suites.request.suites.suite import Gpu, Suite

APPLICATIONS = [suite for name, suite in SUITES.items() if kind_of(name) == "applications"]
NAMES = {"translation", "classification", "sentiment", "vision", "generation", "language", "speech"}
H200 = Gpu((9, 0), 141 << 30)
PLACES = ((("cpu",), Gpu()), (("cuda", "cpu"), H200))
PAGE_S = 30
"""A page takes so long after the budget ended, at most."""

every_suite = pytest.mark.parametrize("suite", APPLICATIONS, ids=lambda suite: suite.name)


def problems_everywhere() -> list[Problem]:
    found = {p for s in APPLICATIONS for place in PLACES for p in s.problems(*place)}
    return sorted(found, key=str)


def test_every_application_has_its_suite() -> None:
    assert {suite.name for suite in APPLICATIONS} == NAMES


@every_suite
def test_every_case_has_a_label_a_source_a_step_and_a_whole_count(suite: Suite) -> None:
    for devices, gpu in PLACES:
        for case in suite.cases(devices, gpu):
            assert case.label
            assert case.step
            assert "arXiv" in case.source or "config" in case.source, case
            assert case.count == int(case.count) >= 1


@every_suite
def test_labels_and_problems_of_a_step_differ(suite: Suite) -> None:
    for devices, gpu in PLACES:
        cases = suite.cases(devices, gpu)
        assert max(Counter((case.step, case.label) for case in cases).values()) == 1
        assert max(Counter((case.step, case.problem) for case in cases).values()) == 1


@every_suite
def test_a_step_has_one_source_and_is_scaled_as_a_whole(suite: Suite) -> None:
    for devices, gpu in PLACES:
        cases = suite.cases(devices, gpu)
        said = {(case.step, case.source, case.scaled) for case in cases}
        assert len(said) == len({case.step for case in cases})


@every_suite
def test_the_budget_and_the_page_end_within_the_stated_minutes(suite: Suite) -> None:
    assert suite.budget_s is not None
    assert suite.minutes is not None
    assert suite.budget_s + PAGE_S <= 60 * suite.minutes
    assert suite.sessions >= 3  # with two, an interval is five times as wide


@every_suite
def test_a_cpu_gets_float32_and_a_gpu_the_whole_batches_in_16_bits(suite: Suite) -> None:
    assert {p.dtype for p in suite.problems(("cpu",))} == {"float32"}
    assert {p.dtype for p in suite.problems(("cuda", "cpu"), H200)} == {"bfloat16"}
    assert {p.dtype for p in suite.problems(("cuda",), Gpu((7, 5)))} == {"float16"}
    said = {case.scaled for case in suite.cases(("cuda",), H200)}
    assert not any(" of " in words for words in said), said


def test_a_step_that_does_not_fit_a_gpu_is_left_out_whole() -> None:
    def counts(gpu: Gpu) -> Counter[str]:
        found = (suite.cases(("cuda",), gpu) for suite in APPLICATIONS)
        return Counter(case.step for cases in found for case in cases)

    whole, small = counts(H200), counts(Gpu((8, 0), 1 << 26))
    assert set(small) < set(whole)
    assert all(whole[step] == count for step, count in small.items())


@pytest.mark.parametrize("problem", problems_everywhere(), ids=str)
def test_at_least_two_implementations_are_able_without_a_slow_start(problem: Problem) -> None:
    known = impls.load().values()
    quick = [each for each in known if isinstance(each, Implementation) and not each.slow_start]
    able = [
        each for each in quick if each.panel == "attention" and not each.refusals(problem, (9, 0))
    ]
    assert len(able) >= 2, [each.refusals(problem, (9, 0)) for each in quick]


def test_a_case_that_is_left_out_names_a_problem_that_the_suite_lacks() -> None:
    named = [
        Problem.parse(text)
        for suite in APPLICATIONS
        for reason in suite.left_out
        for text in re.findall(r'--problem "([^"]+)"', reason)
    ]
    assert named
    assert not {problem for suite in APPLICATIONS for problem in suite.problems(("cpu",))} & {
        *named
    }


def test_lengths_of_texts_are_sorted_and_within_what_their_table_says() -> None:
    for lengths, longest in (
        (sentiment.SST_2, 60),
        (sentiment.IMDB, 512),
        (sentiment.IMDB_32, 512),
    ):
        assert list(lengths) == sorted(lengths)
        assert max(lengths) <= longest
    assert len(sentiment.SST_2) == len(sentiment.IMDB_32) == sentiment.BATCH
    english = [pair[0] for pair in translation.PAIRS]
    assert english == sorted(english)
    assert max(map(max, translation.PAIRS)) <= 50


@pytest.mark.parametrize(
    ("lengths", "mean"),
    [
        (sentiment.SST_2, 25.5),
        ([pair[0] for pair in translation.PAIRS], 22.5),
        ([pair[1] for pair in translation.PAIRS], 21.4),
    ],
)
def test_a_batch_has_the_mean_length_of_its_data(lengths: list[int], mean: float) -> None:
    assert sum(lengths) / len(lengths) == pytest.approx(mean, rel=0.05)


def test_the_decoded_tokens_of_whisper_add_up() -> None:
    for model, layers in (("large-v3", 32), ("large-v3-turbo", 4)):
        cases = SUITES["speech"].cases(("cpu",), Gpu())
        step = [case for case in cases if case.step.startswith(f"Whisper {model}, one 30 s window")]
        tokens = [case.count for case in step if case.problem.query_length == 1]
        assert sum(tokens) == 2 * 224 * layers  # self-attention and cross-attention
