"""What is handed to torch's own attention, and what its CPU backends make of it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from impls import reference, sdpa
from impls.interface import Implementation, Problem
from impls.interface.implementation import from_function
from impls.sdpa import sdpa_cudnn, sdpa_efficient, sdpa_flash, sdpa_math
from suites.measure.inputs import Inputs, bind, make_inputs

DEFINITION = from_function(reference.attention)
PROBLEMS = [
    "b3 h4/2 t33 d8 padding:0.5",
    "b3 h4 t33/9 d8 causal+padding:0-0/0-5/3-9",
    "b3 h4/2 t9/33 d8 window:5:3+padding:0-0/0-20/13-33 bthd",
    "b2 h4/2 t33 d8 causal+documents:10/23",
    "b3 h2 t33 d8 window:4+padding:0.5+documents:10/23",
    "b2 h4/2 t33 d8 alibi",
    "b2 h4/2 t33 d8 causal relative:32",
    "b3 h4/2 t33/9 d8 causal+padding:0-0/0-5/3-9 relative:8",
    "b3 h2 t300 d8 window:4+padding:0-0/0-99/99-300 alibi",
]


def answers(each: Implementation, problem: Problem, given: Inputs) -> list[Tensor]:
    """The output and the gradients of q, k and v."""
    x = [tensor.detach().requires_grad_() for tensor in (given.q, given.k, given.v)]
    out = bind(each, problem, given)(*x)
    return [out, *torch.autograd.grad(out, x, given.grad)]


@pytest.mark.parametrize("text", [*PROBLEMS, "b2 h4/2 t9/33 d8 dv5 causal alibi"])
@pytest.mark.parametrize("each", [sdpa_math, sdpa_flash], ids=str)
def test_output_and_gradients_are_those_of_the_definition(text: str, each: Implementation) -> None:
    problem = Problem.parse(f"{text} fp64 train")
    if each is sdpa_flash and problem.value_dim:
        words = "value dimension 5: takes the head dimension only"
        assert each.refusals(problem) == (words,)
        return
    assert each.refusals(problem) == ()
    given = make_inputs(problem, purpose="test")
    made, wanted = answers(each, problem, given), answers(DEFINITION, problem, given)
    for got, exact in zip(made, wanted, strict=True):
        torch.testing.assert_close(got, exact, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "bf16"])
@pytest.mark.parametrize("each", [sdpa_math, sdpa_flash], ids=str)
@pytest.mark.parametrize("bias", ["", "relative:8"])
def test_queries_without_keys_give_zeros_and_take_no_gradient(
    dtype: str, each: Implementation, bias: str
) -> None:
    problem = Problem.parse(f"b2 h4/2 t33 d8 causal+padding:0-0/5-33 {bias} {dtype} train")
    out, dq, dk, dv = answers(each, problem, make_inputs(problem, purpose="test"))
    for rows in (out, dq):
        assert (rows[0] == 0).all()
        assert (rows[1, :, :5] == 0).all()
        assert (rows[1, :, 6:] != 0).any(-1).all()
    for keys in (dk, dv):
        assert (keys[0] == 0).all()
        assert (keys[1, :, :5] == 0).all()
        assert keys.isfinite().all()


@pytest.mark.parametrize("each", [sdpa_math, sdpa_flash], ids=str)
def test_other_values_of_a_bias_in_the_same_memory_are_seen(each: Implementation) -> None:
    problem = Problem.parse("b1 h2 t9 d8 causal relative:8")
    given = make_inputs(problem, purpose="test")
    call = bind(each, problem, given)
    before = call(given.q, given.k, given.v)
    assert given.bias is not None
    given.bias.values.neg_()
    after = call(given.q, given.k, given.v)
    assert not torch.equal(before, after)
    torch.testing.assert_close(after, bind(DEFINITION, problem, given)(given.q, given.k, given.v))


def test_the_mask_is_made_once_for_a_problem_and_serves_training_after_inference() -> None:
    problem = Problem.parse("b2 h2 t9 d8 padding:0.5 train")
    given = make_inputs(problem, purpose="test")
    sdpa._visible.cache_clear()
    with torch.inference_mode():
        bind(sdpa_math, problem, given)(given.q, given.k, given.v)
    assert all(each.any() for each in answers(sdpa_math, problem, given))
    assert (sdpa._visible.cache_info().misses, sdpa._visible.cache_info().hits) == (1, 1)


@pytest.mark.parametrize("each", [sdpa_math, sdpa_flash, sdpa_efficient, sdpa_cudnn], ids=str)
def test_what_torch_has_no_place_for_is_refused_in_words(each: Implementation) -> None:
    device = "cpu" if each in (sdpa_math, sdpa_flash) else "cuda"
    assert each.refusals(Problem.parse(f"softcap30 sink bf16 {device}"), (9, 0)) == (
        "softcap 30.0: takes scores as they are",
        "sink: takes a softmax over the keys alone",
    )


def test_kernels_without_a_mask_tensor_refuse_what_needs_one() -> None:
    for each in (sdpa_flash, sdpa_cudnn):
        assert each.refusals(Problem.parse("causal+padding:0.5 alibi bf16 cuda"), (9, 0)) == (
            "mask causal+padding: takes full, causal",
            "bias alibi: takes none",
        )
    problem = Problem.parse("causal+padding:0.5 alibi bf16 cuda")
    assert sdpa_efficient.refusals(problem, (9, 0)) == ()
