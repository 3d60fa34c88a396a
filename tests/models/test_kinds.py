"""Every kind of model: it has the attention that its problem says, and the proof finds faults."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest
import torch
from torch import Tensor

from impls import one
from impls.interface import Implementation, Problem
from impls.reference import attention
from suites.models import proof
from suites.models.kinds import expect_possible
from suites.models.steps import ModelSteps
from suites.records.record import TensorError

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")

SMALL: Final = (
    "b2 h4 t24 d16 padding:0.5 model:bert train",
    "b2 h4 t32 d16 window:5:4+padding:0.5 model:modernbert train",
    "b2 h4/2 t24 d16 causal model:llama train",
    "b2 h4/2 t24 d16 causal+padding:0.5 model:llama train",
    "b1 h4/2 t24 d16 causal+documents:10/14 model:llama",
    "b2 h4/2 t24 d16 causal+padding:0.5 model:llama:prefill",
    "b2 h4/2 t1/24 d16 full bf16 model:llama:decode",
    "b3 h4/2 t1/24 d16 padding:0.5 model:llama:decode",
    "b2 h4/2 t32 d16 window:8+padding:0.5 model:mistral train",
    "b2 h4/2 t32 d16 window:8 model:mistral:prefill",
    "b2 h4/2 t1/16 d16 full model:mistral:decode",
    "b2 h4/2 t32 d16 window:8+padding:0.5 softcap20 model:gemma2 train",
    "b2 h4/2 t32 d16 window:8 softcap20 model:gemma2:prefill",
    "b2 h4/2 t1/32 d16 full softcap20 model:gemma2:decode",
    "b2 h4/2 t32 d16 window:8+padding:0.5 sink model:gpt_oss",
    "b2 h4/2 t32 d16 window:8 sink model:gpt_oss train",
    "b2 h4/2 t32 d16 window:8 sink model:gpt_oss:prefill",
    "b2 h4/2 t1/32 d16 full sink model:gpt_oss:decode",
    "b2 h4/2 t24 d16 causal+padding:0.5 model:lfm2 train",
    "b2 h4/2 t24 d16 causal+padding:0.5 model:jamba train",
    "b2 h4 t12/20 d16 padding:0.5 model:marian train",
    "b2 h4 t12/20 d16 full scale1.0 model:whisper train",
    "b2 h4 t17 d16 full model:vit train",
    "b2 h4 t6/16 d16 full model:detr",
)
"""A problem of each kind in each of its steps, small."""
WITHOUT_GRADIENT: Final = {"gpt_oss": "chunked"}
"""Implementations that give no gradient of the sink, which this kind trains."""
IMPOSTOR: Final = 100.0
"""An attention with a fault errs at least so many times as much as is allowed."""


def rolled(q: Tensor, k: Tensor, v: Tensor, **given: Any) -> Tensor:
    """The definition with every value one key further on."""
    return attention(q, k, v.roll(1, dims=2), **given)


def errors(
    steps: ModelSteps, expected: proof.Expected, answering: Implementation, *, seed: int = 1
) -> tuple[TensorError, ...]:
    given = steps.given(seed)
    with steps.within(answering) as bridge:
        return expected.errors(steps.step(bridge.model, given)())


def beyond(found: tuple[TensorError, ...]) -> float:
    """The largest error as a multiple of what is allowed."""
    return max(
        max(each.rms_share / proof.RMS_ALLOWED, each.worst_share / proof.WORST_ALLOWED)
        for each in found
    )


def problem_of(text: str) -> Problem:
    problem = Problem.parse(text)
    expect_possible(problem)
    return problem


@pytest.mark.parametrize("text", SMALL)
def test_the_attention_of_a_model_is_that_of_its_problem(text: str) -> None:
    steps = ModelSteps(problem_of(text), 0)
    given = steps.given(1)
    with steps.within(one("naive")) as bridge:
        step = steps.step(bridge.model, given)
        first, second = step(), step()
    assert bridge.has_answered(steps.problem), [str(each) for each in bridge.problems]
    assert all(map(torch.equal, first, second))


@pytest.mark.parametrize("text", SMALL)
def test_honest_attention_agrees_in_a_model_and_an_impostor_does_not(text: str) -> None:
    problem = problem_of(text)
    steps = ModelSteps(problem, 0)
    expected = proof.expected(steps, steps.given(1))
    for name in ("naive", "chunked"):
        if not (problem.training and WITHOUT_GRADIENT.get(problem.model_name) == name):
            assert proof.fault(errors(steps, expected, one(name))) == "", name
    impostor = replace(proof.definition(), name="rolled", function=rolled)
    print("BEYOND", beyond(errors(steps, expected, impostor)), text)
    assert beyond(errors(steps, expected, impostor)) > IMPOSTOR
