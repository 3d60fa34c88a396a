"""Which kernels a call ran, from the events of torch's profiler."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch
from torch._C._autograd import DeviceType
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from suites.measure import kernels, memory
from suites.records.kernels import COMPILED, MATH, Kernel

FLASH = "aten::_scaled_dot_product_flash_attention_for_cpu"


@dataclass
class Event:
    """An event of the profiler, in ns."""

    named: str
    start: int
    end: int
    thread: int = 1
    on: DeviceType = DeviceType.CPU
    inputs: list[list[int]] = field(default_factory=list)
    annotation: bool = False

    def name(self) -> str:
        return self.named

    def start_ns(self) -> int:
        return self.start

    def end_ns(self) -> int:
        return self.end

    def duration_ns(self) -> int:
        return self.end - self.start

    def start_thread_id(self) -> int:
        return self.thread

    def device_type(self) -> DeviceType:
        return self.on

    def shapes(self) -> list[list[int]]:
        return self.inputs

    def is_user_annotation(self) -> bool:
        return self.annotation


def on_gpu(name: str, time: int) -> Event:
    return Event(name, 0, time, on=DeviceType.CUDA)


def shares(found: tuple[Kernel, ...]) -> dict[str, float]:
    return {each.name: each.share for each in found}


def queries() -> torch.Tensor:
    return torch.ones(2, 4, 64, 16)


def test_sdpa_ran_one_attention_kernel_with_its_shapes() -> None:
    q = queries()
    mask = torch.ones(64, 64, dtype=torch.bool)
    found = kernels.ran(lambda: scaled_dot_product_attention(q, q, q, attn_mask=mask), "cpu")
    flash = next(each for each in found if each.name == FLASH)
    assert flash.calls == 1
    assert flash.variant == "2x4x64x16, 2x4x64x16, 2x4x64x16, 64x64"
    assert 0 < flash.share <= 1


def test_the_shapes_leave_out_leading_ones() -> None:
    q, mask = torch.ones(1, 4, 64, 16), torch.ones(1, 1, 64, 64)
    found = kernels.ran(lambda: scaled_dot_product_attention(q, q, q, attn_mask=mask), "cpu")
    assert [each.variant for each in found if each.name == FLASH] == [
        "4x64x16, 4x64x16, 4x64x16, 64x64"
    ]


def test_training_has_the_kernels_of_the_backward_pass_too() -> None:
    q = queries().requires_grad_()

    def call() -> object:
        out = scaled_dot_product_attention(q, q, q)
        return torch.autograd.grad(out, q, torch.ones_like(out))

    found = kernels.ran(call, "cpu")
    assert {FLASH, f"{FLASH}_backward"} <= shares(found).keys()


def test_torchs_math_is_one_kernel() -> None:
    q = queries()

    def call() -> object:
        with sdpa_kernel(SDPBackend.MATH):
            return scaled_dot_product_attention(q, q, q)

    found = shares(kernels.ran(call, "cpu"))
    assert MATH in found
    assert not {"aten::bmm", "aten::_softmax", "aten::_safe_softmax"} & found.keys()


def test_products_and_softmax_written_out_are_kernels_of_their_own() -> None:
    q = queries()
    found = kernels.ran(lambda: torch.softmax(q @ q.mT, -1) @ q, "cpu")
    assert {each.name: each.calls for each in found if each.name != "aten::mul"}.items() >= {
        "aten::bmm": 2,
        "aten::_softmax": 1,
    }.items()


def test_a_call_outside_torch_has_no_kernels() -> None:
    array = queries().numpy()
    assert kernels.ran(lambda: torch.from_numpy(array @ array.mT).clone(), "cpu") == ()
    assert kernels.of([]) == ()


def test_the_profile_of_memory_holds_the_same_kernels() -> None:
    q = queries()
    _, usage = memory.measure(lambda: (scaled_dot_product_attention(q, q, q),), "cpu")
    assert FLASH in shares(usage.kernels)


def test_a_share_is_the_time_in_which_no_inner_operator_runs() -> None:
    found = kernels.of(
        [
            Event("aten::matmul", 0, 100),
            Event("aten::bmm", 10, 90),
            Event("aten::mul", 100, 200),
            Event("aten::bmm", 0, 20, thread=2),
        ]
    )
    assert shares(found) == {
        "aten::bmm": 100 / 220,
        "aten::mul": 100 / 220,
        "aten::matmul": 20 / 220,
    }
    assert next(each.calls for each in found if each.name == "aten::bmm") == 2


def test_bookkeeping_has_time_and_no_name() -> None:
    found = kernels.of(
        [
            Event("autograd::engine::evaluate_function: BmmBackward0", 0, 100),
            Event("BmmBackward0", 10, 60),
            Event("aten::bmm", 20, 60),
            Event("TorchDynamo Cache Lookup", 100, 110),
        ]
    )
    assert shares(found) == {"aten::bmm": 40 / 110}


def test_the_loops_of_a_compiled_graph_are_one_kernel() -> None:
    found = kernels.of(
        [
            Event("Torch-Compiled Region: 0/0", 0, 102),
            Event("## Call CompiledFxGraph fabc ##", 1, 101),
            Event("aten::bmm", 10, 40),
        ]
    )
    assert shares(found) == {COMPILED: 70 / 102, "aten::bmm": 30 / 102}


def test_small_copies_are_left_out_and_products_are_not() -> None:
    found = kernels.of(
        [
            Event("aten::add", 0, 9990),
            Event("aten::bmm", 9990, 9995),
            Event("aten::copy_", 9995, 10**4),
        ]
    )
    assert list(shares(found)) == ["aten::add", "aten::bmm"]


def test_on_a_gpu_the_device_kernels_count_and_not_the_operators() -> None:
    name = "void pytorch_flash::flash_fwd_kernel<Traits<64, 128>, false>(Flash_fwd_params)"
    annotation = Event("step", 0, 500, on=DeviceType.CUDA, annotation=True)
    found = kernels.of(
        [
            Event("aten::_flash_attention_forward", 0, 999),
            on_gpu(name, 75),
            on_gpu("Memcpy DtoD (Device)", 25),
            annotation,
        ]
    )
    assert shares(found) == {"pytorch_flash::flash_fwd_kernel": 0.75, "Memcpy DtoD": 0.25}
    assert found[0].variant == "Traits<64, 128>, false"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "fmha_cutlassF_f32_aligned_64x64_rf_sm80(AttentionKernel<float, true>::Params)",
            "fmha_cutlassF_f32_aligned_64x64_rf_sm80",
        ),
        (
            "void at::native::(anonymous namespace)::cunn_SoftMaxForward<4, float>(float*, int)",
            "at::native::(anonymous namespace)::cunn_SoftMaxForward",
        ),
        (
            "void cutlass::device_kernel<flash::enable_sm90<flash::FlashAttnFwdSm90<A<2> > > >(P)",
            "flash::FlashAttnFwdSm90",
        ),
        ("triton_tem_fused_flex_attention_0", "triton_tem_fused_flex_attention_0"),
        ("ampere_sgemm_128x64_nn", "ampere_sgemm_128x64_nn"),
        ("", ""),
    ],
)
def test_a_device_kernel_is_named_without_parameters(name: str, expected: str) -> None:
    assert kernels.short(name)[0] == expected


def test_an_exception_of_the_call_leaves_no_profiler_running() -> None:
    def raises() -> None:
        raise ValueError("its own")

    with pytest.raises(ValueError, match="its own"):
        kernels.ran(raises, "cpu")
    q = queries()
    assert kernels.ran(lambda: q @ q.mT, "cpu")


def test_kernels_that_the_compiler_names_are_listed_by_their_names() -> None:
    graph = Event("## Call CompiledFxGraph abc ##", 0, 1000)
    found = kernels.of([graph, Event("graph_0_cpp_fused_exp_0", 10, 990)])
    assert [each.name for each in found] == ["graph_0_cpp_fused_exp_0", COMPILED]
