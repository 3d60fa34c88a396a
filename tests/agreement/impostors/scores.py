"""Wrong scores, biases, softcaps, sinks and softmax."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tests.agreement.attention_call import AttentionCall, attend
from tests.agreement.impostors import rejected

TOO_LARGE = r"it is the output for a scale 0\.(09|10|11)% too large"


@rejected("h4 t64 d16 full", "^out is wrong: RMS error", by="rounding_bound")
def scale_missing(call: AttentionCall) -> Tensor:
    return attend(replace(call, scale=1.0))


@rejected("h4 t64 d16 full", "^out is wrong: RMS error", by="rounding_bound")
def scale_squared(call: AttentionCall) -> Tensor:
    return attend(replace(call, scale=call.scale**2))


@rejected("h4 t64 d64 full scale0.3", "^out is wrong: RMS error", by="rounding_bound")
@rejected(
    "h4 t64 d64 full scale0.125",
    "another scale.*out is wrong",
    by="rounding_bound",
    on="another scale",
)
def scale_of_the_head_dimension_always(call: AttentionCall) -> Tensor:
    return attend(replace(call, scale=call.q.shape[3] ** -0.5))


@rejected("h4 t64 d64 dv32 full", "^out is wrong: RMS error", by="rounding_bound")
def scale_of_the_dimension_of_values(call: AttentionCall) -> Tensor:
    factor = (call.v.shape[3] / call.q.shape[3]) ** -0.5
    return attend(replace(call, scale=call.scale * factor))


@rejected("h4 t64 d64 full", "^out is wrong: RMS error", by="rounding_bound")
@rejected(
    "h4 t64 d64 full fp16",
    r"hard input.*, out is wrong",
    by="half_precision",
    on="standard-normal numbers",
)
def scale_off_by_a_thousandth(call: AttentionCall) -> Tensor:
    return attend(replace(call, scale=call.scale * 1.001))


@rejected(
    "h4 t64 d64 full bf16", rf"many outputs.*{TOO_LARGE}", by="scale_and_gain", on="many outputs"
)
@rejected("h4 t400 d64 causal bf16", rf"^out is wrong: {TOO_LARGE}", by="scale_and_gain")
@rejected(
    "h4 t64 d64 full fp16", rf"many outputs.*{TOO_LARGE}", by="scale_and_gain", on="many outputs"
)
def scale_off_by_a_thousandth_in_half_precision(call: AttentionCall) -> Tensor:
    """In float32 inside: rounding scores to bfloat16 would hide so small a factor."""
    if call.q.element_size() != 2:
        return attend(call)
    q, k, v = (x.float() for x in (call.q, call.k, call.v))
    return attend(replace(call, q=q, k=k, v=v, scale=1.001 * call.scale)).to(call.q.dtype)


@rejected("h4 t64 d64 full", "^out is wrong: RMS error", by="rounding_bound")
@rejected(
    "h4 t64 d64 full fp16", "^out is wrong: .* times that of the naive formula", by="half_precision"
)
def bfloat16_inside(call: AttentionCall) -> Tensor:
    q, k, v = (x.bfloat16() for x in (call.q, call.k, call.v))
    return attend(replace(call, q=q, k=k, v=v)).to(call.q.dtype)


@rejected(
    "h4 t64 d64 full fp16", "^out is wrong: .* times that of the naive formula", by="half_precision"
)
def bfloat16_inside_for_float16_alone(call: AttentionCall) -> Tensor:
    if call.q.dtype != torch.float16:
        return attend(call)
    q, k, v = (x.bfloat16() for x in (call.q, call.k, call.v))
    return attend(replace(call, q=q, k=k, v=v)).to(call.q.dtype)


@rejected("h4 t64 d64 full", "^out is wrong: RMS error", by="rounding_bound")
@rejected("h4 t1 d64 full", "lengths 7.*out is wrong", by="rounding_bound", on="lengths 7")
def ten_bits_of_q_and_k(call: AttentionCall) -> Tensor:
    def short(x: Tensor) -> Tensor:
        return ((x.view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32)

    return attend(replace(call, q=short(call.q), k=short(call.k)))


@rejected(
    "h4 t64 d16 full", r"one dominant key.*out is nan", by="output_form", on="one dominant key"
)
def softmax_without_the_maximum(call: AttentionCall) -> Tensor:
    exponentials = torch.exp(call.scores)
    return exponentials / exponentials.sum(-1, keepdim=True).clamp_min(1e-30) @ call.values


@rejected(
    "h4 t64 d64 full",
    r"scores far below zero.*out is wrong",
    by="rounding_bound",
    on="scores far below zero",
)
@rejected(
    "h4 t64 d64 window:9 fp16",
    r"scores far below zero.*with values of one everywhere it is 0",
    by="constant_values",
    on="scores far below zero",
)
@rejected(
    "h4/2 t64 d64 causal bf16",
    r"scores far below zero.*with values of one everywhere it is 0",
    by="constant_values",
    on="scores far below zero",
)
def a_maximum_of_minus_100_at_least(call: AttentionCall) -> Tensor:
    scores = call.scores.float()
    top = scores.amax(-1, keepdim=True).clamp_min(-100)
    exponentials = torch.exp(scores - top)
    total = exponentials.sum(-1, keepdim=True)
    return (exponentials @ call.values.float() / (total + (total == 0))).to(call.q.dtype)


@rejected("b2 h4 t64 d16 padding:0.5", "outliers.*out is wrong", by="rounding_bound", on="outliers")
def exponentials_below_a_hidden_maximum(call: AttentionCall) -> Tensor:
    """Far below the score of a hidden key, the exponentials of all visible keys are zero."""
    scores = call.scale * (call.q @ call.keys.mT)
    exponentials = torch.exp(scores - scores.amax(-1, keepdim=True)) * call.seen
    total = exponentials.sum(-1, keepdim=True)
    return exponentials @ call.values / (total + (total == 0))


@rejected("h4 t100 d16 full", "^out is wrong: RMS error", by="rounding_bound")
def blocks_not_rescaled_to_a_new_maximum(call: AttentionCall) -> Tensor:
    top = torch.full_like(call.q[..., :1], -1e30)
    total, summed = torch.zeros_like(top), call.q.new_zeros(1)
    blocks = zip(torch.split(call.scores, 32, -1), torch.split(call.values, 32, 2), strict=True)
    for scores, values in blocks:
        top = torch.maximum(top, scores.amax(-1, keepdim=True))
        exponentials = torch.exp(scores - top)
        total = total + exponentials.sum(-1, keepdim=True)
        summed = summed + exponentials @ values
    return summed / total.clamp_min(1e-30)


@rejected("h4 t64 d16 full", "^out is wrong: RMS error", by="rounding_bound")
def noise_of_a_thousandth(call: AttentionCall) -> Tensor:
    out = attend(call)
    return out + 1e-3 * torch.randn_like(out)


@rejected("h4 t64 d16 full", r"sees keys .*, expected 0\.\.63$", by="mask_readout")
def weights_dropped_out(call: AttentionCall) -> Tensor:
    weights = torch.softmax(call.scores, -1).nan_to_num(0.0)
    return torch.dropout(weights, 0.1, train=True) @ call.values


# Biases, softcaps and sinks.


@dataclass(frozen=True)
class Added:
    """A bias that is a function of the distance."""

    at: Callable[[Tensor], Tensor]

    def of_pairs(self, positions: Tensor, keys: Tensor) -> Tensor:
        return self.at(positions - keys)


@rejected("h4 t64 d16 causal alibi", "(out|the bias) is wrong", by="bias_readout")
@rejected("h4 t64 d16 full relative:8", "(out|the bias) is wrong", by="bias_readout")
@rejected("h4 t64 d16 full dense", "(out|the bias) is wrong", by="bias_readout")
def bias_ignored(call: AttentionCall) -> Tensor:
    return attend(replace(call, bias=None))


@rejected("h4 t64 d16 causal alibi", "(out|the bias) is wrong", by="bias_readout")
@rejected("h4 t64 d16 full relative:8", "(out|the bias) is wrong", by="bias_readout")
def bias_subtracted(call: AttentionCall) -> Tensor:
    return attend(replace(call, bias=Added(lambda distances: -call.bias.at(distances))))


@rejected("h4 t64 d16 full alibi", "(out|the bias) is wrong", by="bias_readout")
@rejected("h4 t64 d16 causal relative:8", "(out|the bias) is wrong", by="bias_readout")
def bias_off_by_one_position(call: AttentionCall) -> Tensor:
    return attend(replace(call, bias=Added(lambda distances: call.bias.at(distances + 1))))


@rejected("h4 t64 d16 causal alibi", "(out|the bias) is wrong", by="bias_readout")
@rejected("h4 t64 d16 full relative:8", "(out|the bias) is wrong", by="bias_readout")
@rejected("h4 t64 d16 full dense", "(out|the bias) is wrong", by="bias_readout")
def bias_of_the_next_head(call: AttentionCall) -> Tensor:
    return attend(replace(call, bias=replace(call.bias, values=call.bias.values.roll(-1, 0))))


@rejected("h4 t64 d16 full relative:8", "(out|the bias) is wrong", by="bias_readout")
def bias_mirrored(call: AttentionCall) -> Tensor:
    return attend(replace(call, bias=Added(lambda distances: call.bias.at(-distances))))


@rejected("h4 t64 d16 full dense", "(out|the bias) is wrong", by="bias_readout")
@rejected("h4 t64 d16 causal dense", "(out|the bias) is wrong", by="bias_readout")
def bias_transposed(call: AttentionCall) -> Tensor:
    return attend(replace(call, bias=replace(call.bias, values=call.bias.values.mT)))


@rejected("b2 h4/2 t33/65 d16 full dense", "(out|the bias) is wrong", by="bias_readout")
def bias_of_the_query_before(call: AttentionCall) -> Tensor:
    return attend(replace(call, bias=replace(call.bias, values=call.bias.values.roll(1, 1))))


@rejected("h4 t64 d64 causal alibi bf16", "(out|the bias) is wrong", by="bias_readout")
def bias_scaled_like_the_products(call: AttentionCall) -> Tensor:
    values = call.scale * call.bias.values
    return attend(replace(call, bias=replace(call.bias, values=values)))


@rejected("h4 t64 d16 full softcap1.0", "^out is wrong: RMS error", by="rounding_bound")
def softcap_ignored(call: AttentionCall) -> Tensor:
    return attend(replace(call, softcap=None))


@rejected("h4 t64 d16 causal softcap5.0", "changes with hidden keys", by="perturbation")
def softcap_after_the_mask(call: AttentionCall) -> Tensor:
    softcap = call.softcap or 1.0
    return torch.softmax(softcap * torch.tanh(call.scores / softcap), -1) @ call.values


@rejected("h4 t64 d16 full softcap1.0", "^out is wrong: RMS error", by="rounding_bound")
def softcap_of_products_without_the_scale(call: AttentionCall) -> Tensor:
    softcap = call.softcap or 1.0
    capped = softcap * torch.tanh(call.q @ call.keys.mT / softcap)
    return torch.softmax((call.scale * capped).masked_fill(~call.seen, -1e30), -1) @ call.values


@rejected("h4 t64 d16 full softcap1.0 alibi", "^the bias is wrong: from query", by="bias_readout")
def softcap_after_the_bias(call: AttentionCall) -> Tensor:
    softcap = call.softcap or 1.0
    biased = call.scores + call.bias.at(call.positions[:, None] - torch.arange(len(call.k[0, 0])))
    capped = softcap * torch.tanh(biased / softcap)
    return torch.softmax(capped.masked_fill(~call.seen, -1e30), -1) @ call.values


@rejected("h4 t64 d16 causal sink", "^out is wrong: RMS error", by="rounding_bound")
def sink_ignored(call: AttentionCall) -> Tensor:
    return attend(replace(call, sink=None))


@rejected("h4 t64 d16 full sink", "^out is wrong: RMS error", by="rounding_bound")
def sink_with_a_value(call: AttentionCall) -> Tensor:
    assert call.sink is not None
    column = call.sink[:, None, None].expand(*call.scores.shape[:-1], 1)
    weights = torch.softmax(torch.cat([call.scores, column], -1), -1)
    return weights[..., :-1] @ call.values + weights[..., -1:]


@rejected("h4 t64 d16 full sink", "^out is wrong: RMS error", by="rounding_bound")
def sink_of_the_first_head_for_all(call: AttentionCall) -> Tensor:
    assert call.sink is not None
    return attend(replace(call, sink=call.sink[:1].expand_as(call.sink)))


@rejected("h4 t64 d16 full sink", "^out is wrong: RMS error", by="rounding_bound")
def sink_scaled_like_the_products(call: AttentionCall) -> Tensor:
    assert call.sink is not None
    return attend(replace(call, sink=call.scale * call.sink))


@rejected(
    "h4 t65 d64 full bf16",
    "out is wrong: the whole tensor is 0.5.% too large",
    by="scale_and_gain",
    on="many outputs",
)
@rejected("h4 t65 d64 full fp16", "times that of the naive formula", by="half_precision")
def half_a_hundredth_too_large_in_half_precision(call: AttentionCall) -> Tensor:
    factor = 1.0 if call.q.dtype == torch.float32 else 1.005
    return (factor * attend(call).double()).to(call.q.dtype)


@rejected(
    "h4 t65 d64 full fp16",
    "out is wrong: the whole tensor is 0.05% too large",
    by="scale_and_gain",
    on="many outputs",
)
def five_ten_thousandths_too_large_in_float16(call: AttentionCall) -> Tensor:
    wide = replace(call, q=call.q.double(), k=call.k.double(), v=call.v.double())
    factor = 1.0005 if call.q.dtype == torch.float16 else 1.0
    return (factor * attend(wide)).to(call.q.dtype)


@rejected(
    "h6 t256 d64 causal alibi",
    "^adds another bias than the given one: where that is zero, ",
    by="mask_readout",
)
def slopes_of_its_own(call: AttentionCall) -> Tensor:
    """It ignores the given bias."""
    if call.bias is None:
        return attend(call)
    heads = call.q.shape[1]
    slopes = torch.tensor([2.0 ** (-8 * (head + 1) / heads) for head in range(heads)])
    distances = call.positions[:, None] - torch.arange(call.k.shape[2])
    scores = call.scale * (call.q @ call.keys.mT) - slopes[:, None, None] * distances.abs()
    scores = scores.masked_fill(~call.seen, -1e30)
    return torch.softmax(scores, -1) @ call.values
