from __future__ import annotations

import gc
from threading import get_ident
from typing import Any

import numpy as np
import pytest
import torch

import impls
from impls.interface import Implementation, Limits, Problem, implementation
from suites.agreement.checker import Checker
from suites.engine.outcome import clear_caches
from suites.measure import memory
from suites.measure.memory import Usage
from suites.measure.unseen import unseen
from tests.stand_in.device import stand_in


def usage_of(name: str, text: str) -> Usage:
    chosen = impls.select([name], impls.load())[0]
    assert isinstance(chosen, Implementation)
    clear_caches(chosen)  # else the mask of another test, freed in the call, counts too
    finding = Checker(Problem.parse(text), seed=1).check(chosen)
    assert finding.fault == ""
    return finding.usage


@pytest.mark.parametrize("length", [256, 512, 1024])
def test_the_dense_kernel_of_torch_follows_its_polynomial_to_the_byte(length: int) -> None:
    # 36 = 4 heads x (4 bytes of scores + 4 of weights + 1 of mask); 1028 = the output and its kin.
    peak = usage_of("sdpa_math", f"b1 h4 t{length} d64 full").peak_bytes
    assert peak == 36 * length**2 + 1028 * length + 4


def test_a_repeated_measurement_is_the_same_to_the_byte() -> None:
    problem = "b1 h4 t257 d32 causal train"
    assert usage_of("naive", problem).peak_bytes == usage_of("naive", problem).peak_bytes


def test_the_instrument_checks_itself_on_a_call_of_known_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory.self_check()
    monkeypatch.setattr(memory, "measure", lambda *_: (None, Usage(1, 0)))
    with pytest.raises(RuntimeError, match="the memory instrument reads 1 bytes for 1048576"):
        memory.self_check()


def made_of(size: int) -> tuple[torch.Tensor, ...]:
    return (torch.ones(size, dtype=torch.uint8),)


def test_memory_freed_within_the_call_counts_for_the_peak_only() -> None:
    def call() -> tuple[torch.Tensor, ...]:
        made_of(1 << 20)
        return made_of(1 << 10)

    _, usage = memory.measure(call, "cpu")
    assert (usage.peak_bytes, usage.kept_bytes) == (1 << 20, 0)


def test_tensors_that_the_first_call_keeps_count_and_its_temporary_memory_does_not() -> None:
    kept: list[torch.Tensor] = []

    def call() -> tuple[torch.Tensor, ...]:
        if not kept:
            made_of(1 << 24)  # set-up that is thrown away
            kept.extend(made_of(1 << 12))
        made_of(1 << 20)
        return made_of(1 << 10)

    _, usage = memory.measure(call, "cpu")
    assert (usage.peak_bytes, usage.kept_bytes) == ((1 << 20) + (1 << 12), 1 << 12)


def test_a_dense_mask_that_is_kept_is_part_of_the_figure() -> None:
    usage = usage_of("sdpa_flash", "b1 h4 t272 d64 window:19")
    assert usage.kept_bytes == 272 * 272
    assert usage.peak_bytes is not None
    assert usage.peak_bytes > 272 * 272 + 4 * 4 * 272 * 64


def test_resident_bytes_follow_memory_that_is_touched() -> None:
    _, usage = memory.measure(lambda: made_of(64 << 20), "cpu")
    assert usage.resident_bytes is not None
    assert 60 << 20 < usage.resident_bytes < 80 << 20


