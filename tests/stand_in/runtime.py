"""What torch.cuda offers, for the stand-in: queue, events, streams, graphs, memory and errors.

The device's clock is the CPU time of the process, so that other programs do not matter, without the
time in which the stand-in computes values: an operator computes them at once, and keeps the device
busy for some further microseconds. Events and synchronization wait for that.
"""

from __future__ import annotations

import functools
import itertools
import os
import pickle
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from tests.stand_in.graphs import Address, Graph
from tests.stand_in.streams import Event, Stream

BLOCK = 512
"""Bytes: sizes of blocks of torch's CUDA allocator are multiples of this."""
CYCLES_PER_US = 2000
FIRST_UUID = 0x7B3F1A52_0000_4000_8000_00000000CAFE
UUID = "7b3f1a52-0000-4000-8000-00000000cafe"
"""Of the first device; the next ones count up."""


class Runtime:
    """The state of the stand-in.

    capability     compute capability
    memory_bytes   of the device: more raises OutOfMemoryError
    devices        in the machine; CUDA_VISIBLE_DEVICES selects some of them
    name           of every device
    kernel_us      device time of an operator
    l2_bytes       of the second-level cache; 0 gives a problem two input sets
    leaks_failed_captures  as torch before 2.12: after a capture that failed, emptying the cache
                   fails for ever
    """

    def __init__(
        self,
        *,
        capability: tuple[int, int] = (9, 0),
        memory_bytes: int = 1 << 30,
        kernel_us: float = 100.0,
        l2_bytes: int = 1 << 20,
        leaks_failed_captures: bool = False,
        devices: int = 1,
        name: str = "NVIDIA stand-in",
    ) -> None:
        every = [
            SimpleNamespace(
                name=name,
                major=capability[0],
                minor=capability[1],
                total_memory=memory_bytes,
                L2_cache_size=l2_bytes,
                multi_processor_count=132,
                uuid=uuid_of(index),
            )
            for index in range(devices)
        ]
        self.visible = [every[index] for index in visible(devices)]
        self.properties = (self.visible or every)[0]
        self.kernel_us, self.leaks = kernel_us, leaks_failed_captures
        self.free_us = self._computed_us = self._waited_us = 0.0
        self.fraction = 1.0
        """Part of the memory that the process may use."""
        self.alive: dict[Address, int] = {}
        """Tensors that use a block, by its address and bytes."""
        self.allocations: dict[Address, int] = {}
        """The number of the allocation of each block: a block that is used again has another."""
        self._numbers = itertools.count(1)
        self.requested = self.peak_requested = 0
        self.launched = self.replays = self.captures = self.synchronized = 0
        self.broken = ""
        """The error that every further call ends with."""
        self.allocator = "native"
        """The allocator: native or cudaMallocAsync."""
        self.history: list[dict[str, Any]] | None = None
        """Allocations and releases while they are recorded; None: they are not."""
        self.stream_now = Stream()
        self.ranges: list[str] = []
        """Named ranges that were begun, each behind the one that it is within; "" ends one."""
        self._capturing: Graph | None = None
        self._spoilt = False
        self._leaked = False
        self._thread = threading.get_ident()
        self._failed_backward: BaseException | None = None

    def fail(self, error: BaseException) -> None:
        """Raise an error; within autograd's thread of the device, after the backward pass.

        Torch's device guard for Python aborts the process where an operator raises in that thread.
        """
        if threading.get_ident() == self._thread:
            raise error
        self._failed_backward = self._failed_backward or error

    def backward(self, run: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run a backward pass, and raise the first error of its thread."""
        self._failed_backward = None
        made = run(*args, **kwargs)
        failed, self._failed_backward = self._failed_backward, None
        if failed is not None:
            raise failed
        return made

    def now_us(self) -> float:
        return time.process_time_ns() / 1e3 - self._computed_us + self._waited_us

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Within this, the device's clock stands still."""
        outer, began_us = self._computed_us, time.process_time_ns() / 1e3
        try:
            yield
        finally:
            self._computed_us = outer + time.process_time_ns() / 1e3 - began_us

    def wait_until(self, at_us: float) -> None:
        if (left := at_us - self.now_us()) > 0:
            time.sleep(left / 1e6)
            self._waited_us += left

    def synchronize(self, *_: Any) -> None:
        if self._capturing is not None:
            self._spoilt = True
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing")
        self.synchronized += 1
        self.wait_until(self.free_us)
        self.expect_alive()

    def expect_alive(self) -> None:
        if self.broken:
            self.fail(torch.AcceleratorError(self.broken))

    def busy(self, device_us: float) -> None:
        """Keep the device busy for so long, after what is queued."""
        self.free_us = max(self.free_us, self.now_us()) + device_us

    def launch(self, operator: str, call: functools.partial[Any]) -> Any:
        """Run an operator, and write it down within a capture."""
        self.expect_alive()
        if operator in ("aten::_assert_async", "aten::_assert_async.msg"):
            return self._assert(call)
        made = call()
        self.launched += 1
        if self._capturing is None:
            self.busy(self.kernel_us)
            return made
        self._capturing.write_down(call, made)
        return made

    def _assert(self, call: Callable[[], Any]) -> None:
        try:
            call()
        except RuntimeError:
            self.broken = "CUDA error: device-side assert triggered"

    def allocate(self, storage: torch.UntypedStorage) -> Address:
        address = storage.data_ptr(), storage.nbytes()
        if address not in self.alive:
            self.allocations[address] = next(self._numbers)
            if self.requested + address[1] > self.fraction * self.properties.total_memory:
                message = f"CUDA out of memory. Tried to allocate {address[1]} bytes."
                self.fail(torch.OutOfMemoryError(message))
            self.requested += address[1]
            self.peak_requested = max(self.peak_requested, self.requested)
            self._write_history("alloc", address)
        self.alive[address] = self.alive.get(address, 0) + 1
        return address

    def free(self, address: Address) -> None:
        self.alive[address] -= 1
        if not self.alive[address]:
            del self.alive[address], self.allocations[address]
            self.requested -= address[1]
            self._write_history("free_completed", address)

    def _write_history(self, action: str, address: Address) -> None:
        if self.history is not None:
            self.history.append({"action": action, "addr": address[0], "size": address[1]})

    def record_memory_history(self, enabled: str | None = "all", **_: Any) -> None:
        """Torch's `_record_memory_history`."""
        self.history = None if enabled is None else []

    def dump_snapshot(self, filename: str) -> None:
        """Torch's `_dump_snapshot`, without segments."""
        snapshot = {"segments": [], "device_traces": [self.history or []]}
        Path(filename).write_bytes(pickle.dumps(snapshot))

    def memory_stats(self, *_: Any) -> dict[str, int]:
        rounded = sum(-(-size // BLOCK) * BLOCK for _, size in self.alive)
        return {
            "requested_bytes.all.current": self.requested,
            "requested_bytes.all.peak": self.peak_requested,
            "allocated_bytes.all.current": rounded,
            "allocated_bytes.all.peak": max(rounded, self.peak_requested),
        }

    def set_fraction(self, fraction: float, *_: Any) -> None:
        """Limit the memory of the process, as c10/cuda/CUDACachingAllocator.cpp does."""
        if not 0 <= fraction <= 1:
            raise ValueError(f"Invalid fraction value: {fraction}. Allowed range: 0~1")
        self.fraction = fraction

    def reset_peak_memory_stats(self, *_: Any) -> None:
        self.peak_requested = self.requested

    def empty_cache(self) -> None:
        if self._leaked:
            raise RuntimeError("captures_underway.empty() INTERNAL ASSERT FAILED")

    @contextmanager
    def stream(self, stream: Stream) -> Iterator[None]:
        before, self.stream_now = self.stream_now, stream
        try:
            yield
        finally:
            self.stream_now = before

    @contextmanager
    def graph(
        self, graph: Graph, pool: Any = None, stream: Stream | None = None, **_: Any
    ) -> Iterator[None]:
        """Like torch's: what fails at the end of a capture leaves its stream the current one."""
        self.synchronize()
        self.empty_cache()
        self.captures += 1
        before, self.stream_now, self._capturing = self.stream_now, stream or Stream(), graph
        try:
            yield
        finally:
            self._capturing = None
            if self._spoilt:
                self._spoilt, self._leaked = False, self._leaked or self.leaks
                raise RuntimeError(
                    "CUDA error: operation failed due to a previous error in capture"
                )
        self.stream_now = before


def uuid_of(index: int) -> str:
    """The UUID of a device, as torch prints it: without a prefix."""
    return str(uuid.UUID(int=FIRST_UUID + index))


def visible(devices: int) -> list[int]:
    """The devices that CUDA_VISIBLE_DEVICES names, up to the first unknown one, as CUDA does."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return list(range(devices))
    known = {
        f"{kind}-{uuid_of(index)}": index for index in range(devices) for kind in ("GPU", "MIG")
    }
    known |= {str(index): index for index in range(devices)}
    return list(
        itertools.takewhile(
            lambda each: each >= 0, (known.get(x.strip(), -1) for x in named.split(","))
        )
    )


def patches(runtime: Runtime) -> dict[str, Any]:
    """Members of torch.cuda that the runtime replaces, by name."""
    here = runtime.properties

    def properties(device: Any = None) -> Any:
        index = device if isinstance(device, int) else torch.device(device or "cuda").index
        return runtime.visible[index or 0]

    return {
        "is_available": lambda: bool(runtime.visible),
        "is_initialized": lambda: True,
        "init": lambda: None,
        "device_count": lambda: len(runtime.visible),
        "current_device": lambda: 0,
        "set_device": lambda *_: None,
        "get_device_properties": properties,
        "get_device_capability": lambda *_: (here.major, here.minor),
        "get_device_name": lambda device=None: properties(device).name,
        "synchronize": runtime.synchronize,
        "is_current_stream_capturing": lambda: runtime._capturing is not None,
        "_sleep": lambda cycles: runtime.busy(cycles / CYCLES_PER_US),
        "Event": lambda **_: Event(runtime),
        "Stream": Stream,
        "stream": runtime.stream,
        "current_stream": lambda *_: runtime.stream_now,
        "CUDAGraph": lambda **kwargs: Graph(runtime, **kwargs),
        "graph": runtime.graph,
        "graph_pool_handle": lambda: (0, next(runtime._numbers)),
        "empty_cache": runtime.empty_cache,
        "get_allocator_backend": lambda: runtime.allocator,
        "memory": SimpleNamespace(
            **{
                **vars(torch.cuda.memory),
                "_record_memory_history": runtime.record_memory_history,
                "_dump_snapshot": runtime.dump_snapshot,
            }
        ),
        "nvtx": SimpleNamespace(
            range_push=runtime.ranges.append, range_pop=lambda: runtime.ranges.append("")
        ),
        "memory_stats": runtime.memory_stats,
        "memory_allocated": lambda *_: runtime.memory_stats()["allocated_bytes.all.current"],
        "max_memory_allocated": lambda *_: runtime.memory_stats()["allocated_bytes.all.peak"],
        "reset_peak_memory_stats": runtime.reset_peak_memory_stats,
        "set_per_process_memory_fraction": runtime.set_fraction,
        "mem_get_info": lambda *_: (here.total_memory - runtime.requested, here.total_memory),
    }
