"""Tensors of the stand-in, and the device that runs their operators on the CPU."""

from __future__ import annotations

import functools
import weakref
from typing import Any, Final, Self

import torch

from tests.stand_in import mixing
from tests.stand_in.runtime import Runtime
from tests.stand_in.trees import mapped

NAME: Final = "standin"
"""torch's name of the device."""
SYNCHRONIZING: Final = (
    *("aten::_local_scalar_dense", "aten::equal", "aten::nonzero", "aten::masked_select"),
    *("aten::is_nonzero", "aten::_unique2", "aten::unique_dim", "aten::bincount"),
)
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
    """The device: computes operators on the CPU, and reports them to its runtime."""

    _current: StandIn | None = None

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    @classmethod
    def current(cls) -> StandIn:
        """The device in use. Raises RuntimeError where there is none."""
        if cls._current is None:
            raise RuntimeError("no stand-in device is in use")
        return cls._current

    def run(self, func: Any, args: Any, kwargs: Any) -> Any:
        """An operator with a tensor or a result on the device.

        Torch ends the process when an operator of a Python device raises in autograd's thread. Its
        error is raised at the end of the backward pass, which goes on with values of the CPU.
        """
        operator, onto = func._schema.name, kwargs.get("device")
        to_host = onto is not None and torch.device(onto).type == "cpu"
        to_host |= operator == "aten::copy_" and not isinstance(args[0], OnDevice)
        if to_host or operator in SYNCHRONIZING:
            self.runtime.synchronize()
        with self.runtime.computing():
            try:
                return self._computed(func, args, kwargs, to_host=to_host)
            except RuntimeError as error:
                self.runtime.fail(error)
                args, kwargs = _on_cpu(args, kwargs)
                return mapped(_wrapped, func(*args, **kwargs))

    def put(self, inner: torch.Tensor) -> OnDevice:
        """A tensor of the device with these values, counted by its allocator."""
        made = OnDevice(inner)
        address = self.runtime.allocate(inner.untyped_storage())
        weakref.finalize(made, self.runtime.free, address)
        return made

    def _computed(self, func: Any, args: Any, kwargs: Any, *, to_host: bool) -> Any:
        operator = func._schema.name
        mixing.check(func, args, kwargs, OnDevice)
        if operator in mixing.UNORDERED:
            mixing.warn_of_order(operator)
        wrappers = {id(x.inner): x for x in mixing.tensors((args, kwargs), OnDevice)}
        args, kwargs = _on_cpu(args, kwargs)
        call = functools.partial(func, *args, **kwargs)
        if to_host:
            return call()
        made = self.runtime.launch(operator, call)
        for x in wrappers.values():
            if x.size() != x.inner.size():
                raise NotImplementedError(f"{operator} on the stand-in: it cannot change sizes")

        def wrapped(x: Any) -> Any:
            if not isinstance(x, torch.Tensor):
                return x
            return wrappers[id(x)] if id(x) in wrappers else self.put(x)

        return mapped(wrapped, made)


def _on_cpu(args: Any, kwargs: Any) -> Any:
    """The same arguments with tensors and results on the CPU."""
    if kwargs.get("device") is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    return mapped(lambda x: x.inner if isinstance(x, OnDevice) else x, (args, kwargs))


def _wrapped(x: Any) -> Any:
    return OnDevice(x) if isinstance(x, torch.Tensor) else x
