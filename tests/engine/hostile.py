"""Implementations that do their worst; each answers rightly unless its docstring says otherwise."""

from __future__ import annotations

import builtins
import ctypes
import functools
import gc
import io
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.functional import scaled_dot_product_attention

_kept: dict[Any, Tensor] = {}
_calls: dict[str, int] = {}
_late: list[Tensor] = []
_pool: list[ThreadPoolExecutor] = []
_later: list[ThreadPoolExecutor] = []
_ending: list[threading.Timer] = []


def _right(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return scaled_dot_product_attention(q, k, v, enable_gqa=True)


def _in_a_sample() -> bool:
    """Whether times are being taken: garbage is collected at all other times."""
    return not gc.isenabled()


def honest_first(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return _right(q, k, v)


# It raises, or something like it.


class _Odd(BaseException):
    pass


class _MuteError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class _LoudError(Exception):
    def __str__(self) -> str:
        return "\x1b[31mred\x1b[0m\n" * (100 << 20 >> 4) + "\ud800"


def raises(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    raise RuntimeError("no such luck")


def raises_system_exit(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    raise SystemExit(0)


def raises_keyboard_interrupt(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    raise KeyboardInterrupt


def raises_what_is_no_exception(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    raise _Odd("base")


def raises_without_words(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    raise _MuteError


def raises_a_hundred_megabytes(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    raise _LoudError


def raises_in_a_sample(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    if _in_a_sample():
        raise RuntimeError("only in the rounds")
    return _right(q, k, v)


def raises_and_changes_the_threads(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    torch.set_num_threads(3)
    raise RuntimeError("no such luck")


def recurses(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return recurses(q, k, v)


# The process dies, or lives for ever.


def exits_quietly(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    os._exit(0)


def exits_in_a_sample(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    if _in_a_sample():
        os._exit(0)
    return _right(q, k, v)


def segfaults(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    ctypes.string_at(0)
    return _right(q, k, v)


def aborts(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    os.abort()


def loops(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    while True:
        pass


def loops_deaf_to_signals(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(1)


def eats_memory(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return torch.ones(1 << 40, dtype=torch.uint8).view(q.shape)


def eats_memory_in_small_bites(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    eaten: list[Any] = []
    while True:
        eaten.append(bytearray(1 << 20))


def closes_every_descriptor(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    os.closerange(0, 256)
    return _right(q, k, v)


def writes_half_a_message(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Finds the engine's own pipe, writes half a line to it and leaves."""
    os.write(int(sys.argv[2]), b'{"kind": "record", "rec')
    os._exit(0)


def writes_over_the_pipe(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    os.write(int(sys.argv[2]), b"hello\n")
    time.sleep(30)
    return _right(q, k, v)


# What it returns is no answer.


def returns_nothing(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return None  # type: ignore[return-value] # the fault under test


def returns_a_tuple(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return (q, k)  # type: ignore[return-value] # the fault under test


def returns_its_input(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return v


def returns_a_meta_tensor(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return torch.empty_like(q, device="meta")


def returns_a_sparse_tensor(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return _right(q, k, v).to_sparse()


def yields(q: Tensor, k: Tensor, v: Tensor) -> Iterator[Tensor]:
    yield _right(q, k, v)


async def waits_to_be_awaited(q: Tensor, k: Tensor, v: Tensor) -> AsyncIterator[Tensor]:
    yield _right(q, k, v)


# It does something to the process.


def changes_the_threads(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    torch.set_num_threads(2)
    return _right(q, k, v)


def changes_the_threads_in_a_sample(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    if _in_a_sample():
        torch.set_num_threads(2)
    return _right(q, k, v)


def changes_the_default_dtype(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    torch.set_default_dtype(torch.float64)
    return _right(q, k, v)


def seeds(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    torch.manual_seed(0)
    return _right(q, k, v)


def lowers_the_precision(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    torch.set_float32_matmul_precision("medium")
    # In float64: where the processor multiplies bfloat16, float32 would be wrong as well.
    return _right(q.double(), k.double(), v.double()).to(q.dtype)


def rounds_upward(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    out = _right(q, k, v)
    ctypes.CDLL(None).fesetround(0x800)
    return out


def has_numpy_raise(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    np.seterr(all="raise")
    return _right(q, k, v)


def replaces_what_writes_json(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    json.dumps = functools.partial(json.dumps, indent=1)
    return _right(q, k, v)


def asks_its_input_for_gradients_in_a_sample(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    if _in_a_sample():
        q.requires_grad_()
    return _right(q, k, v)


def enters_a_mode(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    torch.device("cpu").__enter__()
    return _right(q, k, v)


def replaces_the_clocks(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    time.perf_counter = time.monotonic = lambda: 0.0
    time.perf_counter_ns = lambda: 0
    return _right(q, k, v)


def _zeros(*inputs: Any, **settings: Any) -> Tensor:
    return torch.zeros(())


def replaces_functions_of_torch(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    answer = _right(q, k, v)
    torch.softmax = functional.scaled_dot_product_attention = _zeros
    torch.Tensor.__matmul__ = _zeros  # type: ignore[method-assign] # the fault under test
    return answer


def replaces_a_function_in_a_sample(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    answer = _right(q, k, v)
    if _in_a_sample():
        torch.softmax = _zeros
    return answer


def handles_signals(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    signal.signal(signal.SIGTERM, lambda number, frame: None)
    return _right(q, k, v)


def changes_the_environment(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    os.environ["OMP_NUM_THREADS"] = "7"
    return _right(q, k, v)


def lowers_what_the_system_allows(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    return _right(q, k, v)


def replaces_functions_of_python(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Whatever this program does next would fail, too."""
    answer = _right(q, k, v)
    builtins.len = builtins.sorted = builtins.isinstance = lambda *_: 0  # type: ignore[assignment]
    return answer


def replaces_a_function_of_python_in_a_sample(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    answer = _right(q, k, v)
    if _in_a_sample():
        builtins.max = lambda *_: 0  # type: ignore[assignment]
    return answer


def sets_an_alarm(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """It rings in somebody else's turn."""
    signal.alarm(600)
    return _right(q, k, v)


def leaves_the_folder(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    os.chdir("/")
    return _right(q, k, v)


def empties_the_path(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    sys.path.clear()
    return _right(q, k, v)


def replaces_stdout(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    sys.stdout = io.StringIO()
    return _right(q, k, v)


def traces(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    sys.settrace(lambda *_: None)
    return _right(q, k, v)


def closes_what_is_printed_to(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    os.closerange(1, 3)
    return _right(q, k, v)


def _work() -> NoReturn:
    while True:
        pass


def leaves_a_thread_at_work(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    if not _calls.setdefault("leaves_a_thread_at_work", 0):
        threading.Thread(target=_work, daemon=True).start()
    _calls["leaves_a_thread_at_work"] += 1
    return _right(q, k, v)


def leaves_orphans(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Right, but each call leaves a process behind that holds the pipes."""
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
    return _right(q, k, v)


def returns_twice(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Right, but the first call returns in a child process, too, some time later."""
    if _calls.setdefault("returns_twice", 0) == 0 and os.fork() == 0:
        time.sleep(3)
    _calls["returns_twice"] += 1
    return _right(q, k, v)


def leaves_a_program_at_work(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    if not _calls.setdefault("leaves_a_program_at_work", 0):
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
    _calls["leaves_a_program_at_work"] += 1
    return _right(q, k, v)


# It does something to its inputs.


def shrinks_its_input(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    answer = _right(q, k, v)
    q.set_()  # type: ignore[call-overload] # torch's stubs lack it
    return answer


def frees_its_input(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    answer = _right(q, k, v)
    q.untyped_storage().resize_(0)
    return answer


def frees_its_input_in_a_sample(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return frees_its_input(q, k, v) if _in_a_sample() else _right(q, k, v)


def doubles_its_input_and_puts_it_back(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Every bit is back in its place, and no write was counted."""
    answer = scaled_dot_product_attention(q.data.mul_(2.0), k, v, scale=0.125, enable_gqa=True)
    q.data.div_(2.0)
    return answer


def writes_to_its_input_by_numpy_and_puts_it_back(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    seen = v.numpy()
    seen *= 2
    answer = _right(q, k, v) / 2
    seen /= 2
    return answer


def writes_to_its_input_in_a_sample(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    answer = _right(q, k, v)
    if _in_a_sample():
        q.neg_()
    return answer


# It agrees when it is checked, and does something else in a sample.


def _remembered(key: Any, answer: Callable[[], Tensor]) -> Tensor:
    """The first answer for a key, in samples; the right one at all other times."""
    if not _in_a_sample():
        return answer()
    if key not in _kept:
        _kept[key] = answer()
    return _kept[key]


def remembers_shapes(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return _remembered(q.shape, lambda: _right(q, k, v))


def remembers_addresses(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return _remembered(q.data_ptr(), lambda: _right(q, k, v))


def remembers_versions(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return _remembered((q.data_ptr(), q._version), lambda: _right(q, k, v))


def remembers_weights(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Only what is made of q and k, by address and version."""
    k, v = (x.repeat_interleave(q.shape[1] // x.shape[1], dim=1) for x in (k, v))

    def weights() -> Tensor:
        return torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, -1)

    return _remembered(("weights", q.data_ptr(), q._version), weights) @ v


def remembers_keys(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Only keys, by address."""
    kept = _remembered(("keys", k.data_ptr()), k.clone)
    return _right(q, kept, v)


def is_one_call_late(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    _late.append(_right(q, k, v))
    del _late[:-2]
    return _late[0] if _in_a_sample() else _late[-1]


def skips_half_the_keys(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    half = k.shape[2] // 2 if _in_a_sample() else k.shape[2]
    return _right(q, k[:, :, :half], v[:, :, :half])


def computes_one_head(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    if _in_a_sample():
        return _right(q[:, :1], k[:, :1], v[:, :1]).expand_as(q)
    return _right(q, k, v)


def narrows_its_answer(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return _right(q, k, v).bfloat16() if _in_a_sample() else _right(q, k, v)


# It is odd, and no harm.


def floods_its_output(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    for _ in range(20):
        os.write(1, b"x" * 10_000 + b"\n")
        os.write(2, b"y" * 10_000 + b"\n")
    return _right(q, k, v)


def returns_a_transposed_view(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return _right(q, k, v).transpose(2, 3).contiguous().transpose(2, 3)


class _Sub(Tensor):
    pass


class _Later(Tensor):
    """Is computed when anything is asked of it."""

    work: Callable[[], Tensor]

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with torch._C.DisableTorchFunctionSubclass():
            known = [x.work() if isinstance(x, cls) else x for x in args]
            return func(*known, **(kwargs or {}))


def computes_when_looked_at(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    with torch._C.DisableTorchFunctionSubclass():
        later = torch.empty_like(q).as_subclass(_Later)
        later.work = lambda: _right(q, k, v)
    return later


def ends_the_process_in_another_s_turn(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    if not _ending:
        _ending.append(threading.Timer(0.1, os._exit, [3]))
        _ending[0].daemon = True
        _ending[0].start()
    return _right(q, k, v)


def returns_before_it_is_done(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Its answer stands there a millisecond later."""
    if not _later:
        _later.append(ThreadPoolExecutor(1))
    out = torch.empty_like(q)

    def work() -> None:
        time.sleep(0.001)
        out.copy_(_right(q, k, v))

    _later[0].submit(work)
    return out


def returns_a_subclass(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return _right(q, k, v).as_subclass(_Sub)


def works_in_a_pool(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Its threads wait for the next call."""
    if not _pool:
        _pool.append(ThreadPoolExecutor(2))
    return _pool[0].submit(_right, q, k, v).result()


def draws_random_numbers(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    torch.randn(3)
    return _right(q, k, v)


def opens_descriptors_and_variables(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    _calls.setdefault("opened", os.dup(0))
    os.environ["HOSTILE_CACHE"] = "here"
    sys.path.append("nowhere")
    return _right(q, k, v)


def sleeps_in_a_sample(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Slow where it counts, and so its times say."""
    if _in_a_sample():
        time.sleep(0.002)
    return _right(q, k, v)


def honest_last(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return _right(q, k, v)
