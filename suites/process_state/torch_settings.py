"""What torch holds for the whole process: read, put back, and what was done to it in words."""

from __future__ import annotations

import json
import time
from typing import Any, Final

import torch
from torch.nn import functional

Names = dict[str, dict[str, Any]]
"""What namespaces hold, by namespace and name."""

_BACKENDS: Final[Any] = torch.backends
"""Any: parts of it carry no types."""
_CUDA: Final[Any] = torch.cuda
_DETERMINISTIC: Final[Any] = torch.utils.deterministic
_SAVED: Final[Any] = torch._C._autograd  # noqa: SLF001 - no public name
_NAMESPACES: Final[dict[str, Any]] = {
    "time": time,
    "json": json,
    "torch": torch,
    "torch.Tensor": torch.Tensor,
    "torch.nn.functional": functional,
    "torch.autograd": torch.autograd,
    "torch.nn.Linear": torch.nn.Linear,
    "torch.nn.Module": torch.nn.Module,
    "torch.nn.MultiheadAttention": torch.nn.MultiheadAttention,
    "torch.cuda": torch.cuda,
}
"""Whose functions implementations and instruments call."""
_REPLACED_BY_TORCH: Final = {"torch.manual_seed", "torch.Storage"}
"""Importing its compiler wraps the first; the second goes by the default dtype."""
_OPERATIONS: Final = (
    *("mm", "bmm", "addmm", "baddbmm", "matmul", "linear", "copy_", "masked_fill.Scalar"),
    *("mul.Tensor", "add.Tensor", "sub.Tensor", "div.Tensor", "exp", "tanh", "sum.dim_IntList"),
    *("amax", "maximum", "_softmax", "_softmax_backward_data", "scaled_dot_product_attention"),
)
"""Whose kernels are looked at."""
_SUMS: Final = (
    "allow_fp16_reduced_precision_reduction",
    "allow_bf16_reduced_precision_reduction",
    "allow_fp16_accumulation",
)
"""Switches of NVIDIA's matrix products."""
_KEYS: Final = ("CPU", "CUDA", "Autograd", "Composite")
"""How lines of the dispatcher's tables begin that tell of a kernel in use here."""
_NAMED: Final = 3
"""Of several functions so many are named."""
_SMALLEST: Final = [5e-324]
"""In a list, so that no compiler works its product out beforehand."""


def names() -> Names:
    """The functions, and whatever else stands beside them."""
    return {name: dict(vars(space)) for name, space in _NAMESPACES.items()}


def put_back_names(was: Names) -> None:
    """Make functions that were replaced what they were."""
    for name in _replaced(was, names()):
        space, _, function = name.rpartition(".")
        if function in was[space]:
            setattr(_NAMESPACES[space], function, was[space][function])
        else:
            delattr(_NAMESPACES[space], function)


def told_names(was: Names, now: Names) -> str:
    """Which functions were replaced."""
    found = _replaced(was, now)
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return f"replaced {', '.join(found[:_NAMED])}{more}" if found else ""


def default_device() -> torch.device:
    """Where tensors are made."""
    return torch.get_default_device()


def put_back_default_device(was: torch.device) -> None:
    """Without a mode of torch's where none is needed: it slows every call."""
    torch.set_default_device(None if was == torch.device("cpu") else was)


def told_seed(was: int, now: int) -> str:
    """Drawing random numbers costs others nothing; starting them anew gives others the same."""
    return "" if was == now else "seeded torch's random numbers"


def precision() -> tuple[str, ...]:
    """How products of float32 are computed, by library; none and ieee are the same."""
    return tuple(each.fp32_precision.replace("none", "ieee") for each in _multiplying())


def put_back_precision(was: tuple[str, ...]) -> None:
    """As `precision` read it."""
    for each, value in zip(_multiplying(), was, strict=True):
        each.fp32_precision = value


def _multiplying() -> tuple[Any, ...]:
    return _BACKENDS, _BACKENDS.cuda.matmul, _BACKENDS.mkldnn.matmul


def told_precision(was: tuple[str, ...], now: tuple[str, ...]) -> str:
    """From what to what."""
    if was == now:
        return ""
    a, b = ("/".join(each) for each in (was, now))
    return f"changed how products of float32 are computed, from {a} to {b}"


def sums() -> tuple[Any, ...]:
    """Whether products of half precision may be summed up in half precision on NVIDIA devices."""
    return tuple(getattr(_BACKENDS.cuda.matmul, name) for name in _SUMS)


def put_back_sums(was: tuple[Any, ...]) -> None:
    """As `sums` read it."""
    for name, value in zip(_SUMS, was, strict=True):
        setattr(_BACKENDS.cuda.matmul, name, value)


def told_sums(was: tuple[Any, ...], now: tuple[Any, ...]) -> str:
    """That it was changed."""
    return "" if was == now else "changed how products of half precision are summed up"


