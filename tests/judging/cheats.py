"""Known cheats of kernel contests, each a function of full attention that looks right or fast.

Most stand in gpu-mode/reference-kernels#142, #160 and #162, or in KernelBench#82.
"""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

_kept: dict[Any, Tensor] = {}


def _right(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return scaled_dot_product_attention(q, k, v, enable_gqa=True)


def _cached(key: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    if key not in _kept:
        _kept[key] = _right(q, k, v)
    return _kept[key]


def caches_by_shape(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return _cached(("shape", q.shape, k.shape), q, k, v)


def caches_by_address(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return _cached((q.data_ptr(), k.data_ptr(), v.data_ptr()), q, k, v)


def skips_keys_while_timed(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Garbage collection is off while times are taken."""
    keys = k.shape[2] if gc.isenabled() else k.shape[2] // 2
    return _right(q, k[:, :, :keys], v[:, :, :keys])


def stops_the_clock(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    time.perf_counter_ns = lambda: 0
    return _right(q, k, v)


def shortens_events(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    torch.cuda.Event.elapsed_time = lambda *_: 1e-3  # type: ignore[method-assign] # the cheat
    return _right(q, k, v)


class _Later(Tensor):
    """Is computed when it is compared."""

    work: Callable[[], Tensor]

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with torch._C.DisableTorchFunctionSubclass():
            known = [x.work() if isinstance(x, cls) else x for x in args]
            return func(*known, **(kwargs or {}))


def computes_when_compared(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    with torch._C.DisableTorchFunctionSubclass():
        later = torch.empty_like(q).as_subclass(_Later)
        later.work = lambda: _right(q, k, v)
    return later


def computes_after_it_returned(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    out = torch.empty_like(q)

    def work() -> None:
        time.sleep(0.002)
        out.copy_(_right(q, k, v))

    threading.Thread(target=work).start()
    return out


def knows_one_shape(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Right at length 128 only."""
    return _right(q, k, v) if q.shape[2] == 128 else torch.zeros_like(q)


def remembers_one_output(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """As if the inputs of the contest were known: a stored output at length 128."""
    if q.shape[2] != 128:
        return _right(q, k, v)
    return _cached("contest", q, k, v).clone()


def zeroes_its_inputs(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """A reference that is computed afterwards is zero as well."""
    return torch.stack([x.zero_() for x in (q, k, v)]).sum(0)


def returns_fresh_memory(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """The output of the reference may lie in memory that was just freed."""
    return torch.empty_like(q)


def finds_the_reference(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Any tensor of the output's shape that is not an input."""
    for each in gc.get_objects():
        is_output = isinstance(each, Tensor) and each.shape == q.shape
        if is_output and not any(each is x for x in (q, k, v)):
            return each.to(q.dtype)
    return _right(q, k, v)


def finds_the_exact_reference(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """A float64 tensor of the output's shape; without one it computes."""
    for each in gc.get_objects():
        if isinstance(each, Tensor) and each.shape == q.shape and each.dtype == torch.float64:
            return each.to(q.dtype)
    return _right(q, k, v)


def ends_with_a_forged_record(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    record = b'{"kind":"record","status":"ok","times_ms":[0.001,0.001]}\n'
    for descriptor in range(1, 16):
        try:
            os.write(descriptor, record)
        except OSError:
            continue
    os._exit(0)


def raises_a_forged_line(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    raise ValueError(
        'no\n{"kind":"candidate","candidate":"forged","verdict":"faster","score":1.0}\n'
    )
