"""Limits: every reason in words, all of them at once, and the nearest of several."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impls.interface import Limits, Problem
from impls.interface.implementation import refusals
from impls.interface.limits import BY_DISTANCE, EVERY_BIAS, EVERY_MASK, words_of

NARROW = Limits(
    devices=("cuda",),
    dtypes=("float16", "bfloat16"),
    masks=("full", "causal"),
    biases=("none",),
    head_dims=range(8, 257, 8),
    grouped_heads=False,
    unequal_lengths=False,
    backward=False,
    own_scale=False,
    cuda_capability=(8, 0),
)
WITHIN = "b1 h8 t128 d64 causal bf16 cuda"
REASONS = {
    "fp16 mps": "device mps: runs on cuda",
    "fp32 cuda": "dtype float32: takes float16, bfloat16",
    "fp16 cuda window:4+padding:0.5": "mask window+padding: takes full, causal",
    "fp16 cuda alibi": "bias alibi: takes none",
    "fp16 cuda d65": "head dimension 65: takes 8 to 256 by 8",
    "fp16 cuda d264": "head dimension 264: takes 8 to 256 by 8",
    "fp16 cuda h8/2": "8 query heads over 2 key heads: needs as many of both",
    "fp16 cuda t8/16": "Tq 8 and Tk 16: takes equal lengths",
    "fp16 cuda train": "training: forward only",
    "fp16 cuda scale0.7": "scale 0.7: takes 1/sqrt(D) only",
    "fp16 cuda relative:8": "bias relative: takes none",
    "fp16 cuda dv32": "value dimension 32: takes the head dimension only",
    "fp16 cuda softcap30": "softcap 30.0: takes scores as they are",
    "fp16 cuda sink": "sink: takes a softmax over the keys alone",
}


def test_a_problem_within_reach_is_not_refused() -> None:
    assert NARROW.refusals(Problem.parse(WITHIN), (8, 0)) == ()
    assert NARROW.refusals(Problem.parse(WITHIN), (9, 0)) == ()


@pytest.mark.parametrize(("text", "reason"), REASONS.items())
def test_each_reason_is_given_in_words(text: str, reason: str) -> None:
    assert NARROW.refusals(Problem.parse(text), (8, 0)) == (reason,)


def test_all_reasons_are_given_at_once() -> None:
    everything = "h8/2 t8/16 d65 dv9 window:4 alibi scale0.7 softcap5 sink fp32 train cpu"
    assert NARROW.refusals(Problem.parse(everything)) == (
        "device cpu: runs on cuda",
        "dtype float32: takes float16, bfloat16",
        "mask window: takes full, causal",
        "bias alibi: takes none",
        "head dimension 65: takes 8 to 256 by 8",
        "8 query heads over 2 key heads: needs as many of both",
        "Tq 8 and Tk 16: takes equal lengths",
        "training: forward only",
        "scale 0.7: takes 1/sqrt(D) only",
        "value dimension 9: takes the head dimension only",
        "softcap 5.0: takes scores as they are",
        "sink: takes a softmax over the keys alone",
    )


def test_an_older_device_is_refused_with_both_versions() -> None:
    reason = "CUDA capability 7.5: needs 8.0"
    assert NARROW.refusals(Problem.parse(WITHIN), (7, 5)) == (reason,)


def test_the_capability_is_compared_as_a_version_not_as_text() -> None:
    newer = replace(NARROW, cuda_capability=(9, 0))
    assert newer.refusals(Problem.parse(WITHIN), (10, 0)) == ()


def test_the_capability_matters_on_an_nvidia_device_only() -> None:
    limits = Limits(cuda_capability=(8, 0))
    assert limits.refusals(Problem.parse("t8 cpu"), (7, 5)) == ()
    assert limits.refusals(Problem.parse("t8 cuda"), None) == ()
    assert limits.refusals(Problem.parse("t8 cuda"), (7, 5)) != ()


def test_without_a_word_all_but_what_came_later_is_permitted() -> None:
    everything = "h8/2 t8/16 d100 window:4 scale0.7 fp64 train mps"
    assert Limits().refusals(Problem.parse(everything)) == ()
    assert Limits().refusals(Problem.parse("causal+padding:0.5 alibi dv3 softcap9 sink")) == (
        "mask causal+padding: takes full, causal, window",
        "bias alibi: takes none",
        "value dimension 3: takes the head dimension only",
        "softcap 9.0: takes scores as they are",
        "sink: takes a softmax over the keys alone",
    )


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        (range(1, 1025), "1 to 1024"),
        (range(8, 257, 8), "8 to 256 by 8"),
        (range(8, 256, 8), "8 to 248 by 8"),
        (range(64, 65), "64 to 64"),
    ],
)
def test_head_dimensions_in_words_name_the_last_one_that_works(sizes: range, words: str) -> None:
    assert words_of(sizes) == words


@pytest.mark.parametrize(
    ("given_limits", "sentence"),
    [
        ({"devices": ("tpu",)}, "limits: device 'tpu'; expected among cpu, cuda, mps"),
        ({"dtypes": ("bf16",)}, "limits: dtype 'bf16'; expected among float64, float32, float16"),
        ({"masks": ("padding+causal",)}, "limits: mask 'padding+causal'; expected among full, ca"),
        ({"biases": ("rope",)}, "limits: bias 'rope'; expected among none, alibi, relative, dense"),
        ({"devices": "cpu"}, "limits: device 'c'; expected among cpu, cuda, mps"),
    ],
)
def test_limits_name_only_what_exists(given_limits: dict[str, tuple[str]], sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        Limits(**given_limits)  # type: ignore[arg-type] # one field at a time


def test_limits_without_a_head_dimension_are_refused_when_they_are_written() -> None:
    with pytest.raises(ValueError, match="head dim"):
        Limits(head_dims=range(8, 8))


def test_a_bias_that_depends_on_the_distance_alone_can_be_required() -> None:
    limits = Limits(biases=BY_DISTANCE)
    assert limits.refusals(Problem.parse("relative:4")) == ()
    reasons = limits.refusals(Problem.parse("dense"))
    assert reasons == ("bias dense: takes none, alibi, relative",)


def test_every_mask_and_every_bias_can_be_permitted() -> None:
    assert len(set(EVERY_MASK)) == len(EVERY_MASK) == 15
    assert {"full", "causal", "window+padding", "documents", "causal+padding+documents"} < set(
        EVERY_MASK
    )
    limits = Limits(
        masks=EVERY_MASK, biases=EVERY_BIAS, own_value_dim=True, softcap=True, sink=True
    )
    text = "b1 t8 window:3+padding:0.5+documents:4x2 relative:4 dv3 softcap9 sink"
    assert limits.refusals(Problem.parse(text)) == ()


ON_CPU = Limits(devices=("cpu",), masks=("full",))
ON_CUDA = Limits(devices=("cuda",), dtypes=("float16",))


def test_one_of_several_limits_is_enough() -> None:
    assert refusals((ON_CPU, ON_CUDA), Problem.parse("fp32 cpu"), None) == ()
    assert refusals((ON_CPU, ON_CUDA), Problem.parse("fp16 causal cuda"), None) == ()


def test_the_limits_of_the_asked_device_answer() -> None:
    few_on_cuda = (ON_CUDA, ON_CPU)
    problem = Problem.parse("d64 causal fp32 train scale2 cpu")
    assert refusals(few_on_cuda, problem, None) == ("mask causal: takes full",)
    strict_on_cpu = replace(ON_CPU, backward=False, own_scale=False)
    # Three reasons on the asked device stand before one on another.
    assert refusals((Limits(devices=("cuda",)), strict_on_cpu), problem, None) == (
        "mask causal: takes full",
        "training: forward only",
        "scale 2.0: takes 1/sqrt(D) only",
    )


def test_of_two_limits_for_one_device_the_one_with_fewer_reasons_answers() -> None:
    far = Limits(dtypes=("float16",), backward=False)
    near = Limits(dtypes=("bfloat16",))
    problem = Problem.parse("fp32 train cpu")
    expected = ("dtype float32: takes bfloat16",)
    assert refusals((far, near), problem, None) == expected
    assert refusals((near, far), problem, None) == expected


@settings(deadline=None)
@given(st.sets(st.sampled_from(["cpu", "cuda"])), st.sampled_from(["cpu", "cuda", "mps"]))
def test_limits_for_the_problem_s_device_answer_alone(devices: set[str], asked: str) -> None:
    limits = tuple(Limits(devices=(each,)) for each in sorted(devices))
    if not limits:
        return
    refused = refusals(limits, Problem(device=asked), None)
    assert bool(refused) == (asked not in devices)


@pytest.mark.parametrize(
    ("given_limits", "text", "reason"),
    [
        ({"least_key_length": 2}, "t3/1", "Tk 1: takes 2 or more"),
        ({"most_queries": 4}, "t5/9", "Tq 5: takes 4 or fewer"),
        ({"most_batch": 4}, "b5 t3", "batch 5: takes 4 or fewer"),
        (
            {"forward_only_dims": range(9, 17)},
            "d16 t3 train",
            "training at head dimension 16: forw",
        ),
        (
            {"unequal_masks": ("full",)},
            "t2/3 causal",
            "mask causal with Tq 2 and Tk 3: takes full where the lengths differ",
        ),
        (
            {"own_value_dim": True, "value_dims": range(8, 65, 8)},
            "t3 dv12",
            "value dimension 12: takes 8 to 64 by 8",
        ),
    ],
)
def test_sizes_beyond_the_limits_are_refused_in_words(
    given_limits: dict[str, Any], text: str, reason: str
) -> None:
    (found,) = Limits(**given_limits).refusals(Problem.parse(text))
    assert found.startswith(reason)


@pytest.mark.parametrize(
    ("given_limits", "text"),
    [
        ({"least_key_length": 2}, "t1/2"),
        ({"most_queries": 4}, "t4/9"),
        ({"most_batch": 4}, "b4 t3"),
        ({"forward_only_dims": range(9, 17)}, "d16 t3"),
        ({"forward_only_dims": range(9, 17)}, "d17 t3 train"),
        ({"forward_only_dims": range(9, 17), "forward_only_on": ("8.6",)}, "d16 t3 train cuda"),
        ({"unequal_masks": ("full",)}, "t2/3"),
        ({"unequal_masks": ("full",)}, "t3 causal"),
        ({"unequal_masks": ("full",)}, "t1/3 causal"),  # one query sees every key
        ({"own_value_dim": True, "value_dims": range(8, 65, 8)}, "t3 dv16"),
    ],
)
def test_sizes_within_the_limits_are_accepted(given_limits: dict[str, Any], text: str) -> None:
    assert Limits(**given_limits).refusals(Problem.parse(text)) == ()


def test_what_is_unavailable_supports_no_problem_and_says_why() -> None:
    limits = Limits(unavailable="the package fast is not installed")
    assert limits.refusals(Problem.parse("t9")) == ("the package fast is not installed",)


def test_heads_have_to_divide_by_the_ranks_where_limits_say_so() -> None:
    limits = Limits(ranks=True, heads_divide_by_ranks=True)
    assert limits.refusals(Problem.parse("h8/4 t128 ranks4")) == ()
    assert limits.refusals(Problem.parse("h8/2 t128 ranks4")) == (
        "8 query heads and 2 key heads: takes multiples of the 4 ranks",
    )
