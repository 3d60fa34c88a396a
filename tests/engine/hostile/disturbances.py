"""Implementations that change the process state. Each returns correct outputs."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tests.engine.hostile.honest import in_a_sample, right

_calls: dict[str, int] = {}
_pool: list[ThreadPoolExecutor] = []


def honest_first(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return right(q, k, v)


def changes_the_threads(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    torch.set_num_threads(2)
    return right(q, k, v)


def changes_the_threads_in_a_sample(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    if in_a_sample():
        torch.set_num_threads(2)
    return right(q, k, v)


def changes_the_default_dtype(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    torch.set_default_dtype(torch.float64)
    return right(q, k, v)


def seeds(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    torch.manual_seed(0)
    return right(q, k, v)


def lowers_the_precision(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    torch.set_float32_matmul_precision("medium")
    # In float64: where the processor multiplies bfloat16, float32 would be wrong as well.
    return right(q.double(), k.double(), v.double()).to(q.dtype)


def makes_numpy_raise(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    np.seterr(all="raise")
    return right(q, k, v)


def enters_a_mode(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    torch.device("cpu").__enter__()
    return right(q, k, v)


def replaces_the_clocks(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    time.perf_counter = time.monotonic = lambda: 0.0
    time.perf_counter_ns = lambda: 0
    return right(q, k, v)


def _zeros(*inputs: Any, **settings: Any) -> Tensor:
    return torch.zeros(())


def replaces_functions_of_torch(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    out = right(q, k, v)
    torch.softmax = functional.scaled_dot_product_attention = _zeros
    torch.Tensor.__matmul__ = _zeros  # type: ignore[method-assign] # the fault under test
    return out


def replaces_a_function_in_a_sample(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    out = right(q, k, v)
    if in_a_sample():
        torch.softmax = _zeros
    return out


def handles_signals(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    signal.signal(signal.SIGTERM, lambda number, frame: None)
    return right(q, k, v)


def changes_the_environment(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    os.environ["OMP_NUM_THREADS"] = "7"
    return right(q, k, v)


def sets_an_alarm(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """The signal would arrive in another implementation's turn."""
    signal.alarm(600)
    return right(q, k, v)


def changes_the_folder(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    os.chdir("/")
    return right(q, k, v)


def empties_the_path(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    sys.path.clear()
    return right(q, k, v)


def replaces_stdout(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    sys.stdout = io.StringIO()
    return right(q, k, v)


def traces(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    sys.settrace(lambda *_: None)
    return right(q, k, v)


def closes_the_output_descriptors(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    os.closerange(1, 3)
    return right(q, k, v)


def _work() -> NoReturn:
    while True:
        pass


def leaves_a_thread_running(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    if not _calls.setdefault("leaves_a_thread_running", 0):
        threading.Thread(target=_work, daemon=True).start()
    _calls["leaves_a_thread_running"] += 1
    return right(q, k, v)


def leaves_orphans(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Each call leaves a process behind that holds the pipes."""
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
    return right(q, k, v)


def returns_twice(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """The first call also returns in a child process, 3 s later."""
    if _calls.setdefault("returns_twice", 0) == 0 and os.fork() == 0:
        time.sleep(3)
    _calls["returns_twice"] += 1
    return right(q, k, v)


def leaves_a_program_running(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    if not _calls.setdefault("leaves_a_program_running", 0):
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
    _calls["leaves_a_program_running"] += 1
    return right(q, k, v)


def works_in_a_pool(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Its threads wait for the next call."""
    if not _pool:
        _pool.append(ThreadPoolExecutor(2))
    return _pool[0].submit(right, q, k, v).result()


def draws_random_numbers(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    torch.randn(3)
    return right(q, k, v)


def opens_descriptors_and_variables(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    _calls.setdefault("opened", os.dup(0))
    os.environ["HOSTILE_CACHE"] = "here"
    sys.path.append("nowhere")
    return right(q, k, v)


def honest_last(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return right(q, k, v)
