"""Kernels of a GPU in the call tree, from events made by hand: no GPU ran them."""

from __future__ import annotations

from dataclasses import dataclass

from torch._C._autograd import DeviceType

from suites.measure.profiler.call_tree import CallTree
from suites.measure.profiler.device_kernels import add_kernels
from suites.measure.profiler.events import CALL, Event
from suites.measure.profiler.placing import Placed, operators
from suites.measure.profiler.work import Work
from suites.records.profile import Node


@dataclass
class OnDevice:
    """One of torch's events."""

    named: str
    start: int
    took: int
    linked: int = 0
    on: DeviceType = DeviceType.CUDA
    annotation: bool = False

    def name(self) -> str:
        return self.named

    def start_ns(self) -> int:
        return self.start

    def duration_ns(self) -> int:
        return self.took

    def linked_correlation_id(self) -> int:
        return self.linked

    def device_type(self) -> DeviceType:
        return self.on

    def is_user_annotation(self) -> bool:
        return self.annotation


def call() -> Event:
    """A call of 100 ns from 1000 on: one operator calls another, which launches kernels."""
    inner = Event("operator", "aten::bmm", 1010, 1030, correlation=7)
    outer = Event("operator", "aten::matmul", 1000, 1040, correlation=6, within=[inner])
    return Event("annotation", CALL, 1000, 1100, within=[outer])


def nodes(root: Event) -> tuple[Node, ...]:
    tree = CallTree([Placed(each) for each in operators(root)], lambda *_: Work())
    return tree.build(root)


GEMM = OnDevice("void gemm<float, 128>(float*)", 1050, 200, linked=7)


def test_kernels_are_below_the_operator_that_launched_them() -> None:
    root = call()
    add_kernels(root, [GEMM, OnDevice("void gemm<float, 128>(float*)", 1260, 40, linked=7)])
    found = nodes(root)
    (kernel,) = (each for each in found if each.kind == "kernel")

    assert (kernel.name, kernel.calls, kernel.total_ns, kernel.self_ns) == ("gemm", 2, 240, 240)
    assert found[kernel.parent].name == "aten::bmm"
    assert found[kernel.parent].self_ns == 20


def test_a_call_lasts_until_its_last_kernel_ends() -> None:
    root = call()
    assert root.span_ns == 100
    add_kernels(root, [GEMM])
    assert root.took_ns == 100
    assert root.span_ns == 250
    assert nodes(root)[0].total_ns == 250


def test_a_kernel_of_no_operator_is_part_of_the_call() -> None:
    root = call()
    add_kernels(root, [OnDevice("Memset (Device)", 1005, 3, linked=99)])
    (kernel,) = (each for each in nodes(root) if each.kind == "kernel")
    assert (kernel.name, kernel.parent) == ("Memset", 0)


def test_events_of_the_host_annotations_and_earlier_kernels_are_left_out() -> None:
    root = call()
    host = OnDevice("cudaLaunchKernel", 1012, 5, linked=7, on=DeviceType.CPU)
    annotation = OnDevice("attnbench call", 1050, 200, linked=7, annotation=True)
    earlier = OnDevice("gemm", 900, 50, linked=7)
    add_kernels(root, [host, annotation, earlier])
    assert not [each for each in nodes(root) if each.kind == "kernel"]
