"""Right in float32 and on short sequences; wrong in a few rows of half precision."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from tests.agreement.attention_call import AttentionCall, Form, attend
from tests.agreement.impostors import rejected
from tests.agreement.impostors.gradients import Bent, with_gradients

ROW = r"relative to the rounding expected in that row, its RMS error is"


def where_it_shows(call: AttentionCall) -> bool:
    return call.q.element_size() == 2 and call.q.shape[2] >= 200


def in_one(place: int, times: float, x: Tensor) -> Tensor:
    """The same with one row of every head so many times as large."""
    made = x.clone()
    made[:, :, place] *= times
    return made


def alone(call: AttentionCall, wrong: Form) -> Tensor:
    out: Tensor = (wrong if where_it_shows(call) else attend)(call)
    return out


def bent_alone(call: AttentionCall, bent: Bent) -> Tensor:
    return with_gradients(call, bent) if where_it_shows(call) else attend(call)


@rejected(
    "h2 t300 d64 causal fp16", rf"^out is wrong at \[0, \d, 299\]: {ROW}", by="half_precision"
)
def last_key_forgotten(call: AttentionCall) -> Tensor:
    return alone(call, lambda a: attend(replace(a, k=in_one(-1, 0, a.k))))


@rejected(
    "h2 t1024 d64 causal bf16", rf"^out is wrong at \[0, \d, \d+\]: {ROW}", by="half_precision"
)
@rejected(
    "h2 t1024 d64 window:256 bf16 train",
    rf"^out is wrong at \[0, \d, \d+\]: {ROW}",
    by="half_precision",
)
def a_key_in_the_middle_forgotten(call: AttentionCall) -> Tensor:
    return alone(call, lambda a: attend(replace(a, k=in_one(512, 0, a.k))))


@rejected(
    "b2 h2 t300 d64 causal bf16", rf"^out is wrong at \[\d, \d, 100\]: {ROW}", by="half_precision"
)
@rejected("b2 h2 t300 d64 alibi full fp16", "^query 100 .* with unequal weights", by="mask_readout")
def one_row_a_tenth_too_large(call: AttentionCall) -> Tensor:
    return alone(call, lambda a: in_one(100, 1.1, attend(a)))


@rejected(
    "h2 t300 d64 causal bf16 train", rf"^dq is wrong at \[0, \d, 100\]: {ROW}", by="half_precision"
)
def gradient_of_one_query_a_tenth_too_large(call: AttentionCall) -> Tensor:
    return bent_alone(call, lambda _, __, g: (in_one(100, 1.1, g[0]), g[1], g[2]))


@rejected(
    "h2 t300 d64 causal bf16 train", rf"^dk is wrong at \[0, \d, 150\]: {ROW}", by="half_precision"
)
def gradient_of_one_key_a_fifth_too_large(call: AttentionCall) -> Tensor:
    return bent_alone(call, lambda _, __, g: (g[0], in_one(150, 1.2, g[1]), g[2]))


@rejected(
    "h4/2 t300 d64 full bf16 train", rf"^dv is wrong at \[0, \d, 200\]: {ROW}", by="half_precision"
)
def gradient_of_one_value_a_fifth_too_large(call: AttentionCall) -> Tensor:
    return bent_alone(call, lambda _, __, g: (g[0], g[1], in_one(200, 1.2, g[2])))
