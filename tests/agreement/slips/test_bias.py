"""Biases that are ignored, or added wrongly, are named."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from impls.interface import BiasValues, Problem
from impls.reference import attention
from suites.measure.inputs import make_inputs
from tests.agreement.attention_call import AttentionCall, Form, attend
from tests.agreement.slips.tracing import Traced, explained, traced


@dataclass(frozen=True, slots=True, eq=False)
class Other:
    """A bias that differs from the given one."""

    given: Any
    change: Any

    def at(self, distances: Tensor) -> Tensor:
        found: Tensor = self.change(self.given, distances)
        return found

    def of_pairs(self, positions: Tensor, keys: Tensor) -> Tensor:
        return self.at(positions - keys)


def biased(name: str, change: Any) -> Form:
    """A function whose bias is a function of the given one and of distances."""

    def function(call: AttentionCall) -> Tensor:
        other = None if call.bias is None else Other(call.bias, change)
        return attend(replace(call, bias=other))

    function.__name__ = name
    return function


def multiplied_by_the_scale(call: AttentionCall) -> Tensor:
    changed = Other(call.bias, lambda bias, apart: call.scale * bias.at(apart))
    return attend(replace(call, bias=None if call.bias is None else changed))


def added_before_the_softcap(call: AttentionCall) -> Tensor:
    if call.bias is None or call.softcap is None:
        return attend(call)
    apart = call.positions[:, None] - torch.arange(call.k.shape[2])
    scores = call.scale * (call.q @ call.keys.mT) + call.bias.at(apart)
    capped = call.softcap * torch.tanh(scores / call.softcap)
    weights = capped.masked_fill(~call.seen, float("-inf")).softmax(-1).nan_to_num(0.0)
    return weights @ call.values


def aligned_to_the_first_key(call: AttentionCall) -> Tensor:
    offset = call.k.shape[2] - call.q.shape[2]
    changed = Other(call.bias, lambda bias, apart: bias.at(apart - offset))
    return attend(replace(call, bias=changed))


def of_the_heads_in_reverse(call: AttentionCall) -> Tensor:
    other = None if call.bias is None else replace(call.bias, values=call.bias.values.flip(0))
    return attend(replace(call, bias=other))


def without_bias(call: AttentionCall) -> Tensor:
    return attend(replace(call, bias=None))


ALIBI = "h4 t64 d16 causal alibi"
DENSE = "h4 t33/64 d16 full dense"
TABLE = "h4 t64 d16 full relative:32"
CASES = (
    traced(biased("ignored", lambda bias, apart: 0 * bias.at(apart)), ALIBI, "bias_ignored",
           "the bias (alibi) is ignored", "Limits(biases=('none',))"),
    traced(biased("ignored", lambda bias, apart: 0 * bias.at(apart)), TABLE, "bias_ignored",
           "the bias (relative) is ignored", "Limits(biases=('none',))"),
    traced(biased("negative", lambda bias, apart: -bias.at(apart)), ALIBI, "bias_sign",
           "has the wrong sign", "+ bias"),
    traced(multiplied_by_the_scale, ALIBI, "bias_scaled", "multiplied by the scale, too",
           "+ bias"),
    traced(aligned_to_the_first_key, "h4 t33/64 d16 full alibi", "bias_top_left",
           "query 0 and key 0 get the bias of distance 0, expected 31", "Tk - Tq"),
    traced(biased("reversed", lambda bias, apart: bias.at(apart).flip(0)), ALIBI,
           "bias_of_other_heads", "heads in reverse", "bias.values[h]"),
    traced(biased("signed", lambda bias, apart: -bias.values[:, None, None] * apart),
           "h4 t64 d16 full alibi", "bias_without_abs",
           "minus slope times q - k, expected", ".abs()"),
    traced(without_bias, DENSE, "bias_ignored", "the bias (dense) is ignored",
           "Limits(biases=('none',))"),
    traced(of_the_heads_in_reverse, DENSE, "bias_of_other_heads", "heads in reverse",
           "bias.values[h]"),
    traced(added_before_the_softcap, "h4 t64 d16 full softcap2.0 relative:32",
           "bias_before_softcap", "before the softcap", "+ bias"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_wrong_bias_is_named(case: Traced) -> None:
    case.holds()


def test_slopes_that_are_never_read_are_named() -> None:
    problem = Problem.parse("h4 t32 d16 causal alibi")
    made = make_inputs(problem, purpose="test")
    usual = made.bias
    assert usual is not None
    inputs = replace(made, bias=BiasValues("alibi", usual.values.sqrt()))
    out = attention(made.q, made.k, made.v, mask=problem.mask, scale=0.25, bias=usual)
    found = explained(problem, inputs, out)
    assert found is not None
    assert found.slip == "bias_slopes_fixed"
    assert "expected the given ones: 0.5, 0.25, 0.125, ..." in found.sentence
    assert found.cure == "use bias.values as the slopes"
