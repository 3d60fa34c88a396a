"""Categories of operators and kernels."""

from __future__ import annotations

import pytest

from reports.analysis.profile import categories
from reports.analysis.profile.categories import CATEGORIES, category, operator, short


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("aten::_scaled_dot_product_flash_attention_for_cpu", categories.ATTENTION),
        ("pytorch_flash::flash_fwd_kernel<Traits, true>", categories.ATTENTION),
        ("fmha_cutlassF_f16_aligned_64x64_rf_sm80", categories.ATTENTION),
        ("triton_tem_fused_flex_attention_0", categories.ATTENTION),
        ("## Call CompiledFxGraph fvxhxirv7ns5 ##", categories.COMPILED),
        ("triton_poi_fused_exp_1", categories.COMPILED),
        ("aten::bmm", categories.PRODUCTS),
        ("aten::baddbmm", categories.PRODUCTS),
        ("sm80_xmma_gemm_f16f16", categories.PRODUCTS),
        ("aten::exp_", categories.SOFTMAX),
        ("aten::_softmax_backward_data", categories.SOFTMAX),
        ("aten::amax", categories.REDUCTIONS),
        ("aten::sum", categories.REDUCTIONS),
        ("aten::masked_fill_", categories.MASKS),
        ("aten::__and__", categories.MASKS),
        ("aten::sub_", categories.ELEMENTWISE),
        ("void at::native::vectorized_elementwise_kernel<4, mul>", categories.ELEMENTWISE),
        ("aten::copy_", categories.COPIES),
        ("aten::constant_pad_nd", categories.COPIES),
        ("Memcpy DtoD (Device -> Device)", categories.COPIES),
        ("aten::empty_permuted", categories.VIEWS),
        ("aten::unfold", categories.VIEWS),
        ("Torch-Compiled Region: 0/0", categories.DISPATCH),
        ("autograd engine", categories.AUTOGRAD),
        ("BmmBackward0", categories.AUTOGRAD),
        ("Python", categories.PYTHON),
        ("mine::new_kernel", categories.OTHER),
    ],
)
def test_names_of_operators_and_kernels_give_their_category(name: str, expected: str) -> None:
    assert category(name) == expected


def test_every_category_is_listed_once() -> None:
    assert len(set(CATEGORIES)) == len(CATEGORIES)
    assert {category(name) for name in ("aten::bmm", "mine::new_kernel")} <= set(CATEGORIES)


def test_names_are_shown_without_namespace_and_without_the_hash_of_a_graph() -> None:
    assert short("aten::exp_") == "exp_"
    assert short("## Call CompiledFxGraph fvxh ##") == "compiled graph"
    assert short("mine::new_kernel") == "mine::new_kernel"


def test_an_operator_in_place_is_matched_with_the_one_that_is_not() -> None:
    assert operator("aten::exp_") == operator("aten::exp") == "exp"
    assert operator("aten::__and__") == "__and__"
    assert operator("mine::kernel_") == "mine::kernel_"
