"""On random problems every implementation gives a reason for refusal or a correct output."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from impls.interface import CAUSAL, Bias, Implementation, Mask, Problem
from impls.interface.problem import DTYPES, LAYOUTS
from suites.agreement.bounds.by_trial import bounds_by_trial
from suites.agreement.bounds.derived import derived_bounds
from suites.agreement.calls import versions_of
from suites.agreement.gate import judge
from suites.agreement.probes.inputs_unchanged import changed
from suites.agreement.probes.output_form import malformed
from suites.measure.inputs import bind, call_of, copies, make_inputs
from tests.contract.found import FOUND, KNOWN

EXACT = [each for each in FOUND if not each.approximates and not each.takes_group]
"""Drawn problems have no ranks: tests/impls has problems of groups."""
EVERY = pytest.mark.parametrize("each", [e for e in EXACT if not e.slow_start], ids=str)
HARD: Final = "b2 h4/2 t33/70 d24 dv40 window:9:5+padding:0.5 alibi softcap15.0 sink"
LONGEST: Final = 70
SEEDS = st.integers(0, 2**31 - 1)
DRAWN = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],  # other processes may share the machine
)


@st.composite
def documents(draw: st.DrawFn, length: int) -> tuple[int, ...]:
    """Lengths of at most five documents that add up to `length`."""
    cuts = draw(st.sets(st.integers(1, length - 1), max_size=4)) if length > 1 else set()
    ends = [0, *sorted(cuts), length]
    return tuple(end - start for start, end in pairwise(ends))


@st.composite
def masks(draw: st.DrawFn, batch: int, queries: int, keys: int) -> Mask:
    """Masks of every combination: bands, padding by ranges or by share, documents."""
    ends = st.tuples(st.integers(0, keys), st.integers(0, keys))
    ranges = st.lists(ends.map(lambda e: (min(e), max(e))), min_size=batch, max_size=batch)
    share = st.sampled_from((0.25, 0.5, 0.9))
    packed = st.none() | documents(keys) if queries == keys else st.none()
    return Mask(
        left=draw(st.none() | st.integers(1, LONGEST)),
        right=draw(st.none() | st.just(0) | st.integers(0, LONGEST)),
        padding=draw(st.none() | share | ranges.map(tuple)),
        documents=draw(packed),
    )


@st.composite
def packed_rows(draw: st.DrawFn) -> Mask:
    """Bands over packed rows: single queries, fewer queries than keys, as many, or more."""
    rows = st.tuples(st.just(1) | st.integers(1, 20), st.integers(1, 30))
    return Mask(
        left=draw(st.none() | st.integers(1, LONGEST)),
        right=draw(st.none() | st.just(0) | st.integers(0, LONGEST)),
        rows=draw(st.lists(rows, min_size=1, max_size=5).map(tuple)),
    )


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Problems on a CPU, of up to 70 queries and keys; plain values come first for shrinking."""
    batch = draw(st.integers(1, 3))
    key_heads, group = draw(st.sampled_from(((1, 1), (2, 1), (2, 2), (1, 4), (3, 1))))
    keys = draw(st.integers(1, LONGEST))
    queries = draw(st.just(keys) | st.integers(1, LONGEST))
    band = None
    if draw(st.integers(0, 4)) == 4:
        band = draw(packed_rows())
        batch, (queries, keys) = 1, band.packed_lengths or (0, 0)
    head_dim = draw(st.sampled_from((8, 16, 1, 3, 24, 33, 64)))
    value_dims = st.sampled_from((1, 5, 16, 40)).filter(lambda size: size != head_dim)
    biases = (Bias(), Bias("alibi"), Bias("relative", 8), Bias("relative", 32), Bias("dense"))
    return Problem(
        batch=batch,
        query_heads=key_heads * group,
        key_heads=key_heads,
        query_length=queries,
        key_length=keys,
        head_dim=head_dim,
        mask=draw(st.just(Mask()) | masks(batch, queries, keys)) if band is None else band,
        bias=draw(st.sampled_from(biases)) if band is None else Bias(),
        scale=draw(st.sampled_from((None, 0.3, 1.0))),
        dtype=draw(st.sampled_from(("float32", *DTYPES))),
        training=draw(st.booleans()),
        layout=draw(st.sampled_from(LAYOUTS)),
        value_dim=draw(st.none() | value_dims),
        softcap=draw(st.sampled_from((None, 0.7, 15.0))),
        sink=draw(st.booleans()),
    )


