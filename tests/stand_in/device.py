"""An NVIDIA device with real values, computed on the CPU, and an error where devices mix.

The device is PrivateUse1, which torch lets Python implement: its autograd engine refuses "cuda" in
a build without CUDA. A function mode translates "cuda" into it, and back where a device is read.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from unittest.mock import patch

import torch
from torch.autograd import graph
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.backend_registration import (
    _DummyBackendModule,
    _setup_privateuseone_for_python_backend,
)

from suites.measure import inputs
from tests.stand_in import attention, mixing
from tests.stand_in.kernels import kernels_of_torch
from tests.stand_in.runtime import Runtime, patches
from tests.stand_in.tensors import NAME, OnDevice, StandIn
from tests.stand_in.trees import mapped

CUDA: Final = torch.device("cuda", 0)
GRAPH_CALLS: Final = 16
"""Calls in one graph, 256 on a GPU: a replay computes every call on the host."""
CEILING_MS: Final = 0.02
"""Least length of a sample of the ceilings, 1 ms on a GPU: likewise."""
_LAZY: Final = inputs._is_lazy
_TENSOR: Final[Any] = torch.Tensor


class _Translate(TorchFunctionMode):
    """Takes "cuda" for the stand-in in arguments, and reads its device as cuda:0."""

    def __torch_function__(self, func: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        on_device = bool(args) and isinstance(args[0], OnDevice)
        if on_device and func in _READ:
            return _READ[func](args[0], *args[1:])
        if on_device and func is torch.nn.functional.scaled_dot_product_attention:
            return attention.scaled_dot_product(*args, **kwargs)
        if func is torch.device:
            return func(*args, **kwargs)
        kwargs.pop("pin_memory", None)  # all memory of the CPU is alike
        args, kwargs = mapped(_translated, (tuple(args), kwargs))
        return _REPLACED.get(func, func)(*args, **kwargs)


def _translated(x: Any) -> Any:
    if isinstance(x, str) and x.partition(":")[0] == "cuda":
        return x.replace("cuda", NAME)
    if isinstance(x, torch.device) and x.type == "cuda":
        return torch.device(NAME, x.index or 0)
    return x


def _to(x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    if args and isinstance(args[0], OnDevice):
        args = (torch.device(NAME, 0), args[0].dtype, *args[1:])
    return x.to(*args, **kwargs)


def _cuda(x: torch.Tensor, device: Any = None, *_: Any, **__: Any) -> torch.Tensor:
    return x.to(torch.device(NAME, 0))


def _tensor(data: Any, *, device: Any = None, requires_grad: bool = False, **kwargs: Any) -> Any:
    """torch.tensor: it gathers values on the CPU and copies them."""
    data = mapped(lambda x: x.item() if isinstance(x, OnDevice) and not x.dim() else x, data)
    made = torch.tensor(data, **kwargs).to(device)
    return made.requires_grad_(requires_grad)


def _as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Any:
    made = data if isinstance(data, OnDevice) else torch.as_tensor(data)
    return made.to(device=device, dtype=dtype)


def _new_tensor(x: torch.Tensor, data: Any, *, device: Any = None, **kwargs: Any) -> Any:
    return _tensor(data, **{"dtype": x.dtype, "device": device or x.device, **kwargs})


def _listed(x: OnDevice) -> Any:
    StandIn.current().runtime.synchronize()
    return x.inner.tolist()


def _refused(*_: Any) -> Any:
    raise TypeError("can't convert cuda:0 device type tensor to numpy; copy it to the host first")


_READ: Final[dict[Any, Any]] = {
    _TENSOR.device.__get__: lambda _: CUDA,
    _TENSOR.is_cuda.__get__: lambda _: True,
    _TENSOR.data_ptr: lambda x: x.inner.data_ptr(),
    _TENSOR.untyped_storage: lambda x: x.inner.untyped_storage(),
    _TENSOR.tolist: _listed,
    _TENSOR.data.__get__: lambda x: StandIn.current().put(x.inner),
    _TENSOR.numpy: _refused,
    _TENSOR.__array__: _refused,
}
"""What Python reads of a tensor without an operator."""
_REPLACED: Final[dict[Any, Any]] = {
    _TENSOR.to: _to,
    _TENSOR.cuda: _cuda,
    _TENSOR.new_tensor: _new_tensor,
    _TENSOR.pin_memory: lambda x, *_: x.clone(),
    torch.tensor: _tensor,
    torch.as_tensor: _as_tensor,
}
"""Functions that torch implements without operators that Python could handle."""


class _Dispatch(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch's
    """Runs operators without a tensor of the device whose result is on it."""

    def __torch_dispatch__(self, func: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        onto = kwargs.get("device")
        made_there = onto is not None and torch.device(onto).type == NAME
        copied_there = func._schema.name == "aten::copy_" and isinstance(args[0], OnDevice)
        if made_there or copied_there:
            return StandIn.current().run(func, args, kwargs)
        if "generator" in kwargs and not mixing.tensors(args, OnDevice):
            mixing.check_generator(kwargs, on_device=False)
        return func(*args, **kwargs)


def _is_lazy(kind: type[torch.Tensor]) -> bool:
    """Tensors of the stand-in have a class of their own, and compute at once."""
    return kind is not OnDevice and _LAZY(kind)


class _BackendModule(_DummyBackendModule):
    """torch.standin; torch.utils.checkpoint asks it for the dtypes of autocast.

    It is available within `stand_in` only: torch.utils.benchmark would wait for its streams.
    """

    def is_available(self) -> bool:
        return StandIn._current is not None

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.float16, torch.bfloat16]


@functools.cache
def register() -> None:
    """Name the device; before the first backward pass of the process."""
    _setup_privateuseone_for_python_backend(NAME, _BackendModule())


def skip_beside_a_device() -> None:
    """Skip the test on a machine with a GPU.

    Once the stand-in is registered, torch refuses backward passes on a GPU: it takes the stand-in
    for the accelerator (`getAccelerator` in aten/src/ATen/DeviceAccelerator.cpp).
    """
    if StandIn._current is None and torch.cuda.is_available():
        import pytest  # sessions do without it

        pytest.skip("an NVIDIA device is here, and a process has it or the stand-in, not both")


@contextmanager
def _without_triton() -> Iterator[None]:
    """Its do_bench is missing: it looks for NVIDIA's driver, which the stand-in is not."""
    name, nothing = "triton.testing", object()
    before = sys.modules.get(name, nothing)
    sys.modules[name] = None  # type: ignore[assignment] # so that its import fails
    try:
        yield
    finally:
        del sys.modules[name]
        if before is not nothing:
            sys.modules[name] = before  # type: ignore[assignment] # a module


