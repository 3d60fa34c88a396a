"""Right in float32 and on short sequences: what is off in a few rows of half precision."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from tests.agreement.attention_call import Answer, Asked, attend
from tests.agreement.impostors import rejected
from tests.agreement.impostors.gradients import Bent, with_gradients

ROW = r"relative to the rounding expected in that row, its RMS error is"


def where_it_shows(asked: Asked) -> bool:
    return asked.q.element_size() == 2 and asked.q.shape[2] >= 200


def in_one(place: int, times: float, x: Tensor) -> Tensor:
    """The same with one row of every head so many times as large."""
    made = x.clone()
    made[:, :, place] *= times
    return made


def alone(asked: Asked, wrong: Answer) -> Tensor:
    out: Tensor = (wrong if where_it_shows(asked) else attend)(asked)
    return out


def bent_alone(asked: Asked, bent: Bent) -> Tensor:
    return with_gradients(asked, bent) if where_it_shows(asked) else attend(asked)


@rejected(
    "h2 t300 d64 causal fp16", rf"^out is wrong at \[0, \d, 299\]: {ROW}", by="half_precision"
)
def last_key_forgotten(asked: Asked) -> Tensor:
    return alone(asked, lambda a: attend(replace(a, k=in_one(-1, 0, a.k))))


@rejected(
    "h2 t1024 d64 causal bf16", rf"^out is wrong at \[0, \d, \d+\]: {ROW}", by="half_precision"
)
@rejected(
    "h2 t1024 d64 window:256 bf16 train",
    rf"^out is wrong at \[0, \d, \d+\]: {ROW}",
    by="half_precision",
)
def a_key_in_the_middle_forgotten(asked: Asked) -> Tensor:
    return alone(asked, lambda a: attend(replace(a, k=in_one(512, 0, a.k))))


@rejected(
    "b2 h2 t300 d64 causal bf16", rf"^out is wrong at \[\d, \d, 100\]: {ROW}", by="half_precision"
)
@rejected("b2 h2 t300 d64 alibi full fp16", "^query 100 .* with unequal weights", by="mask_readout")
def one_row_a_tenth_too_large(asked: Asked) -> Tensor:
    return alone(asked, lambda a: in_one(100, 1.1, attend(a)))


@rejected(
    "h2 t300 d64 causal bf16 train", rf"^dq is wrong at \[0, \d, 100\]: {ROW}", by="half_precision"
)
def gradient_of_one_query_a_tenth_too_large(asked: Asked) -> Tensor:
    return bent_alone(asked, lambda _, __, g: (in_one(100, 1.1, g[0]), g[1], g[2]))


@rejected(
    "h2 t300 d64 causal bf16 train", rf"^dk is wrong at \[0, \d, 150\]: {ROW}", by="half_precision"
)
def gradient_of_one_key_a_fifth_too_large(asked: Asked) -> Tensor:
    return bent_alone(asked, lambda _, __, g: (g[0], in_one(150, 1.2, g[1]), g[2]))


@rejected(
    "h4/2 t300 d64 full bf16 train", rf"^dv is wrong at \[0, \d, 200\]: {ROW}", by="half_precision"
)
def gradient_of_one_value_a_fifth_too_large(asked: Asked) -> Tensor:
    return bent_alone(asked, lambda _, __, g: (g[0], g[1], in_one(200, 1.2, g[2])))
