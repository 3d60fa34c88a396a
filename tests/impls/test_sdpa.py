"""What is handed to torch's own attention, and what its CPU backends make of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from impls import reference, sdpa
from impls.interface import Implementation, Problem
from impls.interface.implementation import from_function
from impls.sdpa import sdpa_cudnn, sdpa_efficient, sdpa_flash, sdpa_math
from suites.agreement.checker import Checker
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
    "b3 h4/2 t33/9 d8 causal+padding:0.5 dense",
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
    problem = Problem.parse("causal+padding:0.5 alibi bf16 cuda")
    assert sdpa_flash.refusals(problem, (9, 0)) == (
        "mask causal+padding: takes full, causal",
        "bias alibi: takes none",
    )
    assert sdpa_efficient.refusals(problem, (9, 0)) == ()
    assert sdpa_cudnn.refusals(problem, (9, 0)) == ()


@pytest.mark.parametrize(
    ("each", "text", "capability", "reason"),
    [
        (sdpa_cudnn, "t1 bf16", (9, 0), "Tk 1: takes 2 or more"),
        (sdpa_cudnn, "b65536 bf16", (9, 0), "batch 65536: takes 65535 or fewer"),
        (sdpa_cudnn, "d136 bf16", (8, 0), "head dimension 136: takes 8 to 128 by 8"),
        (sdpa_cudnn, "d192 bf16", (10, 0), "head dimension 192: takes 8 to 128 by 8"),
        (sdpa_cudnn, "d192 dv128 bf16", (10, 0), ""),
        (sdpa_cudnn, "d256 bf16 train", (9, 0), ""),
        (
            sdpa_cudnn,
            "t9/4 causal bf16",
            (9, 0),
            "queries that see no key: takes masks that leave every query a key",
        ),
        (
            sdpa_flash,
            "t4/9 causal bf16",
            (9, 0),
            "mask causal with Tq 4 and Tk 9: takes full where the lengths differ",
        ),
        (sdpa_flash, "t4/9 bf16", (9, 0), ""),
        (sdpa_flash, "t1/9 causal bf16", (9, 0), ""),
        (sdpa_flash, "d200 bf16 train", (8, 9), "training at head dimension 200: forward only"),
        (sdpa_flash, "d200 bf16 train", (9, 0), ""),
        (sdpa_flash, "d200 bf16", (8, 9), ""),
        (sdpa_flash, "d257 bf16", (9, 0), "head dimension 257: takes 1 to 256"),
        (sdpa_flash, "bf16", (13, 0), "CUDA capability 13.0: needs one below 12.2"),
        (sdpa_efficient, "d64 dv12 bf16", (9, 0), "value dimension 12: takes 8 to 1024 by 8"),
        (sdpa_efficient, "d7 fp32", (7, 5), ""),
        (sdpa_efficient, "d7 fp32", (8, 0), "head dimension 7: takes 4 to 1024 by 4"),
    ],
)
def test_the_kernels_of_a_device_have_limits_of_their_own(
    each: Implementation, text: str, capability: tuple[int, int], reason: str
) -> None:
    reasons = each.refusals(Problem.parse(f"{text} cuda"), capability)
    assert reasons == ((reason,) if reason else ())


@pytest.mark.parametrize(
    ("each", "text", "remark"),
    [
        (sdpa_math, "bf16 cuda", "converts to float32 and computes in it"),
        (sdpa_math, "fp16 cpu", "converts to float32 and computes in it"),
        (sdpa_math, "fp32 cuda", ""),
        (
            sdpa_efficient,
            "fp32 cuda",
            "float32 products are three TF32 products each on compute capability 8.0 and later",
        ),
        (sdpa_efficient, "bf16 cuda", ""),
        (sdpa_flash, "bf16 cuda", ""),
        (sdpa_cudnn, "bf16 cuda", ""),
    ],
)
def test_other_precision_inside_is_noted_where_it_holds(
    each: Implementation, text: str, remark: str
) -> None:
    assert each.remarks(Problem.parse(text)) == ((remark,) if remark else ())


def test_half_precision_in_math_is_computed_in_float32() -> None:
    """torch's default; torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp would change it."""
    problem = Problem.parse("b1 h2 t99 d8 bf16")
    x = make_inputs(problem, purpose="test")
    call = bind(sdpa_math, problem, x)
    usual = call(x.q, x.k, x.v)
    wide = bind(sdpa_math, Problem.parse("b1 h2 t99 d8"), x)(x.q.float(), x.k.float(), x.v.float())
    assert torch.equal(usual, wide.to(torch.bfloat16))


def test_a_mask_that_hides_nothing_is_not_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[object] = []

    def recording(q: Tensor, *_: Tensor, **kwargs: object) -> Tensor:
        given.append((kwargs["attn_mask"], kwargs["is_causal"]))
        return q

    monkeypatch.setattr(sdpa, "scaled_dot_product_attention", recording)
    problem = Problem.parse("b2 h2 t1/9 d8 causal")
    x = make_inputs(problem, purpose="test")
    bind(sdpa_flash, problem, x)(x.q, x.k, x.v)
    assert given == [(None, False)]


@pytest.mark.parametrize(
    ("words", "backend"),
    [
        ("b2 h4 t33 d8", "flash"),
        ("b2 h4/2 t33 d8 causal train", "flash"),
        ("b2 h4/2 t9/33 d8 window:5 relative:8 bf16", "flash"),
        ("b2 h4 t33 d8 dv5", "fell back to math"),
    ],
)
def test_the_backend_that_torch_chooses_is_recorded(words: str, backend: str) -> None:
    found = Checker(Problem.parse(words), seed=3, labels=()).check(sdpa.sdpa)
    assert found.fault == ""
    assert found.operator == backend


def test_the_recorded_backend_is_the_one_that_ran() -> None:
    """A profile names the kernel, whatever the dispatcher says."""
    for words, kernel in (("", "flash_attention_for_cpu"), ("dv5", "math")):
        found = Checker(Problem.parse(f"b2 h4 t33 d8 {words}"), seed=3, labels=()).check(sdpa.sdpa)
        assert kernel in str(found.kernels), words


def test_torch_chooses_for_grouped_heads_as_for_others() -> None:
    problem = Problem.parse("b2 h4/2 t33 d8 causal fp64 train")
    given = make_inputs(problem, purpose="sdpa")
    wanted = answers(DEFINITION, problem, given)
    for made, expected in zip(answers(sdpa.sdpa, problem, given), wanted, strict=True):
        torch.testing.assert_close(made, expected)


def test_queries_without_a_key_are_refused_on_nvidia_devices_only() -> None:
    problem = Problem.parse("b2 h4 t33/9 d8 causal")
    assert sdpa.sdpa.refusals(problem) == ()
    on_cuda = sdpa.sdpa.refusals(replace(problem, device="cuda"), (9, 0))
    assert on_cuda == ("queries that see no key: takes masks that leave every query a key",)
