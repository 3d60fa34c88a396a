from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import impls
from impls.interface import Implementation, Limits, Problem, implementation
from suites.agreement.checker import Checker
from suites.measure import memory
from suites.measure.memory import Usage
from suites.measure.unseen import unseen


def usage_of(name: str, text: str) -> Usage:
    chosen = impls.select([name], impls.load())[0]
    assert isinstance(chosen, Implementation)
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
    usage = usage_of("sdpa_flash", "b1 h4 t256 d64 window:16")
    assert usage.kept_bytes == 256 * 256
    assert usage.peak_bytes is not None
    assert usage.peak_bytes > 256 * 256 + 4 * 4 * 256 * 64


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

    def memory_allocated(self) -> int:
        return self.held

    def max_memory_allocated(self) -> int:
        return self.peak


def test_on_a_gpu_memory_is_the_peak_above_the_base_after_a_reset() -> None:
    cuda = FakeCuda()
    cuda.allocate(100_000)  # an earlier, higher peak that must not count
    cuda.held = 1024

    def call() -> tuple[torch.Tensor, ...]:
        cuda.called.append("call")
        cuda.allocate(2048)
        cuda.held -= 1536
        return made_of(300)  # 512 bytes, in whole blocks

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


def test_the_code_says_plainly_what_never_ran_on_a_gpu() -> None:
    from suites.measure import timing

    for module in (memory, timing):
        assert "it never ran on a GPU" in " ".join((module.__doc__ or "").split())


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
