"""The mask and the bias of a call of an attention layer, from the tensors of the model."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from impls.bridges.visible import Visible, visible_of
from impls.interface import Mask, Problem
from impls.interface.mask import CAUSAL, FULL
from impls.naive import naive
from impls.reference import attention
from suites.measure.inputs import make_inputs
from suites.recording.recognising import Recogniser

QUERIES, KEYS = 6, 8
PROBLEM = Problem.parse(f"b2 h4/2 t{QUERIES}/{KEYS} d8 dv4 fp64")
INPUTS = make_inputs(PROBLEM, purpose="test")
QKV = INPUTS.q, INPUTS.k, INPUTS.v
UNEQUAL = torch.tensor([[1, 1, 0, 1, 0, 1, 1, 1]] * QUERIES, dtype=torch.bool).tril(KEYS - QUERIES)
"""[Tq, Tk], True: seen; no band, padding or documents hide these keys."""


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def found(mask: Tensor | None, bias: Tensor | None = None, *, causal: bool = False) -> Visible:
    return visible_of(QKV, mask, bias, Recogniser(), causal=causal)


def out_of(seen: Visible) -> Tensor:
    """The output of `naive`, with the batch rows of the call."""
    options: dict[str, Any] = {"mask": seen.mask, "scale": 0.3, "bias": seen.bias}
    return seen.in_batch_rows(naive.function(seen.q, seen.k, seen.v, **options))


def by_hand(added: Tensor) -> Tensor:
    """Attention with a tensor that is added to the scores."""
    q, k, v = QKV
    k, v = (x.repeat_interleave(2, 1) for x in (k, v))
    return torch.softmax(0.3 * q @ k.mT + added, -1) @ v


def additive(visible: Tensor) -> Tensor:
    return torch.zeros(visible.shape, dtype=torch.float64).masked_fill(~visible, float("-inf"))


@pytest.mark.parametrize(
    ("shape", "rows"),
    [
        ((1, 4, QUERIES, KEYS), 1),
        ((1, 1, QUERIES, KEYS), 1),
        ((1, 4, 1, KEYS), 1),
        ((QUERIES, KEYS), 1),
        ((2, 4, QUERIES, KEYS), 2),
        ((2, 1, QUERIES, KEYS), 2),
        ((2, 1, 1, KEYS), 2),
    ],
)
@pytest.mark.parametrize("comes", ["as a mask", "beside none", "beside a mask"])
def test_numbers_that_are_no_mask_are_added_to_the_scores(
    shape: tuple[int, ...], rows: int, comes: str
) -> None:
    bias = drawn(*shape)
    if comes == "as a mask":
        seen, wanted = found(bias), bias
    elif comes == "beside none":
        seen, wanted = found(None, bias), bias
    else:
        seen, wanted = found(UNEQUAL, bias), bias + additive(UNEQUAL)
    assert (seen.mask, seen.rows) == (FULL, rows)
    torch.testing.assert_close(out_of(seen), by_hand(wanted))


@pytest.mark.parametrize("dtype", [torch.bool, torch.float64])
def test_a_mask_without_words_is_added_to_the_scores(dtype: torch.dtype) -> None:
    mask = UNEQUAL if dtype == torch.bool else additive(UNEQUAL)
    seen = found(mask)
    assert seen.mask == FULL
    assert seen.bias is not None
    assert torch.isfinite(seen.bias.values).all()
    torch.testing.assert_close(out_of(seen), by_hand(additive(UNEQUAL)))


def test_a_mask_with_words_stays_beside_a_bias() -> None:
    real = torch.ones(2, 1, 1, KEYS, dtype=torch.bool)
    real[1, ..., 5:] = False
    bias = drawn(1, 4, QUERIES, KEYS)
    seen = found(real, bias)
    assert seen.mask == Mask(padding=((0, KEYS), (0, 5)))
    torch.testing.assert_close(out_of(seen), by_hand(bias + additive(real)))


def test_a_causal_call_leaves_out_keys_after_the_queries_of_bias_and_cache() -> None:
    seen = found(None, drawn(1, 4, QUERIES, KEYS), causal=True)
    assert seen.mask == CAUSAL
    assert seen.k.shape[2] == QUERIES
    assert seen.bias is not None
    assert seen.bias.values.shape == (4, QUERIES, QUERIES)


def test_keys_that_a_cache_has_not_written_are_left_out_of_a_bias() -> None:
    written = UNEQUAL.clone()
    written[:, 6:] = False
    bias = drawn(1, 4, QUERIES, KEYS)
    seen = found(written, bias)
    assert seen.k.shape[2] == 6
    torch.testing.assert_close(out_of(seen), by_hand(bias + additive(written)))


def test_a_trained_bias_of_zeros_is_a_bias() -> None:
    zeros = torch.zeros(1, 4, QUERIES, KEYS, dtype=torch.float64)
    assert found(zeros).bias is None
    seen = found(zeros.requires_grad_())
    assert seen.bias is not None
    assert seen.bias.values.requires_grad


def test_a_bias_in_another_order_of_memory_has_its_keys_side_by_side() -> None:
    bias = drawn(QUERIES, KEYS, 4).permute(2, 0, 1)[None]
    seen = found(None, bias)
    assert seen.bias is not None
    assert seen.bias.values.stride(-1) == 1
    assert torch.equal(seen.bias.values, bias[0])


def test_a_bias_that_is_expanded_over_batch_rows_keeps_them() -> None:
    assert found(drawn(1, 4, QUERIES, KEYS).expand(2, -1, -1, -1)).rows == 1


def test_a_hidden_key_of_half_precision_stays_finite_with_its_score() -> None:
    q, k, v = (x.half() for x in QKV)
    seen = visible_of((q, k, v), UNEQUAL, None, Recogniser(), causal=False)
    assert seen.bias is not None
    assert torch.isfinite(seen.bias.values - 20_000).all()
    out = attention(seen.q, seen.k, seen.v, mask=FULL, scale=0.3, bias=seen.bias)
    torch.testing.assert_close(out.double(), by_hand(additive(UNEQUAL)), atol=4e-3, rtol=4e-3)


def test_calls_that_no_problem_expresses_are_refused() -> None:
    padded = torch.ones(2, 1, 1, KEYS, dtype=torch.bool)
    padded[0, ..., :2] = False
    with pytest.raises(ValueError, match="a bias for each batch row beside padding"):
        found(padded, drawn(2, 4, QUERIES, KEYS))
    with pytest.raises(ValueError, match="a mask of 5 keys beside 8"):
        found(torch.ones(1, 1, QUERIES, 5, dtype=torch.bool))
    q, k, v = INPUTS.q, INPUTS.k[:, :, :3], INPUTS.v[:, :, :3]
    with pytest.raises(ValueError, match="6 queries, 3 keys and is_causal"):
        visible_of((q, k, v), None, None, Recogniser(), causal=True)
