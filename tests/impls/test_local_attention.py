"""The package's windows are those of the contract, and everything else is refused in words."""

from __future__ import annotations

import importlib.metadata

import pytest

import impls
from impls.interface import Missing, Problem
from impls.local_attention import LIBRARY, local_attention
from suites.agreement.checker import Checker
from suites.measure.inputs import bind, make_inputs
from suites.measure.memory import measure

needs_it = pytest.mark.skipif(bool(LIBRARY.fault), reason="local-attention is not installed")

LENGTHS = (1, 7, 8, 33)
WINDOWS = ("window:1", "window:2", "window:5", "window:8:7", "window:9", "window:40", "window:500")
FEATURES = (
    "b3 h4 t65 d16 window:9+padding:0.5 train",
    "b3 h4 t65 d16 window:9:8+padding:0.5 bthd train",
    "b2 h2 t33 d8 window:4+padding:0-0/3-9",
    "b1 h1 t7 d8 window:100:99 train",
    "b2 h4 t65 d33 window:9:8 alibi scale0.3 train",
    "b2 h4 t129 d32 window:40 relative:32 bthd train",
    "b2 h4 t9 d16 window:1 relative:8",
    "b2 h4 t65 d32 dv48 window:16 train",
    "b1 h4 t129 d64 window:16:15 bf16 train",
    "b1 h4 t129 d64 window:16 fp16",
    "b1 h2 t65 d16 window:9:8 fp64 train",
)


@needs_it
@pytest.mark.parametrize("window", WINDOWS)
def test_a_window_is_the_same_window_at_every_length(window: str) -> None:
    for length in LENGTHS:
        problem = Problem.parse(f"b2 h2 t{length} d8 {window}")
        assert Checker(problem, seed=3).check(local_attention).fault == "", problem


@needs_it
@pytest.mark.parametrize("text", FEATURES)
def test_it_agrees_with_every_feature_that_its_limits_accept(text: str) -> None:
    problem = Problem.parse(text)
    assert not local_attention.refusals(problem)
    assert Checker(problem, seed=3).check(local_attention).fault == ""


@needs_it
def test_a_symmetric_window_without_the_mask_of_real_keys_sees_appended_zeros() -> None:
    """Why the adapter passes a mask: `autopad` alone is wrong where it appends tokens."""
    problem = Problem.parse("b2 h2 t7 d8 window:5:4")
    inputs = make_inputs(problem, purpose="test")
    module = LIBRARY.imported().LocalAttention(
        4, autopad=True, exact_windowsize=True, use_rotary_pos_emb=False
    )
    out = bind(local_attention, problem, inputs)(inputs.q, inputs.k, inputs.v)
    assert (module(inputs.q, inputs.k, inputs.v) - out).abs().max() > 0.01


@needs_it
def test_a_window_longer_than_the_sequence_takes_no_more_memory() -> None:
    assert _peak("b1 h1 t64 d8 window:64") == _peak("b1 h1 t64 d8 window:4000")


def _peak(text: str) -> int:
    problem = Problem.parse(text)
    x = make_inputs(problem, purpose="test")
    function = bind(local_attention, problem, x)
    peak = measure(lambda: (function(x.q, x.k, x.v),), "cpu")[1].peak_bytes
    assert peak is not None
    return peak


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("full", "mask full: takes window, window+padding"),
        ("causal", "mask causal: takes window, window+padding"),
        ("window:9:5", "mask window:9:5: takes causal windows only"),
        ("window:*:5", "mask window:*:5: takes causal windows only"),
        ("h4/2 window:9", "4 query heads over 2 key heads: needs as many of both"),
        ("t33/129 window:9", "Tq 33 and Tk 129: takes equal lengths"),
        ("window:9 sink", "sink: takes a softmax over the keys alone"),
        ("window:9 softcap2", "softcap 2.0: takes scores as they are"),
    ],
)
def test_it_refuses_what_the_package_does_not_compute(words: str, reason: str) -> None:
    assert local_attention.refusals(Problem.parse(words)) == (reason,)


def test_without_the_package_it_is_missing_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def not_found(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", not_found)
    path = next(each for each in impls.own_files() if each.stem == "local_attention")
    assert impls.load([path]) == {
        "local_attention": Missing(
            "local_attention",
            "local-attention is not installed; install it with: "
            'python -m pip install -c constraints.txt -e ".[peers]"',
        )
    }


def test_its_set_up_is_short_and_it_shares_a_process() -> None:
    assert (local_attention.slow_start, local_attention.apart) == (False, "")