class FakeCuda:
    """Stands in for torch.cuda: an allocator with counters, and a list of what was called."""

    def __init__(self) -> None:
        self.held = self.peak = 0
        self.called: list[str] = []

    def allocate(self, size: int) -> None:
        self.held += size
        self.peak = max(self.peak, self.held)

    def synchronize(self) -> None:
        self.called.append("synchronize")

    def reset_peak_memory_stats(self) -> None:
        self.called.append("reset")
        self.peak = self.held

    def memory_stats(self) -> dict[str, int]:
        """Statistics as torch names them; blocks are larger than what was requested."""
        return {
            "requested_bytes.all.current": self.held,
            "requested_bytes.all.peak": self.peak,
            "allocated_bytes.all.current": -(-self.held // 512) * 512,
            "allocated_bytes.all.peak": -(-self.peak // (1 << 20)) * (1 << 20),
        }


def test_on_a_gpu_memory_is_the_peak_above_the_base_after_a_reset() -> None:
    cuda = FakeCuda()
    cuda.allocate(100_000)  # an earlier, higher peak that must not count
    cuda.held = 1024

    def call() -> tuple[torch.Tensor, ...]:
        cuda.called.append("call")
        cuda.allocate(2048)
        cuda.held -= 2048 - 300
        return made_of(300)

    _, usage = memory.measure_cuda(call, cuda)
    assert (usage.peak_bytes, usage.kept_bytes) == (2048, 0)
    assert cuda.called == ["synchronize", "reset", "call", "synchronize"]


def test_on_a_gpu_tensors_that_the_first_call_keeps_count() -> None:
    cuda = FakeCuda()
    calls = 0

    def call() -> tuple[torch.Tensor, ...]:
        nonlocal calls
        calls += 1
        if calls == 1:
            cuda.allocate(4096)
        cuda.allocate(2048)
        cuda.held -= 1536
        return made_of(512)

    _, usage = memory.measure_cuda(call, cuda)
    assert (usage.peak_bytes, usage.kept_bytes, calls) == (4096 + 2048, 4096, 2)


def test_the_code_says_where_its_path_for_a_gpu_ran() -> None:
    from suites.measure import timing

    for module in (memory, timing):
        assert "NVIDIA H200 on 2026-11-29" in " ".join((module.__doc__ or "").split())


def test_an_output_that_torch_did_not_allocate_is_not_seen() -> None:
    def call() -> tuple[torch.Tensor, ...]:
        made_of(1 << 10)
        return (torch.from_numpy(np.ones(1 << 20, dtype=np.uint8)),)

    _, usage = memory.measure(call, "cpu")
    assert (usage.peak_bytes, usage.kept_bytes) == (None, None)
    assert usage.unseen == "the output alone is larger than the memory that torch's allocator saw"


def test_an_output_that_is_a_view_of_an_input_needs_no_memory() -> None:
    (given,) = made_of(1 << 20)
    _, usage = memory.measure(lambda: (given.view(2, -1),), "cpu", [given])
    assert usage == Usage(0, 0, usage.resident_bytes)


def test_memory_that_preparing_keeps_counts() -> None:
    kept: list[torch.Tensor] = []

    def prepare() -> None:
        made_of(1 << 24)  # set-up that is thrown away
        kept.extend(made_of(1 << 12))

    prepared = memory.kept_by(prepare, "cpu")
    assert prepared == 1 << 12
    _, usage = memory.measure(lambda: made_of(1 << 10), "cpu", (), prepared)
    assert (usage.peak_bytes, usage.kept_bytes) == ((1 << 12) + (1 << 10), 1 << 12)


def through_numpy(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(q.numpy() + v.numpy())


def with_a_constant(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return q * float(np.sqrt(2)) + torch.from_numpy(np.ones(1))


@pytest.mark.parametrize(("function", "library"), [(through_numpy, "numpy"), (with_a_constant, "")])
def test_libraries_with_an_allocator_of_their_own_are_recognized(
    function: Any, library: str
) -> None:
    found = unseen(implementation(Limits())(function))
    assert found == (f"memory of {library} is not seen by torch's allocator" if library else "")


def test_on_a_gpu_bytes_are_those_requested_not_those_of_blocks() -> None:
    with stand_in():
        x = torch.ones(100, device="cuda")
        _, usage = memory.measure(lambda: (x + 1,), "cuda", [x])
    assert (usage.peak_bytes, usage.kept_bytes) == (400, 0)


def test_what_was_allocated_before_does_not_count_on_a_gpu() -> None:
    with stand_in():
        large = torch.ones(1 << 20, device="cuda")
        del large  # an earlier, higher peak
        x = torch.ones(1000, device="cuda")

        def call() -> tuple[torch.Tensor, ...]:
            return ((x + 1) * 2 + 1,)

        first, second = (memory.measure(call, "cuda", [x])[1] for _ in range(2))
    assert first == second
    assert first.peak_bytes == 8000  # one result while the next is made


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_garbage_that_is_freed_within_a_call_does_not_lower_its_figure(device: str) -> None:
    with stand_in():
        cycle: list[Any] = [torch.ones(1 << 18, device=device)]
        cycle.append(cycle)
        del cycle

        def call() -> tuple[torch.Tensor, ...]:
            gc.collect()
            return (torch.ones(1024, device=device),)

        assert memory.measure(call, device)[1].peak_bytes == 4096


def test_an_allocator_that_counts_no_requested_bytes_gives_no_figure() -> None:
    class Async(FakeCuda):
        def memory_stats(self) -> dict[str, int]:
            return dict.fromkeys(super().memory_stats(), 0)

    _, usage = memory.measure_cuda(lambda: made_of(300), Async())
    assert (usage.peak_bytes, usage.unseen) == (None, memory.OUTPUT_UNSEEN)


def test_workspaces_are_made_on_both_threads_before_memory_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each thread has handles of its own, and the first product of each allocates."""
    products, workspaces = memory._products, dict[tuple[int, torch.dtype], torch.Tensor]()

    def product(x: torch.Tensor) -> torch.Tensor:
        workspaces.setdefault((get_ident(), x.dtype), x.new_ones(1 << 20))
        return products(x)

    monkeypatch.setattr(memory, "_products", product)
    with stand_in():
        memory.settle("cuda", torch.bfloat16)
        made = dict(workspaces)
        x = torch.ones(8, 8, device="cuda", dtype=torch.bfloat16, requires_grad=True)

        def train() -> tuple[torch.Tensor, ...]:
            out = memory._Products.apply(x)  # type: ignore[no-untyped-call]
            return torch.autograd.grad(out, x, torch.ones_like(out))

        _, usage = memory.measure(train, "cuda", [x])
    assert {dtype for _, dtype in made} == {torch.bfloat16}
    assert workspaces.keys() == made.keys()
    assert usage.kept_bytes == 0


def test_products_of_the_settling_run_in_both_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    products, passes = memory._products, list[bool]()

    def product(x: torch.Tensor) -> torch.Tensor:
        passes.append(x.requires_grad)
        return products(x)

    monkeypatch.setattr(memory, "_products", product)
    with stand_in():
        memory.settle("cuda", torch.float16)
    memory.settle("cpu", torch.float32)
    assert len(passes) == 2


def test_settling_passes_no_gradient_for_which_torch_would_import_sympy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passed: list[Any] = []
    grad = torch.autograd.grad

    def noted(outputs: Any, inputs: Any, grad_outputs: Any = None, **more: Any) -> Any:
        passed.append(grad_outputs)
        return grad(outputs, inputs, grad_outputs, **more)

    monkeypatch.setattr(torch.autograd, "grad", noted)
    with stand_in():
        memory.settle("cuda", torch.bfloat16)
    assert passed
    assert set(passed) <= {None, (None,)}