def within_reach(each: Implementation, problem: Problem) -> Problem:
    """The problem without the features that the implementation refuses."""
    one_row = ((problem.query_length, problem.key_length),)
    plain: tuple[dict[str, object], ...] = (
        {"bias": Bias()},
        {"softcap": None},
        {"sink": False},
        {"value_dim": None},
        {"scale": None},
        {"mask": Mask(problem.mask.left, problem.mask.right)},
        {"mask": Mask(left=9, right=0)},
        {"mask": CAUSAL},
        {"mask": replace(CAUSAL, rows=one_row), "batch": 1, "bias": Bias()},
        {} if problem.mask.rows else {"query_length": problem.key_length},
        {"key_heads": problem.query_heads},
    )
    for changes in plain:
        if not each.refusals(problem):
            break
        fields = {name: getattr(problem, name) for name in problem.__dataclass_fields__}
        nearer = Problem(**{**fields, **changes})
        if len(each.refusals(nearer)) < len(each.refusals(problem)):
            problem = nearer
    return problem


def fault_of(each: Implementation, problem: Problem, seed: int) -> str:
    """The fault of one call, in words; empty if it agrees."""
    inputs = make_inputs(problem, purpose="property", seed=seed)
    given_ = copies(inputs)
    versions = versions_of(given_)
    made = call_of(bind(each, problem, given_), given_)()
    fault = malformed(made, inputs) or changed(given_, inputs, versions)
    if fault:
        return fault
    if each.reference is not None:
        return judge(made, bounds_by_trial(each.reference, problem, inputs, None))[1]
    return judge(made, derived_bounds(problem, inputs, rows=None, projections=each.projections))[1]


@EVERY
@DRAWN
@given(problem=problems(), seed=SEEDS)
def test_any_problem_is_refused_with_a_reason_or_computed_correctly(
    each: Implementation, problem: Problem, seed: int
) -> None:
    for reason in each.refusals(problem):
        assert re.search(r": (takes|needs|runs on|forward only)", reason), reason
    nearest = within_reach(each, problem)
    if not each.refusals(nearest):
        assert fault_of(each, nearest, seed) == "", f"{each} on {nearest}, seed {seed}"


@pytest.mark.parametrize("words", [HARD, "b1 h3 t65 d16 causal bf16 bthd"])
@pytest.mark.parametrize("each", [e for e in EXACT if e.slow_start], ids=str)
def test_one_that_starts_slowly_computes_two_problems_correctly(
    each: Implementation, words: str
) -> None:
    nearest = within_reach(each, Problem.parse(words))
    if each.refusals(nearest):
        pytest.skip(f"refused: {'; '.join(each.refusals(nearest))}")
    assert fault_of(each, nearest, seed=0) == ""


def test_problems_can_be_reduced_until_every_cpu_implementation_accepts_them() -> None:
    hard = Problem.parse(HARD)
    able = [each for each in EXACT if not each.refusals(within_reach(each, hard))]
    devices = [each for each in EXACT if any("cpu" in limits.devices for limits in each.limits)]
    assert able == devices


def test_an_implementation_without_its_sink_has_a_fault() -> None:
    naive = KNOWN["naive"]
    assert isinstance(naive, Implementation)
    inputs = make_inputs(problem := Problem.parse("b2 h4 t33 d16 sink"), purpose="property")
    deaf = naive.bound(mask=problem.mask, scale=problem.softmax_scale)
    expected = derived_bounds(problem, inputs, rows=None)
    assert "out is wrong" in judge((deaf(inputs.q, inputs.k, inputs.v),), expected)[1]