def switches() -> tuple[bool, ...]:
    """Which kernels torch's attention may take, and whether oneDNN multiplies."""
    cuda = _BACKENDS.cuda
    return (
        cuda.flash_sdp_enabled(),
        cuda.math_sdp_enabled(),
        cuda.mem_efficient_sdp_enabled(),
        cuda.cudnn_sdp_enabled(),
        torch._C._get_mkldnn_enabled(),  # noqa: SLF001 - torch.backends.mkldnn.enabled, but quick
    )


def put_back_switches(was: tuple[bool, ...]) -> None:
    """As `switches` read them."""
    cuda = _BACKENDS.cuda
    setters = (
        cuda.enable_flash_sdp,
        cuda.enable_math_sdp,
        cuda.enable_mem_efficient_sdp,
        cuda.enable_cudnn_sdp,
        _BACKENDS.mkldnn.set_flags,
    )
    for setter, value in zip(setters, was, strict=True):
        setter(value)


def told_switches(was: tuple[bool, ...], now: tuple[bool, ...]) -> str:
    """Which of them were turned."""
    kernels = ("flash", "math", "memory-efficient", "cuDNN", "oneDNN")
    turned = [name for name, a, b in zip(kernels, was, now, strict=True) if a != b]
    return f"switched kernels of torch on or off ({', '.join(turned)})" if turned else ""


def modes() -> tuple[int, int]:
    """How many modes stand around every function of torch."""
    return torch._C._len_torch_function_stack(), torch._C._len_torch_dispatch_stack()  # noqa: SLF001 - no public name


def fills_unwritten() -> bool:
    """Whether memory that nothing was written to is filled in deterministic mode, as checks do."""
    return bool(_DETERMINISTIC.fill_uninitialized_memory)


def put_back_filling(was: bool) -> None:  # noqa: FBT001 - one of many that put back what they are given
    """As `fills_unwritten` read it."""
    _DETERMINISTIC.fill_uninitialized_memory = was


def profiles() -> bool:
    """Whether every operation is recorded."""
    return bool(_SAVED._profiler_enabled())  # noqa: SLF001 - no public name


def put_back_profiler(was: object) -> None:
    """Off: whoever measures with it here turns it off again."""
    if not was and profiles():
        _SAVED._disable_profiler()  # noqa: SLF001 - no public name


def kernels() -> tuple[str, ...]:
    """What stands behind the operations of attention on each device, and before it."""
    return tuple(
        f"aten::{name} {line}"
        for name in _OPERATIONS
        for line in torch._C._dispatch_dump(f"aten::{name}").splitlines()  # noqa: SLF001 - no public name
        if line.startswith(_KEYS)
    )


def told_kernels(was: tuple[str, ...], now: tuple[str, ...]) -> str:
    """Which were replaced: for others, and for the reference too."""
    names = dict.fromkeys(line.split()[0] for line in sorted(set(was) ^ set(now)))
    return f"replaced kernels of torch ({', '.join(list(names)[:_NAMED])})" if names else ""


def saved_hooks() -> Any:
    """What is called on every tensor that is kept for gradients, and when it is asked for again."""
    return _SAVED._top_saved_tensors_default_hooks(False)  # noqa: SLF001 - no public name


def put_back_saved_hooks(was: Any) -> None:
    """Take off those that were put on top."""
    while saved_hooks() not in (was, None):
        _SAVED._pop_saved_tensors_default_hooks()  # noqa: SLF001 - no public name


def told_saved_hooks(was: Any, now: Any) -> str:
    """Whether some were set and not taken off, or the other way round."""
    changed = "set hooks on tensors kept for gradients, or took some off"
    return "" if was == now else changed


def told_modes(was: tuple[int, int], now: tuple[int, int]) -> str:
    """Whether one was entered and not left, or the other way round."""
    return "" if was == now else "entered a mode around torch's functions, or left one"


def stream() -> tuple[int, int]:
    """The CUDA device and stream that work goes to."""
    if not _CUDA.is_initialized():
        return 0, 0
    return _CUDA.current_device(), _CUDA.current_stream().cuda_stream


def flushes_denormals() -> bool:
    """Whether arithmetic of this thread takes the smallest numbers for zero."""
    return _SMALLEST[0] * 1.0 == 0


def _replaced(was: Names, now: Names) -> list[str]:
    """Functions that are others now, or that hide inherited ones, with their namespace."""
    found: list[str] = []
    for space, before in was.items():
        after = now[space]
        if after == before:  # a hundred times as quick as name by name
            continue
        other = {name for name, x in before.items() if callable(x) and after.get(name) is not x}
        if space == "torch.Tensor":
            other |= {name for name in after.keys() - before.keys() if _inherits(name)}
        found += sorted(f"{space}.{name}" for name in other)
    return [name for name in found if name not in _REPLACED_BY_TORCH]


def _inherits(name: str) -> bool:
    return any(hasattr(each, name) for each in torch.Tensor.__mro__[1:])
