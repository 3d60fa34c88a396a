"""The kind of an operator, by its name."""

from __future__ import annotations

import pytest

from suites.records.kernels import MATH
from suites.records.operator_kinds import ENGINE_NAME, GRAPH_NAME, kind_of, plain


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("aten::bmm", "products"),
        ("aten::addmm", "products"),
        ("aten::_scaled_dot_product_flash_attention_for_cpu", "attention"),
        ("aten::_scaled_dot_product_flash_attention_for_cpu_backward", "attention"),
        (MATH, "other"),
        ("aten::_softmax", "softmax and exponentials"),
        ("aten::exp_", "softmax and exponentials"),
        ("aten::masked_fill_", "masks"),
        ("aten::lt", "masks"),
        ("aten::sub_", "elementwise"),
        ("aten::maximum", "elementwise"),
        ("aten::amax", "reductions"),
        ("aten::copy_", "copies"),
        ("aten::cat", "copies"),
        ("aten::fill_", "fills and allocation"),
        ("aten::empty", "fills and allocation"),
        (GRAPH_NAME, "compiled code"),
        ("graph_0_cpp_fused__softmax_mul_0", "compiled code"),
        ("graph_0_kernel", "compiled code"),
        ("triton_tem_fused_flex_attention_0", "compiled code"),
        (ENGINE_NAME, "autograd"),
        ("BmmBackward0", "autograd"),
        ("torch::autograd::AccumulateGrad", "autograd"),
        ("_Chunked", "Python"),
        ("_ChunkedBackward", "Python"),
        ("aten::transpose", "other"),
        ("aten::matmul", "other"),
        ("mylib::mine", "other"),
    ],
)
def test_a_name_has_one_kind(name: str, kind: str) -> None:
    assert kind_of(name) == kind


def test_an_operator_in_place_is_the_same_operator() -> None:
    assert plain("aten::add_") == plain("aten::add") == "add"
    assert plain("aten::copy_") == "copy_"
