"""Scores, what is added to them, and their softmax."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tests.agreement.attention_call import Asked, attend
from tests.agreement.impostors import rejected

TOO_LARGE = r"it is the output for a scale 0\.(09|10|11)% too large"


@rejected("h4 t64 d16 full", "^out is wrong: RMS error", by="rounding_bound")
def scale_missing(asked: Asked) -> Tensor:
    return attend(replace(asked, scale=1.0))


@rejected("h4 t64 d16 full", "^out is wrong: RMS error", by="rounding_bound")
def scale_squared(asked: Asked) -> Tensor:
    return attend(replace(asked, scale=asked.scale**2))


@rejected("h4 t64 d64 full", "another scale.*out is wrong", by="rounding_bound", on="another scale")
def scale_of_the_head_dimension_whatever_is_asked(asked: Asked) -> Tensor:
    return attend(replace(asked, scale=asked.q.shape[3] ** -0.5))


@rejected("h4 t64 d64 dv32 full", "^out is wrong: RMS error", by="rounding_bound")
def scale_of_the_dimension_of_values(asked: Asked) -> Tensor:
    factor = (asked.v.shape[3] / asked.q.shape[3]) ** -0.5
    return attend(replace(asked, scale=asked.scale * factor))


@rejected("h4 t64 d64 full", "^out is wrong: RMS error", by="rounding_bound")
@rejected(
    "h4 t64 d64 full bf16",
    r"in float32.*, out is wrong: RMS error",
    by="rounding_bound",
    on="in float32",
)
@rejected(
    "h4 t64 d64 full fp16",
    r"hard input.*, out is wrong",
    by="half_precision",
    on="standard-normal numbers",
)
def scale_off_by_a_thousandth(asked: Asked) -> Tensor:
    return attend(replace(asked, scale=asked.scale * 1.001))


@rejected(
    "h4 t64 d64 full bf16", rf"many outputs.*{TOO_LARGE}", by="scale_and_gain", on="many outputs"
)
@rejected("h4 t400 d64 causal bf16", rf"^out is wrong: {TOO_LARGE}", by="scale_and_gain")
@rejected(
    "h4 t64 d64 full fp16", rf"many outputs.*{TOO_LARGE}", by="scale_and_gain", on="many outputs"
)
def scale_off_by_a_thousandth_in_half_precision(asked: Asked) -> Tensor:
    """Where scores are rounded to bfloat16 before they are scaled, so small a factor is lost."""
    if asked.q.element_size() != 2:
        return attend(asked)
    q, k, v = (x.float() for x in (asked.q, asked.k, asked.v))
    return attend(replace(asked, q=q, k=k, v=v, scale=1.001 * asked.scale)).to(asked.q.dtype)


@rejected("h4 t64 d64 full", "^out is wrong: RMS error", by="rounding_bound")
@rejected(
    "h4 t64 d64 full fp16", "^out is wrong: .* times that of the naive formula", by="half_precision"
)
def bfloat16_inside(asked: Asked) -> Tensor:
    q, k, v = (x.bfloat16() for x in (asked.q, asked.k, asked.v))
    return attend(replace(asked, q=q, k=k, v=v)).to(asked.q.dtype)


@rejected(
    "h4 t64 d64 full fp16", "^out is wrong: .* times that of the naive formula", by="half_precision"
)
def bfloat16_inside_for_float16_alone(asked: Asked) -> Tensor:
    if asked.q.dtype != torch.float16:
        return attend(asked)
    q, k, v = (x.bfloat16() for x in (asked.q, asked.k, asked.v))
    return attend(replace(asked, q=q, k=k, v=v)).to(asked.q.dtype)


@rejected("h4 t64 d64 full", "^out is wrong: RMS error", by="rounding_bound")
@rejected("h4 t1 d64 full", "lengths 7.*out is wrong", by="rounding_bound", on="lengths 7")
def ten_bits_of_q_and_k(asked: Asked) -> Tensor:
    def short(x: Tensor) -> Tensor:
        return ((x.view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32)

    return attend(replace(asked, q=short(asked.q), k=short(asked.k)))


@rejected(
    "h4 t64 d16 full", r"one dominant key.*out is nan", by="output_form", on="one dominant key"
)
def softmax_without_the_maximum(asked: Asked) -> Tensor:
    exponentials = torch.exp(asked.scores)
    return exponentials / exponentials.sum(-1, keepdim=True).clamp_min(1e-30) @ asked.values


@rejected(
    "h4 t64 d64 full",
    r"scores far below zero.*out is wrong",
    by="rounding_bound",
    on="scores far below zero",
)
@rejected(
    "h4 t64 d64 window:9 fp16",
    r"scores far below zero.* fp32 .*out is wrong",
    by="rounding_bound",
    on="scores far below zero",
)
def a_maximum_of_minus_100_at_least(asked: Asked) -> Tensor:
    scores = asked.scores.float()
    top = scores.amax(-1, keepdim=True).clamp_min(-100)
    exponentials = torch.exp(scores - top)
    total = exponentials.sum(-1, keepdim=True)
    return (exponentials @ asked.values.float() / (total + (total == 0))).to(asked.q.dtype)


@rejected("h4 t100 d16 full", "^out is wrong: RMS error", by="rounding_bound")
def blocks_not_rescaled_to_a_new_maximum(asked: Asked) -> Tensor:
    top = torch.full_like(asked.q[..., :1], -1e30)
    total, summed = torch.zeros_like(top), asked.q.new_zeros(1)
    blocks = zip(torch.split(asked.scores, 32, -1), torch.split(asked.values, 32, 2), strict=True)
    for scores, values in blocks:
        top = torch.maximum(top, scores.amax(-1, keepdim=True))
        exponentials = torch.exp(scores - top)
        total = total + exponentials.sum(-1, keepdim=True)
        summed = summed + exponentials @ values
    return summed / total.clamp_min(1e-30)


@rejected("h4 t64 d16 full", "^out is wrong: RMS error", by="rounding_bound")
def noise_of_a_thousandth(asked: Asked) -> Tensor:
    out = attend(asked)
    return out + 1e-3 * torch.randn_like(out)


@rejected("h4 t64 d16 full", r"sees keys .*, expected 0\.\.63$", by="mask_readout")
def weights_dropped_out(asked: Asked) -> Tensor:
    weights = torch.softmax(asked.scores, -1).nan_to_num(0.0)
    return torch.dropout(weights, 0.1, train=True) @ asked.values


# What is added to the scores.


@dataclass(frozen=True)
class Added:
    """A bias with distances of its own."""

    at: Callable[[Tensor], Tensor]


@rejected("h4 t64 d16 causal alibi", "(out|the bias) is wrong", by="bias_readout")
@rejected("h4 t64 d16 full relative:8", "(out|the bias) is wrong", by="bias_readout")
def bias_ignored(asked: Asked) -> Tensor:
    return attend(replace(asked, bias=None))


@rejected("h4 t64 d16 causal alibi", "(out|the bias) is wrong", by="bias_readout")
@rejected("h4 t64 d16 full relative:8", "(out|the bias) is wrong", by="bias_readout")
def bias_subtracted(asked: Asked) -> Tensor:
    return attend(replace(asked, bias=Added(lambda distances: -asked.bias.at(distances))))


@rejected("h4 t64 d16 full alibi", "(out|the bias) is wrong", by="bias_readout")
@rejected("h4 t64 d16 causal relative:8", "(out|the bias) is wrong", by="bias_readout")
def bias_off_by_one_position(asked: Asked) -> Tensor:
    return attend(replace(asked, bias=Added(lambda distances: asked.bias.at(distances + 1))))


@rejected("h4 t64 d16 causal alibi", "(out|the bias) is wrong", by="bias_readout")
@rejected("h4 t64 d16 full relative:8", "(out|the bias) is wrong", by="bias_readout")
def bias_of_the_next_head(asked: Asked) -> Tensor:
    return attend(replace(asked, bias=replace(asked.bias, values=asked.bias.values.roll(-1, 0))))


@rejected("h4 t64 d16 full relative:8", "(out|the bias) is wrong", by="bias_readout")
def bias_mirrored(asked: Asked) -> Tensor:
    return attend(replace(asked, bias=Added(lambda distances: asked.bias.at(-distances))))


@rejected("h4 t64 d64 causal alibi bf16", "(out|the bias) is wrong", by="bias_readout")
def bias_scaled_like_the_products(asked: Asked) -> Tensor:
    values = asked.scale * asked.bias.values
    return attend(replace(asked, bias=replace(asked.bias, values=values)))


@rejected("h4 t64 d16 full softcap1.0", "^out is wrong: RMS error", by="rounding_bound")
def softcap_ignored(asked: Asked) -> Tensor:
    return attend(replace(asked, softcap=None))


@rejected("h4 t64 d16 causal softcap5.0", "changes with hidden keys", by="perturbation")
def softcap_after_the_mask(asked: Asked) -> Tensor:
    softcap = asked.softcap or 1.0
    return torch.softmax(softcap * torch.tanh(asked.scores / softcap), -1) @ asked.values


@rejected("h4 t64 d16 full softcap1.0", "^out is wrong: RMS error", by="rounding_bound")
def softcap_of_products_without_the_scale(asked: Asked) -> Tensor:
    softcap = asked.softcap or 1.0
    capped = softcap * torch.tanh(asked.q @ asked.keys.mT / softcap)
    return torch.softmax((asked.scale * capped).masked_fill(~asked.seen, -1e30), -1) @ asked.values


@rejected("h4 t64 d16 full softcap1.0 alibi", "^the bias is wrong: from query", by="bias_readout")
def softcap_after_the_bias(asked: Asked) -> Tensor:
    softcap = asked.softcap or 1.0
    biased = asked.scores + asked.bias.at(
        asked.positions[:, None] - torch.arange(len(asked.k[0, 0]))
    )
    capped = softcap * torch.tanh(biased / softcap)
    return torch.softmax(capped.masked_fill(~asked.seen, -1e30), -1) @ asked.values


@rejected("h4 t64 d16 causal sink", "^out is wrong: RMS error", by="rounding_bound")
def sink_ignored(asked: Asked) -> Tensor:
    return attend(replace(asked, sink=None))


@rejected("h4 t64 d16 full sink", "^out is wrong: RMS error", by="rounding_bound")
def sink_with_a_value(asked: Asked) -> Tensor:
    assert asked.sink is not None
    column = asked.sink[:, None, None].expand(*asked.scores.shape[:-1], 1)
    weights = torch.softmax(torch.cat([asked.scores, column], -1), -1)
    return weights[..., :-1] @ asked.values + weights[..., -1:]


@rejected("h4 t64 d16 full sink", "^out is wrong: RMS error", by="rounding_bound")
def sink_of_the_first_head_for_all(asked: Asked) -> Tensor:
    assert asked.sink is not None
    return attend(replace(asked, sink=asked.sink[:1].expand_as(asked.sink)))


@rejected("h4 t64 d16 full sink", "^out is wrong: RMS error", by="rounding_bound")
def sink_scaled_like_the_products(asked: Asked) -> Tensor:
    assert asked.sink is not None
    return attend(replace(asked, sink=asked.scale * asked.sink))


@rejected(
    "h4 t65 d64 full bf16",
    "out is wrong: the whole tensor is 0.5.% too large",
    by="scale_and_gain",
    on="many outputs",
)
@rejected("h4 t65 d64 full fp16", "times that of the naive formula", by="half_precision")
def half_a_hundredth_too_large_in_half_precision(asked: Asked) -> Tensor:
    factor = 1.0 if asked.q.dtype == torch.float32 else 1.005
    return (factor * attend(asked).double()).to(asked.q.dtype)


@rejected(
    "h4 t65 d64 full fp16",
    "out is wrong: the whole tensor is 0.05% too large",
    by="scale_and_gain",
    on="many outputs",
)
def five_ten_thousandths_too_large_in_float16(asked: Asked) -> Tensor:
    wide = replace(asked, q=asked.q.double(), k=asked.k.double(), v=asked.v.double())
    factor = 1.0005 if asked.q.dtype == torch.float16 else 1.0
    return (factor * attend(wide)).to(asked.q.dtype)


@rejected(
    "h6 t256 d64 causal alibi",
    "^adds another bias than the given one: where that is zero, ",
    by="mask_readout",
)
def slopes_of_its_own(asked: Asked) -> Tensor:
    """Whatever it is given."""
    if asked.bias is None:
        return attend(asked)
    heads = asked.q.shape[1]
    slopes = torch.tensor([2.0 ** (-8 * (head + 1) / heads) for head in range(heads)])
    distances = asked.positions[:, None] - torch.arange(asked.k.shape[2])
    scores = asked.scale * (asked.q @ asked.keys.mT) - slopes[:, None, None] * distances.abs()
    scores = scores.masked_fill(~asked.seen, -1e30)
    return torch.softmax(scores, -1) @ asked.values
