from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
import torch
from torch import Tensor

import impls
from impls.interface import Implementation, Mask, Problem
from impls.interface.implementation import from_function
from impls.linear import dense_linear
from suites.agreement import timed_outputs
from suites.measure.inputs import bind, call_of, make_inputs
from suites.measure.preparing import Preparation
from suites.measure.rounds import Arm
from suites.measure.timing import HostClock, HotSampler

KNOWN = impls.load()
TEXTS = (
    "b2 h4/2 t65 d16 causal fp32 train cpu",
    "b3 h4 t33/65 d16 window:9:5+padding:0.5 fp32 cpu",
    "b2 h2 t40 d8 causal+documents:10x4 bf16 train cpu",
    "b1 h2 t1 d8 full fp16 cpu",
    "b2 h4/2 t129/33 d16 causal fp32 cpu bthd",
    "b1 h4 t33 d16 full fp32 cpu scale0.3",
)


def found(each: Implementation, text: str, *, call_ms: float = 0.02) -> str:
    """The fault of the outputs of one more sample."""
    problem = Problem.parse(text)
    sets = [make_inputs(problem, purpose=f"test {index}") for index in range(2)]
    before = [each.q.clone() for each in sets]
    calls = [call_of(bind(each, problem, inputs), inputs) for inputs in sets]
    arm = Arm("arm", calls, call_ms, HotSampler(HostClock()))
    with timed_outputs.sampled(arm, sets, HostClock(), []) as (made, inputs):
        fault = timed_outputs.fault(Preparation(each), problem, inputs, made, Random(1))
    assert all(torch.equal(a, b.q) for a, b in zip(before, sets, strict=True))
    return fault


def named(name: str) -> Implementation:
    return impls.select([name], KNOWN)[0]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("name", ["naive", "multi_head(naive)"])
def test_honest_outputs_pass_on_every_kind_of_problem(name: str, text: str) -> None:
    assert not named(name).refusals(Problem.parse(text))
    assert found(named(name), text) == ""


@pytest.mark.parametrize("bias", ["alibi", "relative:8", "dense"])
def test_honest_outputs_pass_with_a_bias(bias: str) -> None:
    text = f"b2 h4/2 t33 d16 causal {bias} fp32 cpu"
    assert not named("naive").refusals(Problem.parse(text))
    assert found(named("naive"), text) == ""


def test_a_sample_of_one_call_without_a_lead_in_is_compared_too() -> None:
    assert found(named("naive"), TEXTS[0], call_ms=150.0) == ""


_kept: dict[object, Tensor] = {}


class _Halving(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, q: Tensor) -> Tensor:
        return q.clone()

    @staticmethod
    def backward(ctx: object, *grads: Tensor) -> Tensor:
        return grads[0] / 2


def halves_a_gradient(q: Tensor, k: Tensor, v: Tensor, *, scale: float) -> Tensor:
    q = _Halving.apply(q)  # type: ignore[no-untyped-call] # torch's
    return torch.softmax(scale * q @ k.transpose(-1, -2), -1) @ v


def forgets_the_last_head(q: Tensor, k: Tensor, v: Tensor, *, scale: float) -> Tensor:
    out = torch.softmax(scale * q @ k.transpose(-1, -2), -1) @ v
    return torch.cat([out[:, :-1], 0 * out[:, -1:]], 1)


def caches_by_version(q: Tensor, k: Tensor, v: Tensor, *, scale: float) -> Tensor:
    key = (q.data_ptr(), q._version)
    if key not in _kept:
        _kept[key] = torch.softmax(scale * q @ k.transpose(-1, -2), -1) @ v
    return _kept[key]


def caches_by_shape(q: Tensor, k: Tensor, v: Tensor, *, scale: float) -> Tensor:
    if q.shape not in _kept:
        _kept[q.shape] = torch.softmax(scale * q @ k.transpose(-1, -2), -1) @ v
    return _kept[q.shape]


def caches_a_head(q: Tensor, k: Tensor, v: Tensor, *, scale: float) -> Tensor:
    """Caches the first head by address. The reference is not computed for it in this draw."""
    out = torch.softmax(scale * q @ k.transpose(-1, -2), -1) @ v
    kept = _kept.setdefault(q.data_ptr(), out[:, :1].detach().clone())
    return torch.cat([kept, out[:, 1:]], 1)


class _Keeping(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, v: Tensor) -> Tensor:
        ctx.key = v.data_ptr()
        return v.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return _kept.setdefault(ctx.key, grads[0].clone())


def caches_a_gradient(q: Tensor, k: Tensor, v: Tensor, *, scale: float) -> Tensor:
    v = _Keeping.apply(v)  # type: ignore[no-untyped-call] # torch's
    return torch.softmax(scale * q @ k.transpose(-1, -2), -1) @ v


def varies(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return v + torch.randn_like(q)


@pytest.mark.parametrize("name", ["linear", "performer"])
def test_other_functions_and_approximations_are_compared_with_themselves(name: str) -> None:
    assert found(named(name), "b2 h4/2 t33 d16 causal fp32 train cpu") == ""


def attention(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float) -> Tensor:
    """A definition of another function, by the name of attention."""
    return dense_linear(q, k, v, mask=mask)


def test_an_own_reference_named_attention_is_not_compared_with_softmax_attention() -> None:
    each = replace(named("linear"), reference=attention)
    assert found(each, "b2 h4/2 t33 d16 causal fp32 train cpu") == ""


@pytest.mark.parametrize("kind", [{"approximates": True}, {"reference": caches_by_version}])
def test_a_cache_is_found_without_a_bound_of_attention(kind: dict[str, Any]) -> None:
    for impostor, words in (
        (caches_by_version, "out differs by"),
        (caches_by_shape, "out does not change with its inputs"),
    ):
        _kept.clear()
        fault = found(replace(from_function(impostor), **kind), "b2 h4 t33 d16 full fp32 cpu")
        assert words in fault


def test_an_approximation_that_is_not_repeatable_passes() -> None:
    each = replace(from_function(varies), approximates=True)
    assert found(each, "b2 h4 t33 d16 full fp32 cpu") == ""


@pytest.mark.parametrize(
    ("impostor", "training", "words"),
    [(caches_a_head, "", "out differs by"), (caches_a_gradient, " train", "dv differs by")],
)
def test_all_of_a_quick_output_is_compared_with_that_at_another_address(
    impostor: object, training: str, words: str
) -> None:
    _kept.clear()
    each = from_function(impostor)  # type: ignore[arg-type] # one of the functions above
    assert words in found(each, f"b1 h8 t64 d16 full fp32{training} cpu")


@pytest.mark.parametrize(
    ("impostor", "words"),
    [
        (halves_a_gradient, "dq is wrong"),
        (forgets_the_last_head, "out is wrong"),
        (caches_by_version, "out is wrong"),
    ],
)
def test_a_wrong_output_is_reported_with_the_fault(impostor: object, words: str) -> None:
    training = " train" if impostor is halves_a_gradient else ""
    each = from_function(impostor)  # type: ignore[arg-type] # one of the functions above
    fault = found(each, f"b2 h4 t33 d16 full fp32{training} cpu")
    assert fault.startswith(f"agrees in the check, but not while timed: {words}")
