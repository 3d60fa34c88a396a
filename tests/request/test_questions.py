"""The suites by question, and what holds for the cases of every suite."""

from __future__ import annotations

from collections import Counter

import pytest

from impls.interface import Problem
from suites.records.plan import Entry
from suites.request.planning import plan_of, requested, specs_of, threads_of
from suites.request.suites import SUITES, kind_of
from suites.request.suites.questions.documents import MEANS, drawn
from suites.request.suites.questions.serving import drawn as requests
from suites.request.suites.suite import MEMORY_SHARE, Gpu, Suite

H100 = Gpu((9, 0), 80 << 30)
PLACES = ((("cpu",), Gpu()), (("cuda", "cpu"), H100), (("cuda", "cpu"), Gpu((7, 5), 16 << 30)))
QUESTIONS = [suite for suite in SUITES.values() if kind_of(suite.name) == "questions"]
ON_CPU = ("threads", "ranks")
"""Suites whose problems are on the CPU, whatever the machine has."""
SMALL_MACHINE = 8 << 30
"""Bytes of memory of a machine on which the suites run."""


def problems(name: str) -> tuple[Problem, ...]:
    return SUITES[name].problems(("cpu",))


@pytest.mark.parametrize("suite", QUESTIONS, ids=lambda suite: suite.name)
def test_every_suite_by_question_ends_in_stated_minutes_and_says_what_it_leaves_out(
    suite: Suite,
) -> None:
    assert suite.asks.endswith("?")
    assert suite.minutes is not None
    assert suite.budget_s is not None
    assert suite.budget_s + 60 <= 60 * suite.minutes  # starting and the page take a part
    assert suite.left_out


@pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.name)
@pytest.mark.parametrize(("devices", "gpu"), PLACES)
def test_the_cases_of_every_suite_parse_fit_and_have_a_source(
    suite: Suite, devices: tuple[str, ...], gpu: Gpu
) -> None:
    cases = suite.cases(devices, gpu)
    assert cases
    for case in cases:
        assert Problem.parse(str(case.problem)) == case.problem
        assert bool(case.source) >= bool(case.label), case.problem
        memory = gpu.memory_bytes if case.problem.device == "cuda" else SMALL_MACHINE
        assert MEMORY_SHARE * case.problem.fewest_bytes <= (memory or SMALL_MACHINE)


@pytest.mark.parametrize("suite", QUESTIONS, ids=lambda suite: suite.name)
@pytest.mark.parametrize(("devices", "gpu"), PLACES)
def test_no_problem_is_twice_in_a_step_of_a_suite_by_question(
    suite: Suite, devices: tuple[str, ...], gpu: Gpu
) -> None:
    found = Counter((case.problem, case.step) for case in suite.cases(devices, gpu))
    assert max(found.values()) == 1


def test_a_suite_on_a_gpu_has_problems_of_the_gpu_in_16_bits_but_threads_has_the_cpu() -> None:
    for suite in QUESTIONS:
        found = suite.problems(("cuda", "cpu"), H100)
        assert {each.device for each in found} == {"cpu" if suite.name in ON_CPU else "cuda"}
        if suite.name not in (*ON_CPU, "dtypes"):
            assert {each.dtype for each in found} == {"bfloat16"}
    old = SUITES["dtypes"].problems(("cuda", "cpu"), Gpu((7, 5)))
    assert {each.dtype for each in old} == {"float32", "float16"}


def test_window_has_every_length_with_several_reaches_beside_its_causal_mask() -> None:
    by_length: dict[int, set[str]] = {}
    for each in problems("window"):
        by_length.setdefault(each.key_length, set()).add(str(each.mask))
    assert len(by_length) >= 4
    for length, masks in by_length.items():
        assert "causal" in masks
        assert len(masks) >= 3
        assert f"window:{length}" not in masks


def test_decode_has_few_queries_over_many_keys_of_grouped_heads() -> None:
    found = problems("decode")
    sizes = {(each.query_length, each.key_length) for each in found}
    assert sizes == {(q, k) for q in (1, 4, 16) for k in (1024, 4096, 16384, 65536)}
    assert {(each.query_heads, each.key_heads) for each in found} == {(32, 8)}


def test_grouped_has_equal_query_heads_and_each_number_of_key_heads_at_every_length() -> None:
    found = Counter((each.query_length, each.key_length) for each in problems("grouped"))
    assert set(found.values()) == {4}
    assert {each.query_heads for each in problems("grouped")} == {16}
    assert {each.key_heads for each in problems("grouped")} == {16, 8, 4, 1}


