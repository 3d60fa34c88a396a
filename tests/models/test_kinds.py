"""Every kind of model: it has the attention that its problem says, and the proof finds faults."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest
import torch
from torch import Tensor

from impls import one
from impls.bridges.equal_calls import is_among
from impls.interface import Implementation, Problem
from impls.interface.problem import STEPS
from impls.reference import attention
from suites.models import proof
from suites.models.built import FAMILIES
from suites.models.kinds import KINDS, expect_possible
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
    "b2 h4 t20 d16 padding:0.5 dense scale1.0 model:t5",
    "b2 h4 t20 d16 padding:0.5 dense scale1.0 model:t5 train",
    "b4 h2 t16 d16 full dense model:swin",
    "b4 h2 t16 d16 full dense model:swin train",
    "b2 h4 t6/16 d16 full model:detr",
    "b2 h4 t16 d16 full model:dit",
)
"""A problem of each kind in each of its steps, small."""
WITHOUT_GRADIENT: Final = dict.fromkeys(("t5", "swin"), "chunked")
"""Implementations that give no gradient of the sink or the bias, which these kinds train."""
IMPOSTOR: Final = {"float32": 100.0, "bfloat16": 10.0}
"""An attention with a fault errs at least so many times as much as is allowed. No answer is 100
times as far off as bfloat16 rounds."""


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
    assert is_among(steps.problem, bridge.problems), [str(each) for each in bridge.problems]
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
    assert beyond(errors(steps, expected, impostor)) > IMPOSTOR[problem.dtype]


def test_every_kind_has_a_builder_and_small_problems_of_all_its_steps() -> None:
    assert FAMILIES.keys() == KINDS.keys()
    for name, kind in KINDS.items():
        small = [problem for problem in map(problem_of, SMALL) if problem.model_name == name]
        assert {problem.model_step for problem in small} >= set(kind.steps) - {"forward"}, name
        assert any(problem.model_step == "forward" for problem in small), name
        assert any(problem.training for problem in small) == kind.limits.backward, name


@pytest.mark.parametrize("name", list(KINDS))
def test_the_examples_of_a_kind_are_possible_and_its_class_is_the_model(name: str) -> None:
    kind = KINDS[name]
    for text in kind.problems:
        problem_of(text)
    steps = ModelSteps(problem_of(f"{kind.example} model:{name}"), 0)
    assert type(steps.built.model).__name__ == kind.class_.rpartition(".")[2]
    assert isinstance(steps.given(1).batch, dict)


@pytest.mark.parametrize(
    "text", [text for text in SMALL if "padding" in text and not text.endswith(STEPS)]
)
def test_no_answer_of_a_forward_pass_depends_on_padded_words(text: str) -> None:
    steps = ModelSteps(replace(problem_of(text), training=False), 0)
    given = steps.given(1)
    (before,) = steps.step(steps.built.model, given)()
    hidden = given.batch["attention_mask"] == 0
    assert hidden.any()
    words = given.batch["input_ids"].masked_fill(hidden, 5)
    (after,) = steps.step(
        steps.built.model, replace(given, batch={**given.batch, "input_ids": words})
    )()
    assert torch.equal(before, after)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("h4 t16 d16 causal model:bert", "mask causal: takes full, padding"),
        ("h4 t16 d16 full model:llama", "mask full: takes causal"),
        ("h4 t1/16 d16 causal model:llama:decode", "mask causal: takes full, padding"),
        ("h4 t16 d15 causal model:llama", "head dimension 15: takes 2 to 1024 by 2"),
        ("h4 t16 d16 causal+documents:8x2 model:llama:prefill", "documents: takes causal"),
        ("h4 t16 d16 window:4:4 model:mistral", "takes causal windows only"),
        ("h4 t16 d16 window:16 model:mistral", "its window is shorter than the text"),
        ("h4 t16 d16 causal model:mistral", "mask causal: takes window"),
        ("h4 t1/16 d16 padding:0.5 model:mistral:decode", "mask padding: takes full"),
        ("h4 t16 d16 window:4+padding:0.5 model:mistral:prefill", "padding: takes window"),
        ("h4 t16 d16 window:4 model:gemma2", "no softcap: its layers have one"),
        ("h4 t16 d16 window:4 model:gpt_oss", "no sink: its layers have one"),
        ("h4 t16 d16 window:4 model:modernbert", "takes symmetric windows only"),
        ("h4 t1/16 d16 full model:lfm2:decode", "step decode: it has forward"),
        ("h4 t16 d16 causal+documents:8x2 model:jamba", "takes causal, causal"),
        ("h4/2 t8/16 d16 full scale1.0 model:whisper", "4 query heads over 2 key heads"),
        ("h4 t8/16 d16 full model:whisper", "scale 0.25: its layers have scale1.0"),
        ("h3 t8/16 d5 full model:marian", "3 heads of 5: its width is a multiple of 2"),
        ("h4 t16 d16 full model:vit", "T 16: one more than the patches of a square image"),
        ("b4 h4 t15 d16 full dense model:swin", "Tk 15: its places are those of a square"),
        ("b5 h4 t16 d16 full dense model:swin", "batch 5: its windows fill a square image"),
        ("b4 h4 t16 d16 full model:swin", "bias none: takes dense"),
        ("h4 t16 d16 full dense model:t5", "scale 0.25: its layers have scale1.0"),
        ("h4 t8/15 d16 full model:detr", "Tk 15: its places are those of a square"),
        ("h4 t8/16 d16 full train model:detr", "training: forward only"),
        ("h4 t16 d16 full scale0.5 model:bert", r"scale 0.5: takes 1/sqrt\(D\) only"),
        ("h4 t16 d16 full bthd model:bert", "layout bthd: a model lays its own tensors out"),
    ],
)
def test_what_a_model_cannot_be_is_refused_in_words(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        problem_of(text)
