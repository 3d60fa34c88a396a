"""Errors of a device: which mean too little memory, and which end the use of CUDA."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from suites.agreement.attempts import Raised, attempt
from suites.measure.device_errors import ends_cuda, is_out_of_memory, surfaced, synchronize
from tests.stand_in.device import stand_in
from tests.stand_in.runtime import Runtime

OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be"),
    RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
    RuntimeError("Triton Error [CUDA]: out of memory"),
]
END = [
    torch.AcceleratorError("CUDA error: device-side assert triggered\nCUDA kernel errors might be"),
    torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
    torch.AcceleratorError("CUDA error: unspecified launch failure"),
    torch.AcceleratorError("CUDA error: misaligned address"),
    RuntimeError("CUDA error: an illegal memory access was encountered"),
    RuntimeError("CUDA driver error: device-side assert triggered"),
    RuntimeError("Triton Error [CUDA]: an illegal memory access was encountered"),
    RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
]
USABLE = [
    torch.AcceleratorError("CUDA error: invalid configuration argument"),
    torch.AcceleratorError("CUDA error: no kernel image is available for execution on the device"),
    torch.AcceleratorError("CUDA error: too many resources requested for launch"),
    torch.AcceleratorError("CUDA error: operation not permitted when stream is capturing"),
    torch.AcceleratorError("CUDA error: operation failed due to a previous error during capture"),
    RuntimeError("CUDA error: CUBLAS_STATUS_NOT_SUPPORTED when calling `cublasLtMatmul`"),
    RuntimeError("Triton Error [CUDA]: invalid argument"),
    RuntimeError("expected a head dimension of at most 256"),
    ValueError("CUDA error: device-side assert triggered"),
]


@pytest.fixture
def cuda() -> Iterator[Runtime]:
    with stand_in() as runtime:
        yield runtime


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=str)
def test_libraries_run_out_of_memory_with_errors_of_their_own(error: RuntimeError) -> None:
    assert is_out_of_memory(error)
    assert not ends_cuda(error)


@pytest.mark.parametrize("error", END, ids=str)
def test_a_kernel_that_failed_ends_the_use_of_cuda(error: RuntimeError) -> None:
    assert ends_cuda(error)
    assert not is_out_of_memory(error)


@pytest.mark.parametrize("error", USABLE, ids=str)
def test_a_refused_launch_or_capture_leaves_cuda_usable(error: Exception) -> None:
    assert not ends_cuda(error)
    assert not is_out_of_memory(error)


def test_the_message_is_read_without_code_of_the_exception() -> None:
    class MuteError(RuntimeError):
        def __str__(self) -> str:
            raise ValueError("no words")

    assert ends_cuda(MuteError("CUDA error: misaligned address"))


@pytest.mark.parametrize("error", [*OUT_OF_MEMORY, *END, MemoryError()], ids=repr)
def test_such_an_error_refuses_no_size(error: Exception) -> None:
    def call() -> None:
        raise error

    with pytest.raises(type(error)):
        attempt(call)


@pytest.mark.parametrize("error", USABLE, ids=str)
def test_any_other_error_refuses_a_size(error: Exception) -> None:
    def call() -> None:
        raise error

    found = attempt(call)
    assert isinstance(found, Raised)
    assert found.error is error


def test_a_pending_error_of_a_kernel_explains_another_one(cuda: Runtime) -> None:
    ours = ValueError("no such luck")
    assert surfaced(ours) is ours
    torch._assert_async(torch.zeros((), device="cuda"))
    found = surfaced(ours)
    assert ends_cuda(found)
    assert "device-side assert" in str(found)
    with pytest.raises(torch.AcceleratorError):
        synchronize()


def test_an_error_that_ends_cuda_is_not_looked_for_again(cuda: Runtime) -> None:
    error = torch.AcceleratorError("CUDA error: device-side assert triggered")
    assert surfaced(error) is error
    assert cuda.synchronized == 0


def test_without_cuda_nothing_is_synchronized() -> None:
    synchronize()
