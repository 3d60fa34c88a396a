"""Implementations that return no valid output, return cached ones, or modify their inputs."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from tests.engine.hostile.honest import in_a_sample, right

_kept: dict[Any, Tensor] = {}
_late: list[Tensor] = []
_later: list[ThreadPoolExecutor] = []


def honest_first(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return right(q, k, v)


def returns_nothing(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return None  # type: ignore[return-value] # the fault under test


def returns_a_tuple(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return (q, k)  # type: ignore[return-value] # the fault under test


def returns_its_input(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return v


def returns_a_meta_tensor(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return torch.empty_like(q, device="meta")


def returns_a_sparse_tensor(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return right(q, k, v).to_sparse()


def returns_a_generator(q: Tensor, k: Tensor, v: Tensor) -> Iterator[Tensor]:
    yield right(q, k, v)


async def returns_an_async_generator(q: Tensor, k: Tensor, v: Tensor) -> AsyncIterator[Tensor]:
    yield right(q, k, v)


class _Later(Tensor):
    """Is computed when torch first reads it."""

    work: Callable[[], Tensor]

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with torch._C.DisableTorchFunctionSubclass():
            known = [x.work() if isinstance(x, cls) else x for x in args]
            return func(*known, **(kwargs or {}))


def returns_a_lazy_tensor(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    with torch._C.DisableTorchFunctionSubclass():
        later = torch.empty_like(q).as_subclass(_Later)
        later.work = lambda: right(q, k, v)
    return later


def returns_before_it_has_finished(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """A thread writes the output a millisecond later."""
    if not _later:
        _later.append(ThreadPoolExecutor(1))
    out = torch.empty_like(q)

    def work() -> None:
        time.sleep(0.001)
        out.copy_(right(q, k, v))

    _later[0].submit(work)
    return out


def shrinks_its_input(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    out = right(q, k, v)
    q.set_()  # type: ignore[call-overload] # torch's stubs lack it
    return out


def frees_its_input(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    out = right(q, k, v)
    q.untyped_storage().resize_(0)
    return out


def frees_its_input_in_a_sample(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return frees_its_input(q, k, v) if in_a_sample() else right(q, k, v)


def doubles_its_input_and_restores_it(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """All bits are restored, and torch's version counter does not see the writes."""
    out = scaled_dot_product_attention(q.data.mul_(2.0), k, v, scale=0.125, enable_gqa=True)
    q.data.div_(2.0)
    return out


def writes_to_its_input_by_numpy_and_restores_it(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    seen = v.numpy()
    seen *= 2
    out = right(q, k, v) / 2
    seen /= 2
    return out


def writes_to_its_input_in_a_sample(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    out = right(q, k, v)
    if in_a_sample():
        q.neg_()
    return out


def asks_its_input_for_gradients_in_a_sample(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    if in_a_sample():
        q.requires_grad_()
    return right(q, k, v)


def _cached(key: Any, out: Callable[[], Tensor]) -> Tensor:
    """In samples the first output for a key, else the correct output."""
    if not in_a_sample():
        return out()
    if key not in _kept:
        _kept[key] = out()
    return _kept[key]


def caches_by_shape(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return _cached(q.shape, lambda: right(q, k, v))


def caches_by_address(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return _cached(q.data_ptr(), lambda: right(q, k, v))


def caches_by_version(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return _cached((q.data_ptr(), q._version), lambda: right(q, k, v))


def caches_weights(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Caches the softmax weights by the address and version of q."""
    k, v = (x.repeat_interleave(q.shape[1] // x.shape[1], dim=1) for x in (k, v))

    def weights() -> Tensor:
        return torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, -1)

    return _cached(("weights", q.data_ptr(), q._version), weights) @ v


def caches_keys(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Caches a copy of the keys by their address."""
    kept = _cached(("keys", k.data_ptr()), k.clone)
    return right(q, kept, v)


def is_one_call_late(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    _late.append(right(q, k, v))
    del _late[:-2]
    return _late[0] if in_a_sample() else _late[-1]


def skips_half_the_keys(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    half = k.shape[2] // 2 if in_a_sample() else k.shape[2]
    return right(q, k[:, :, :half], v[:, :, :half])


def computes_one_head(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    if in_a_sample():
        return right(q[:, :1], k[:, :1], v[:, :1]).expand_as(q)
    return right(q, k, v)


def narrows_its_output(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return right(q, k, v).bfloat16() if in_a_sample() else right(q, k, v)


def returns_a_transposed_view(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return right(q, k, v).transpose(2, 3).contiguous().transpose(2, 3)


class _Sub(Tensor):
    pass


def returns_a_subclass(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return right(q, k, v).as_subclass(_Sub)


def sleeps_in_a_sample(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Slow in the timed samples only."""
    if in_a_sample():
        time.sleep(0.002)
    return right(q, k, v)


def honest_last(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return right(q, k, v)
