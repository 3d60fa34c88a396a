"""A mix of implementations that answers the attention calls of a script."""

from __future__ import annotations

import gc
import io
import sys
from types import ModuleType
from typing import Any, Final

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from impls.bridges.substitution import Substitution
from impls.interface import Problem
from tests.bridges.model import DIM, HEADS, LENGTH, Model, recognise

TORCH: Final = (functional.scaled_dot_product_attention,)
"""In a tuple: a global would be replaced in the context, too."""
SIZES: Final = f"b2 h{HEADS} t{LENGTH} d{DIM}"
MIX: Final = {
    f"{SIZES} causal": "chunked",
    f"{SIZES} window:8": "local_window",
    f"{SIZES} padding:0-48/0-40": "naive",
    f"b2 h{HEADS} t{LENGTH}/20 d{DIM}": "sdpa_math",
}


def mixed(mix: dict[str, str], report: Any = None, suffix: str = "") -> Substitution:
    """The context of a mix by texts."""
    names = {Problem.parse(f"{text} {suffix}"): name for text, name in mix.items()}
    return Substitution(names, recognise, report)


def tensors(*shape: int, **options: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Random q, k and v."""
    torch.manual_seed(0)
    q, k, v = (torch.randn(shape, **options) for _ in range(3))
    return q, k, v


def outcome(model: nn.Module, x: Tensor, other: Tensor) -> list[Tensor]:
    """The output of a training step, and all gradients."""
    model.zero_grad()
    out = model(x, other)
    out.square().mean().backward()
    return [out.detach(), *(p.grad.clone() for p in model.parameters() if p.grad is not None)]


def test_every_kind_of_call_is_answered_by_its_implementation() -> None:
    torch.manual_seed(1)
    model, x, other = Model(), torch.randn(2, LENGTH, HEADS * DIM), torch.randn(2, 20, 1)
    with torch.no_grad(), mixed(MIX) as found:
        model(x, other)
    assert found.replaced.total() == 4
    assert not found.left
    assert {label.rpartition(": ")[2] for label in found.replaced} == set(MIX.values())


def test_outputs_and_gradients_are_those_of_torch() -> None:
    torch.manual_seed(2)
    model, x, other = Model(), torch.randn(2, LENGTH, HEADS * DIM), torch.randn(2, 20, 1)
    expected = outcome(model, x, other)
    with mixed(MIX, suffix="train") as found:
        replaced = outcome(model, x, other)
    assert found.replaced.total() == 4
    for ours, theirs in zip(replaced, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_training_call_has_no_entry_of_a_forward_call() -> None:
    q, k, v = tensors(2, HEADS, LENGTH, DIM, requires_grad=True)
    with mixed(MIX) as found:
        functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    assert not found.replaced
    assert "the mix has no such problem" in next(iter(found.left))


def test_after_the_context_everything_is_as_before() -> None:
    module = ModuleType("a_script")
    module.attend = TORCH[0]  # type: ignore[attr-defined] # as `from torch... import` does
    sys.modules["a_script"] = module
    before = functional.scaled_dot_product_attention, torch._native_multi_head_attention
    try:
        with mixed(MIX):
            assert module.attend is not TORCH[0]
            assert functional.scaled_dot_product_attention is module.attend
        assert module.attend is TORCH[0]
    finally:
        del sys.modules["a_script"]
    assert before == (
        functional.scaled_dot_product_attention,
        torch._native_multi_head_attention,
    )


def test_after_an_exception_everything_is_as_before() -> None:
    before = functional.scaled_dot_product_attention
    with pytest.raises(KeyError), mixed(MIX):
        raise KeyError
    assert functional.scaled_dot_product_attention is before


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"dropout_p": 0.5}, "dropout 0.5"),
        ({"attn_mask": torch.ones(LENGTH, LENGTH, dtype=torch.bool).tril(-1)}, "dense mask"),
        ({"attn_mask": torch.zeros(LENGTH, LENGTH, requires_grad=True)}, "a mask that is trained"),
        ({"scale": 0.5}, "the mix has no such problem"),
    ],
)
def test_other_calls_go_to_torch_and_are_counted_by_reason(
    options: dict[str, Any], reason: str
) -> None:
    q, k, v = tensors(2, HEADS, LENGTH, DIM)
    with mixed(MIX) as found:
        functional.scaled_dot_product_attention(q, k, v, **options)
    assert not found.replaced
    assert [reason in label for label in found.left] == [True]


def test_a_mask_of_inference_mode_goes_to_torch() -> None:
    q, k, v = tensors(2, HEADS, LENGTH, DIM)
    with torch.inference_mode():
        mask = torch.ones(LENGTH, LENGTH, dtype=torch.bool)
    with torch.no_grad(), mixed(MIX) as found:
        functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    assert "inference mode" in next(iter(found.left))


def test_a_causal_call_of_unequal_lengths_is_no_causal_problem() -> None:
    q, k, v = tensors(2, HEADS, LENGTH, DIM)
    mix = {f"b2 h{HEADS} t20/{LENGTH} d{DIM} causal": "naive"}
    expected = TORCH[0](q[:, :, :20], k, v, is_causal=True)
    with mixed(mix) as found:
        out = functional.scaled_dot_product_attention(q[:, :, :20], k, v, is_causal=True)
    assert "aligned at the first key" in next(iter(found.left))
    assert torch.equal(out, expected)


def test_a_query_without_a_key_goes_to_torch() -> None:
    q, k, v = tensors(2, HEADS, LENGTH, DIM)
    mix = {f"b2 h{HEADS} t{LENGTH}/20 d{DIM} window:*:28": "naive"}
    with mixed(mix) as found:
        functional.scaled_dot_product_attention(q, k[:, :, :20], v[:, :, :20], is_causal=True)
    assert found.replaced.total() + found.left.total() == 1


def test_a_problem_beyond_the_limits_of_the_implementation_goes_to_torch() -> None:
    q, k, v = tensors(2, HEADS, LENGTH, DIM)
    with mixed({SIZES: "local_window"}) as found:
        functional.scaled_dot_product_attention(q, k, v)
    assert "local_window refuses it" in next(iter(found.left))


def test_an_unmeasured_length_has_the_choice_of_the_nearest_one() -> None:
    q, k, v = tensors(2, HEADS, LENGTH + 5, DIM)
    mix = {SIZES: "chunked", f"b2 h{HEADS} t{4 * LENGTH} d{DIM}": "naive"}
    with mixed(mix) as found:
        functional.scaled_dot_product_attention(q, k, v)
    assert next(iter(found.replaced)).endswith(": chunked")


def test_a_length_far_from_every_measured_one_goes_to_torch() -> None:
    q, k, v = tensors(2, HEADS, 3 * LENGTH, DIM)
    with mixed({SIZES: "chunked"}) as found:
        functional.scaled_dot_product_attention(q, k, v)
    assert f"the nearest length in the mix is {LENGTH}" in next(iter(found.left))


def test_key_heads_that_are_one_expanded_head_are_a_grouped_problem() -> None:
    q, k, v = tensors(2, 4, LENGTH, DIM)
    k, v = (x[:, :1].expand(-1, 4, -1, -1) for x in (k, v))
    expected = TORCH[0](q, k, v, is_causal=True)
    with mixed({f"b2 h4/1 t{LENGTH} d{DIM} causal": "chunked"}) as found:
        out = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    assert found.replaced.total() == 1
    torch.testing.assert_close(out, expected)


def test_one_key_head_that_broadcasts_is_a_grouped_problem() -> None:
    q, k, v = tensors(2, 4, LENGTH, DIM)
    k, v = (x[:, :1] for x in (k, v))
    expected = TORCH[0](q, k, v, is_causal=True)
    with mixed({f"b2 h4/1 t{LENGTH} d{DIM} causal": "chunked"}) as found:
        out = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    assert found.replaced.total() == 1
    torch.testing.assert_close(out, expected)


def test_mixes_end_in_any_order() -> None:
    q, k, v = tensors(2, HEADS, LENGTH, DIM)
    one, two = mixed({SIZES: "naive"}), mixed({SIZES: "chunked"})
    one.__enter__()
    two.__enter__()
    functional.scaled_dot_product_attention(q, k, v)
    one.__exit__(None, None, None)
    functional.scaled_dot_product_attention(q, k, v)
    two.__exit__(None, None, None)
    assert (one.replaced.total(), two.replaced.total()) == (0, 2)
    assert functional.scaled_dot_product_attention is TORCH[0]


def test_under_autocast_the_products_are_in_its_dtype() -> None:
    q, k, v = tensors(2, HEADS, LENGTH, DIM)
    with torch.autocast("cpu", torch.bfloat16):
        expected = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        with mixed({f"{SIZES} causal bf16": "chunked"}) as found:
            out = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    assert found.replaced.total() == 1
    assert out.dtype == expected.dtype == torch.bfloat16
    torch.testing.assert_close(out, expected, atol=2e-2, rtol=2e-2)


def test_a_mask_that_changed_in_place_is_recognised_anew() -> None:
    """The recogniser is asked in every call, and says by the same object that nothing changed."""
    q, k, v = tensors(2, HEADS, LENGTH, DIM)
    mask = Model().window.mask
    assert mask is not None
    with mixed(MIX) as found:
        functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        mask.fill_(True)
        functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    assert (found.replaced.total(), found.left.total()) == (1, 1)


def test_an_implementation_that_calls_torch_is_not_replaced_itself() -> None:
    q, k, v = tensors(2, HEADS, LENGTH, DIM)
    with mixed({f"{SIZES} causal": "tests/bridges/calls_torch.py:calls_torch"}) as found:
        functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    assert found.replaced.total() == 1
    assert not found.left


def test_the_fused_layers_of_torch_are_counted_as_not_replaced() -> None:
    layer = nn.TransformerEncoderLayer(HEADS * DIM, HEADS, 32, batch_first=True).eval()
    with torch.no_grad(), mixed(MIX) as found:
        layer(torch.randn(2, LENGTH, HEADS * DIM))
    assert found.left == {"the fused layer of nn.TransformerEncoder": 1}


def test_the_layers_of_torch_are_replaced_in_training() -> None:
    layer = nn.TransformerEncoderLayer(HEADS * DIM, HEADS, 32, dropout=0.0, batch_first=True)
    with mixed({SIZES: "naive"}, suffix="train") as found:
        layer(torch.randn(2, LENGTH, HEADS * DIM)).sum().backward()
    assert found.replaced.total() == 1


def test_compiled_code_keeps_its_own_attention() -> None:
    q, k, v = tensors(2, HEADS, LENGTH, DIM)
    compiled = torch.compile(functional_call, backend="aot_eager", fullgraph=True)
    with mixed({f"{SIZES} causal": "naive"}) as found:
        out = compiled(q, k, v)
    torch.testing.assert_close(out, TORCH[0](q, k, v, is_causal=True))
    assert not found.replaced


def functional_call(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """A call as a compiled model makes it."""
    return functional.scaled_dot_product_attention(q, k, v, is_causal=True)


def test_the_summary_names_what_was_replaced_and_what_was_not() -> None:
    q, k, v = tensors(2, HEADS, LENGTH, DIM)
    report = io.StringIO()
    with mixed(MIX, report):
        for _ in range(3):
            functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        functional.scaled_dot_product_attention(q, k, v, dropout_p=0.5)
    assert report.getvalue().splitlines() == [
        "attnbench: 3 attention calls replaced, 1 not",
        f"attnbench: 3 x {SIZES} causal fp32 cpu: chunked",
        "attnbench: 1 x not replaced: dropout 0.5",
    ]


def test_forms_that_are_left_out_keep_their_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impls.bridges.forms.MOST_FORMS", 4)
    with mixed({SIZES: "naive"}) as found:
        for length in range(LENGTH, LENGTH + 20):
            q, k, v = tensors(2, HEADS, length, DIM)
            functional.scaled_dot_product_attention(q, k, v)
    assert found.replaced.total() == 20


def test_no_tensor_is_kept_alive() -> None:
    q, k, v = tensors(2, HEADS, LENGTH, DIM)
    with mixed({SIZES: "naive"}):
        functional.scaled_dot_product_attention(q, k, v)
        before = sys.getrefcount(q)
        functional.scaled_dot_product_attention(q, k, v)
        gc.collect()
        assert sys.getrefcount(q) == before == 2


def test_an_unknown_implementation_is_refused_before_anything_is_replaced() -> None:
    before = functional.scaled_dot_product_attention
    with pytest.raises(ValueError, match="unknown implementation 'sdap_flash'"):
        mixed({SIZES: "sdap_flash"})
    assert functional.scaled_dot_product_attention is before
