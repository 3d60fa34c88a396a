"""Errors of an NVIDIA device: too little memory, and errors that end the use of CUDA in a process.

After an illegal access or a failed assert of a kernel, every later CUDA call of the process fails
with the same error. Kernels run asynchronously, so the error is raised by the next call that waits
for the device. That call may belong to another implementation.
"""

from __future__ import annotations

import re
from typing import Any, Final

import torch

HINT: Final = "set CUDA_LAUNCH_BLOCKING=1 to find the call; no CUDA call works after this error"
_CUDA: Final[Any] = torch.cuda
_OUT_OF_MEMORY: Final = re.compile(
    r"CUDA out of memory|CUDA (driver )?error: out of memory|\[CUDA\]: out of memory"
    r"|CU\w+_STATUS\w*ALLOC\w*_FAILED"
)
"""Texts of torch's allocator, the CUDA runtime, triton, and of cuBLAS and cuDNN."""
_FROM_CUDA: Final = re.compile(
    r"CUDA (driver )?error: |Triton Error \[CUDA\]: |CUDNN_STATUS_EXECUTION_FAILED"
)
_LEAVES_CUDA_USABLE: Final = re.compile(
    r"invalid argument|invalid configuration argument|invalid device function|invalid resource"
    r"|no kernel image is available|too many resources requested|operation not supported"
    r"|captur|device not ready"
    r"|CUBLAS_STATUS_(NOT_SUPPORTED|INVALID_VALUE|ARCH_MISMATCH)"
)
"""Refused launches, refused arguments, and errors of a capture: no kernel has failed."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device has too little memory: libraries raise a plain RuntimeError for that."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and bool(_OUT_OF_MEMORY.search(_text(error)))


def ends_cuda(error: BaseException) -> bool:
    """Whether every later CUDA call of this process fails."""
    if not isinstance(error, RuntimeError) or is_out_of_memory(error):
        return False
    text = _text(error)
    from_cuda = isinstance(error, torch.AcceleratorError) or _FROM_CUDA.search(text)
    return bool(from_cuda) and not _LEAVES_CUDA_USABLE.search(text)


def synchronize() -> None:
    """Wait for the device, where CUDA is in use: raises a pending error of a kernel here."""
    if _CUDA.is_initialized():
        _CUDA.synchronize()


def surfaced(error: BaseException) -> BaseException:
    """The pending error of a kernel, which explains others; without one, the error itself."""
    if ends_cuda(error):
        return error
    try:
        synchronize()
    except RuntimeError as pending:
        return pending if ends_cuda(pending) else error
    return error


def _text(error: BaseException) -> str:
    """The message; not by str(), which an exception may define."""
    return " ".join(each for each in error.args if isinstance(each, str))