def test_serving_has_packed_batches_of_requests_with_the_heads_of_llama_3_8b() -> None:
    for devices, gpu in PLACES:
        cases = SUITES["serving"].cases(devices, gpu)
        assert {(p.query_heads, p.key_heads, p.head_dim) for p in (c.problem for c in cases)} == {
            (32, 8, 128)
        }
        assert {case.count for case in cases} == {32}
        packed = [case.problem.mask.rows for case in cases if case.problem.mask.rows]
        assert len({len(set(rows)) > 3 for rows in packed}) == 1  # every batch mixes lengths
        queries = [{queries for queries, _ in rows} for rows in packed]
        assert {1} in queries
        assert {4} in queries
        assert any(1 in each and max(each) >= 256 for each in queries)  # prefill beside decode


def test_a_shared_prefix_and_a_repeated_one_show_the_same_pairs() -> None:
    steps: dict[str, int] = Counter()
    for case in SUITES["serving"].cases(("cpu",), Gpu()):
        steps[case.step] += case.problem.visible_pairs
    shared, repeated = (
        steps[f"Llama 3 8B, decode step with a {kind} prefix"] for kind in ("shared", "repeated")
    )
    assert shared == repeated


def test_requests_have_the_mean_and_are_the_same_on_every_machine() -> None:
    assert sum(requests(50, 499.3)) / 50 == pytest.approx(499.3, rel=0.01)
    assert requests(4, 499.3) == (922, 557, 122, 397)


def test_stream_has_fifty_different_lengths_and_keeps_compiled_code() -> None:
    for devices, gpu in PLACES:
        lengths = [each.query_length for each in SUITES["stream"].problems(devices, gpu)]
        assert len(set(lengths)) == len(lengths) == 50
        assert lengths != sorted(lengths)
    assert SUITES["stream"].keep_compiled
    assert not SUITES["quick"].keep_compiled


@pytest.mark.parametrize("mean", MEANS.values())
def test_documents_fill_the_tokens_and_their_lengths_vary(mean: float) -> None:
    lengths = drawn(mean, 8192)
    assert sum(lengths) == 8192
    assert sum(lengths) / len(lengths) == pytest.approx(mean, rel=0.05)
    assert max(lengths) > 3 * min(lengths)
    assert list(lengths) != sorted(lengths)


def test_documents_are_the_same_on_every_machine() -> None:
    assert drawn(MEANS["long"], 2048) == (945, 572, 124, 407)


def test_packed_and_padded_documents_have_the_same_lengths() -> None:
    cases = SUITES["documents"].cases(("cpu",), Gpu())
    packed = {
        (each.problem.mask.documents, each.problem.training)
        for each in cases
        if each.problem.mask.documents and each.problem.mask.right == 0
    }
    padded = {
        (tuple(end for _, end in each.problem.mask.padding), each.problem.training)
        for each in cases
        if isinstance(each.problem.mask.padding, tuple)
    }
    assert packed == padded


def test_padding_hides_as_many_keys_on_the_right_as_on_the_left() -> None:
    of_length = [each for each in problems("padding") if each.key_length == 512]
    hidden = {
        str(each.mask): each.visible_pairs
        for each in of_length
        if isinstance(each.mask.padding, tuple) and each.mask.right is None
    }
    right, left = hidden.values()
    assert right == left == Problem.parse("b8 h4 t512 padding:0.5").visible_pairs


def test_dtypes_and_training_have_every_problem_in_each_dtype_and_pass() -> None:
    for name, field, values in (
        ("dtypes", "dtype", {"float32", "bfloat16", "float16"}),
        ("training", "training", {False, True}),
    ):
        found: dict[object, set[object]] = {}
        for each in problems(name):
            found.setdefault(each.without(field), set()).add(getattr(each, field))
        assert [own for own in found.values() if own != values] in ([], [{"float32"}])


def test_batch_has_the_same_problem_in_several_batches() -> None:
    found = Counter(each.without("batch") for each in problems("batch"))
    assert min(found.values()) >= 4


def test_large_doubles_the_length() -> None:
    lengths = [each.key_length for each in problems("large")]
    assert lengths == [1024 * 2**power for power in range(len(lengths))]


def test_threads_has_every_doubling_up_to_all_cpus() -> None:
    request = requested(SUITES["threads"], {})
    assert threads_of(request, 1) == (1,)
    assert threads_of(request, 2) == (1, 2)
    assert threads_of(request, 12) == (1, 2, 4, 8, 12)
    assert threads_of(requested(SUITES["quick"], {}), 12) == (12,)


def test_positions_has_the_layer_with_each_encoding_beside_the_implementations_of_the_suite() -> (
    None
):
    suite = SUITES["positions"]
    request = requested(suite, {})
    assert specs_of(request) == ["*", *suite.variants]
    names = ("sdpa_flash", "multi_head(sdpa_flash)", *suite.variants, "linear")
    panels = ("attention", "layers", "rotary", "sinusoidal", "dense")
    entries = tuple(Entry(name=n, panel=p) for n, p in zip(names, panels, strict=True))
    plan = plan_of(request, {"devices": [{"device": "cpu"}]}, entries, 2)
    assert [each.name for each in plan.entries] == list(names[:-1])
    named = requested(suite, {"--impl": ["naive"]})
    assert specs_of(named) == ["naive"]
