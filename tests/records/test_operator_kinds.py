"""The kind of an operator, by its name."""

from __future__ import annotations

import pytest

from suites.records.kernels import MATH
from suites.records.operator_kinds import ENGINE_NAME, GRAPH_NAME, kind_of, kind_of_kernel, plain


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
        ("aten::fill_", "memory and fills"),
        ("aten::empty", "memory and fills"),
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


@pytest.mark.parametrize(
    ("name", "operator", "kind"),
    [
        ("ampere_sgemm_128x64", "aten::bmm", "products"),
        ("at::native::elementwise_kernel", "aten::exp", "softmax and exponentials"),
        ("ampere_sgemm_128x64", "", "products"),
        ("at::native::elementwise_kernel", "aten::my_new_one", "elementwise"),
        ("flash_fwd_kernel", "mylib::attention", "attention"),
        ("pytorch_flash::flash_fwd_kernel", "", "attention"),
        ("triton_tem_fused_flex_attention_0", "", "compiled code"),
        ("Memset", "", "memory and fills"),
        ("Memcpy DtoD", "", "copies"),
        ("at::native::reduce_kernel", "", "reductions"),
        ("my_kernel", "_Mine", "other"),
    ],
)
def test_a_kernel_has_the_kind_of_its_operator_or_of_its_name(
    name: str, operator: str, kind: str
) -> None:
    assert kind_of_kernel(name, operator) == kind


def test_an_operator_in_place_is_the_same_operator() -> None:
    assert plain("aten::add_") == plain("aten::add") == "add"
    assert plain("aten::copy_") == "copy_"
