"""Exceptions are traced to the feature of a problem that causes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from impls.interface import Implementation, Mask
from suites.agreement.refused_feature import cause_of
from tests.agreement.attention_call import AttentionCall, attend, implementation_of
from tests.agreement.slips.tracing import cause_of_exception, finding


def sdpa(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return scaled_dot_product_attention(q, k, v)


def square_mask(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float) -> Tensor:
    scores = scale * (q @ k.repeat_interleave(q.shape[1] // k.shape[1], 1).mT)
    hidden = torch.ones(q.shape[2], q.shape[2], dtype=torch.bool).triu(1)
    weights = torch.softmax(scores.masked_fill(hidden, float("-inf")), -1)
    return weights @ v.repeat_interleave(q.shape[1] // v.shape[1], 1)


def viewed(call: AttentionCall) -> Tensor:
    call.q.view(-1)
    return attend(call)


def refusing(holds: Callable[[AttentionCall], Any]) -> Implementation:
    """Right, and raises where a condition does not hold."""

    def function(call: AttentionCall) -> Tensor:
        if not holds(call):
            raise ValueError("not supported")
        return attend(call)

    return implementation_of(function)


def in_place(call: AttentionCall) -> Tensor:
    out = torch.softmax(call.scores, -1)
    made = out @ call.values
    out.zero_()
    return made


CASES = (
    (refusing(lambda c: c.q.shape[1] == c.k.shape[1]), "h4/2 t64 d16 full",
     "grouped_heads_unsupported", "4 query heads over 2 key heads, and not with 4 over 4",
     "Limits(grouped_heads=False)"),
    (refusing(lambda c: c.q.shape[2] <= c.k.shape[2]), "h4 t129/33 d16 full",
     "more_queries_than_keys_unsupported", "Tq=129, Tk=33, and not with Tq=33, Tk=129",
     "Limits(queries_at_most_keys=True)"),
    (refusing(lambda c: c.q.shape[2] == c.k.shape[2]), "h4 t33/129 d16 full",
     "unequal_lengths_unsupported", "Tq=33, Tk=129, and not with Tq=129, Tk=129",
     "Limits(unequal_lengths=False)"),
    (implementation_of(viewed), "h4 t64 d16 full bthd", "strided_inputs_unsupported",
     "layout bthd, and not with bhtd", "reshape() instead of view()"),
    (refusing(lambda c: c.mask.is_full), "h4 t64 d16 causal", "mask_unsupported",
     "the mask causal", "Limits(masks=('full',))"),
    (refusing(lambda c: c.bias is None), "h4 t64 d16 full alibi", "bias_unsupported",
     "the bias alibi", "Limits(biases=('none',))"),
    (refusing(lambda c: c.softcap is None), "h4 t64 d16 full softcap2.0", "softcap_unsupported",
     "a softcap", "Limits(softcap=False)"),
    (refusing(lambda c: c.sink is None), "h4 t64 d16 full sink", "sink_unsupported", "a sink",
     "Limits(sink=False)"),
    (refusing(lambda c: c.q.shape == c.v.shape), "h4 t64 d16 dv8 full", "value_dim_unsupported",
     "v of dimension 8", "Limits(own_value_dim=False)"),
    (refusing(lambda c: c.scale == 0.25), "h4 t64 d16 full scale0.425", "scale_unsupported",
     "the scale 0.425", "Limits(own_scale=False)"),
    (refusing(lambda c: c.q.dtype == torch.float32), "h4 t64 d16 full fp64", "dtype_unsupported",
     "dtype float64, and not with float32", "Limits(dtypes=('float32',))"),
    (refusing(lambda c: c.q.shape[0] == 1), "b2 h4 t64 d16 full", "batch_unsupported",
     "batch 2, and not with batch 1", "keep the batch axis"),
    (implementation_of(in_place), "h4 t64 d16 full train", "backward_unsupported",
     "backward, and not with forward alone", "Limits(backward=False)"),
    (refusing(lambda c: c.q.shape[2] % 16 == c.k.shape[2] % 16 == 0), "h4 t65 d16 full",
     "length_unsupported", "Tq=65, Tk=65, and not with Tq=80, Tk=80", "Limits(length_multiple=16)"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("each", "problem", "slip", "sentence", "cure"), CASES, ids=[case[2] for case in CASES]
)
def test_the_feature_that_raises_is_named(
    each: Implementation, problem: str, slip: str, sentence: str, cure: str
) -> None:
    with pytest.raises((ValueError, RuntimeError)) as raised:
        finding(each, problem)
    found = cause_of(raised.value)
    assert found is not None
    assert found.slip == slip
    assert f"raises with {sentence}" in found.sentence
    assert cure in found.cure


def test_sdpa_on_grouped_heads_is_named() -> None:
    found = cause_of_exception(sdpa, "h8/2 t64 d16 full")
    assert found is not None
    assert found.slip == "grouped_heads_unsupported"
    assert "enable_gqa=True" in found.cure


def test_a_square_mask_is_named_by_its_lengths() -> None:
    found = cause_of_exception(square_mask, "h4 t33/129 d16 causal")
    assert found is not None
    assert found.slip == "unequal_lengths_unsupported"


def test_a_transposed_output_of_training_is_named() -> None:
    def swapped(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return scaled_dot_product_attention(q, k, v, enable_gqa=True).transpose(1, 2)

    found = cause_of_exception(swapped, "h4 t64 d16 full train")
    assert found is not None
    assert found.slip == "output_transposed"


def test_an_exception_of_every_call_has_no_cause() -> None:
    def unfinished(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        raise NotImplementedError("later")

    assert cause_of_exception(unfinished, "h4 t64 d16 full") is None
