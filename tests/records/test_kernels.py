"""When two calls ran the same kernel, and what a fallback is."""

from __future__ import annotations

import pytest

from suites.records.kernels import COMPILED, MATH, RAN_MATH, Kernel, attention, fallback, is_seen

FLASH = "aten::_scaled_dot_product_flash_attention_for_cpu"
SHAPES = "8x512x64, 8x512x64, 8x512x64"


def kernel(name: str, calls: int = 1, variant: str = "", share: float = 0.5) -> Kernel:
    return Kernel(name=name, share=share, calls=calls, variant=variant)


OWN = (kernel(FLASH, variant=SHAPES),)


@pytest.mark.parametrize(
    "beside",
    [
        ["aten::where", "aten::scaled_dot_product_attention", "aten::transpose"],
        [COMPILED],
        ["at::native::vectorized_elementwise_kernel", "Memcpy DtoD"],
        ["aten::softmax", "aten::linear"],
    ],
)
def test_the_way_a_kernel_is_called_makes_no_other_kernel(beside: list[str]) -> None:
    other = (*map(kernel, beside), kernel(FLASH, variant=SHAPES, share=0.01))
    assert attention(other) == attention(OWN) != ()


@pytest.mark.parametrize(
    "name",
    [
        "aten::bmm",
        "aten::mm",
        "aten::addmm",
        "aten::baddbmm_",
        "aten::_softmax",
        "aten::_softmax_backward_data",
        "aten::mkldnn_linear",
        "mylib::attention",
        "triton_poi_fused_add_0",
        "ampere_sgemm_128x64_nn",
        "at::native::(anonymous namespace)::cunn_SoftMaxForward",
    ],
)
def test_another_product_softmax_or_unknown_kernel_makes_another_kernel(name: str) -> None:
    assert attention((*OWN, kernel(name, share=0.001))) == ()


@pytest.mark.parametrize(
    "other",
    [
        kernel(FLASH, calls=2, variant=SHAPES),
        kernel(FLASH, variant=f"{SHAPES}, 512x512"),
        kernel(f"{FLASH}_backward", variant=SHAPES),
        kernel(MATH, variant=SHAPES),
    ],
)
def test_other_calls_other_shapes_and_a_mask_make_another_kernel(other: Kernel) -> None:
    assert attention([other]) != attention(OWN)
    assert attention([other]) != ()


def test_products_and_softmax_are_never_the_same_kernel() -> None:
    assert attention([kernel("aten::bmm", 2), kernel("aten::_softmax")]) == ()
    assert attention([kernel("triton_tem_fused_flex_attention_0")]) == ()
    assert attention([kernel(COMPILED)]) == ()
    assert attention([]) == ()


def test_only_copies_are_no_kernel_that_was_seen() -> None:
    assert not is_seen([kernel("aten::copy_"), kernel("aten::empty")])
    assert is_seen([kernel(COMPILED)])
    assert is_seen([kernel("aten::bmm")])
    assert is_seen(OWN)


@pytest.mark.parametrize(
    ("operator", "name", "expected"),
    [
        ("", MATH, RAN_MATH),
        ("", FLASH, ""),
        ("math", MATH, ""),
        ("fell back to math", MATH, "fell back to math"),
        ("fell back to math", FLASH, "fell back to math"),
        ("flash", FLASH, ""),
    ],
)
def test_a_fallback_is_named_by_the_implementation_or_seen_as_torchs_math(
    operator: str, name: str, expected: str
) -> None:
    assert fallback(operator, [kernel(name)]) == expected