@contextmanager
def stand_in(**settings: Any) -> Iterator[Runtime]:
    """Within this, "cuda" is the stand-in, and torch.cuda its runtime.

    settings  of the runtime
    """
    skip_beside_a_device()
    register()
    runtime = Runtime(**settings)
    with ExitStack() as stack:
        for name, value in patches(runtime).items():
            stack.enter_context(patch(f"torch.cuda.{name}", value))
        stack.enter_context(patch("torch.Generator", mixing.Generator))
        backward = functools.partial(runtime.backward, graph._engine_run_backward)
        stack.enter_context(patch("torch.autograd._engine_run_backward", backward))
        stack.enter_context(patch("suites.measure.inputs._is_lazy", _is_lazy))
        stack.enter_context(patch("suites.measure.warm_up.LONGEST_S", 0.1))
        stack.enter_context(patch("suites.measure.warm_up.SIZE", 32))
        stack.enter_context(patch("suites.measure.graph.GRAPH_CALLS", GRAPH_CALLS))
        stack.enter_context(patch("suites.measure.ceilings.SAMPLE_MS", CEILING_MS))
        stack.enter_context(patch.object(StandIn, "_current", StandIn(runtime)))
        stack.enter_context(_without_triton())
        stack.enter_context(kernels_of_torch())
        stack.enter_context(_Dispatch())  # type: ignore[no-untyped-call] # torch's
        stack.enter_context(_Translate())
        yield runtime
