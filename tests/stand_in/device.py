"""Tensors on "cuda" that are computed on the CPU, and an error where devices mix.

The device is PrivateUse1, which torch lets Python implement: its autograd engine refuses "cuda" in
a build without CUDA. A function mode translates "cuda" into it, and back where a device is read.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Self
from unittest.mock import patch

import torch
from torch.autograd import graph
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map
from torch.utils.backend_registration import (
    _DummyBackendModule,
    _setup_privateuseone_for_python_backend,
)

from suites.measure import inputs
from tests.stand_in import attention
from tests.stand_in.runtime import Runtime, patches

NAME = "standin"
_LAZY = inputs._is_lazy
CUDA = torch.device("cuda", 0)
WITH_CPU_INDICES = ("aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_")
"""Operators that take indices on the CPU beside a tensor on a device."""
COPIES = ("aten::copy_", "aten::_to_copy", "aten::_local_scalar_dense")
"""Operators between devices, or to the host."""
SYNCHRONIZING = ("aten::_local_scalar_dense", "aten::equal", "aten::nonzero", "aten::masked_select")
"""Operators whose result the host waits for."""


class OnDevice(torch.Tensor):
    """A tensor on the stand-in; `inner` holds its values on the CPU."""

    inner: torch.Tensor  # type: ignore[assignment] # torch has a method of this name
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(cls: type[Self], inner: torch.Tensor) -> Self:
        made: Self = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            layout=inner.layout,
            device=torch.device(NAME, 0),
        )
        made.inner = inner
        return made

    def __repr__(self) -> str:  # type: ignore[override] # without torch's option
        return f"{self.inner!r} on the stand-in"

    @classmethod
    def __torch_dispatch__(  # type: ignore[override] # torch's recipe
        cls, func: Any, _: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return StandIn.current().run(func, args, kwargs or {})


class StandIn:
    """The device: runs operators on the values, and tells its runtime of them."""

    _current: StandIn | None = None

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    @classmethod
    def current(cls) -> StandIn:
        if cls._current is None:
            raise RuntimeError("no stand-in device is in use")
        return cls._current

    def run(self, func: Any, args: Any, kwargs: Any) -> Any:
        """An operator with a tensor or a result on the device."""
        operator, onto = func._schema.name, kwargs.get("device")
        to_host = onto is not None and torch.device(onto).type == "cpu"
        to_host |= operator == "aten::copy_" and not isinstance(args[0], OnDevice)
        if to_host or operator in SYNCHRONIZING:
            self.runtime.synchronize()
        with self.runtime.computing():
            return self._computed(func, args, kwargs, to_host=to_host)

    def _computed(self, func: Any, args: Any, kwargs: Any, *, to_host: bool) -> Any:
        operator = func._schema.name
        _refuse_mixed_devices(operator, args, kwargs)
        if kwargs.get("device") is not None:
            kwargs = {**kwargs, "device": torch.device("cpu")}
        wrappers: dict[int, OnDevice] = {}

        def unwrapped(x: Any) -> Any:
            if isinstance(x, torch.Generator) and hasattr(x, "on_device"):
                return x.on_device
            if isinstance(x, OnDevice):
                wrappers[id(x.inner)] = x
                return x.inner
            return x

        inner_args, inner_kwargs = tree_map(unwrapped, (args, kwargs))
        call = functools.partial(func, *inner_args, **inner_kwargs)
        if operator == "aten::copy_" and to_host:
            call()
            return args[0]
        made = self.runtime.launch(operator, call)

        def wrapped(x: Any) -> Any:
            if not isinstance(x, torch.Tensor) or to_host:
                return x
            return wrappers[id(x)] if id(x) in wrappers else self.put(x)

        return tree_map(wrapped, made)

    def put(self, inner: torch.Tensor) -> OnDevice:
        """A tensor of the device with these values, counted by its allocator."""
        made = OnDevice(inner)
        address = self.runtime.allocate(inner.untyped_storage())
        weakref.finalize(made, self.runtime.free, address)
        return made


def _refuse_mixed_devices(operator: str, args: Any, kwargs: Any) -> None:
    """Raise as torch does where a tensor of the CPU meets one of the device."""
    found: list[torch.Tensor] = []
    tree_map(lambda x: found.append(x) if isinstance(x, torch.Tensor) else None, (args, kwargs))
    if operator in COPIES or not any(isinstance(x, OnDevice) for x in found):
        return
    on_cpu = [x for x in found if not isinstance(x, OnDevice) and x.dim()]
    if operator in WITH_CPU_INDICES and isinstance(args[0], OnDevice):
        indices: list[torch.Tensor] = []
        tree_map(lambda x: indices.append(x) if isinstance(x, torch.Tensor) else None, args[1])
        on_cpu = [x for x in on_cpu if not any(x is index for index in indices)]
    if on_cpu:
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but found at least two devices, cpu "
            f"and cuda:0! ({operator})"
        )


class _Translate(TorchFunctionMode):
    """Takes "cuda" for the stand-in in arguments, and reads its device as cuda:0."""

    def __torch_function__(self, func: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
        read = _READ.get(func)
        if read is not None and isinstance(args[0], OnDevice):
            return read(args[0], *args[1:])
        if func is torch.nn.functional.scaled_dot_product_attention and isinstance(
            args[0], OnDevice
        ):
            return attention.scaled_dot_product(*args, **(kwargs or {}))
        args, kwargs = tree_map(_translated, (tuple(args), dict(kwargs or {})))
        if func is torch.Tensor.to and args[1:] and isinstance(args[1], OnDevice):
            args = (args[0], torch.device(NAME, 0), args[1].dtype, *args[2:])
        return func(*args, **kwargs)


def _translated(x: Any) -> Any:
    if isinstance(x, str) and x.partition(":")[0] == "cuda":
        return x.replace("cuda", NAME)
    if isinstance(x, torch.device) and x.type == "cuda":
        return torch.device(NAME, x.index or 0)
    return x


def _listed(x: Any) -> Any:
    StandIn.current().runtime.synchronize()
    return x.inner.tolist()


def _refused(*_: Any) -> Any:
    raise TypeError("can't convert cuda:0 device type tensor to numpy; copy it to the host first")


_TENSOR: Any = torch.Tensor
_READ: dict[Any, Any] = {
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


class _Dispatch(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch's
    """Runs operators without a tensor of the device whose result is on it."""

    def __torch_dispatch__(self, func: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        onto = kwargs.get("device")
        if onto is not None and torch.device(onto).type == NAME:
            return StandIn.current().run(func, args, kwargs)
        if func._schema.name == "aten::copy_" and isinstance(args[0], OnDevice):
            return StandIn.current().run(func, args, kwargs)
        return func(*args, **kwargs)


class _Generator(torch.Generator):
    """Random numbers of the device; drawn by a generator of the CPU."""

    def __new__(cls, device: Any = "cpu") -> Any:
        if torch.device(device).type not in ("cuda", NAME):
            return torch._C.Generator(device)
        return super().__new__(cls)

    def __init__(self, device: Any = "cpu") -> None:
        self.on_device = torch._C.Generator("cpu")

    def manual_seed(self, seed: int) -> _Generator:
        self.on_device.manual_seed(seed)
        return self


def _is_lazy(kind: type[torch.Tensor]) -> bool:
    """Tensors of the stand-in have a class of their own, and compute at once."""
    return kind is not OnDevice and _LAZY(kind)


class _BackendModule(_DummyBackendModule):
    """torch.standin; torch.utils.checkpoint asks it for the dtypes of autocast."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.float16, torch.bfloat16]


@functools.cache
def register() -> None:
    """Name the device; before the first backward pass of the process."""
    _setup_privateuseone_for_python_backend(NAME, _BackendModule())


@contextmanager
def stand_in(**settings: Any) -> Iterator[Runtime]:
    """Within this, "cuda" is the stand-in, and torch.cuda its runtime.

    settings  of the runtime
    """
    register()
    runtime = Runtime(**settings)
    with ExitStack() as stack:
        for name, value in patches(runtime).items():
            stack.enter_context(patch(f"torch.cuda.{name}", value))
        stack.enter_context(patch("torch.Generator", _Generator))
        backward = functools.partial(runtime.backward, graph._engine_run_backward)
        stack.enter_context(patch("torch.autograd._engine_run_backward", backward))
        stack.enter_context(patch("suites.measure.inputs._is_lazy", _is_lazy))
        stack.enter_context(patch("suites.measure.warm_up.LONGEST_S", 0.1))
        stack.enter_context(patch("suites.measure.warm_up.SIZE", 32))
        stack.enter_context(patch.object(StandIn, "_current", StandIn(runtime)))
        stack.enter_context(_Dispatch())  # type: ignore[no-untyped-call] # torch's
        stack.enter_context(_Translate())
        yield runtime
