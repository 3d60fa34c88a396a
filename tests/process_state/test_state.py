from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from suites.engine.local_session import ROOT
from suites.process_state import threads, torch_settings
from suites.process_state.state import SHARED, DisturbedError, ProcessState
from suites.process_state.watched import Watched

BACKENDS: Any = torch.backends  # parts of it carry no types


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    """A change that a test did not restore must not reach the next test."""
    before = ProcessState()
    yield
    assert before.restore(), before.changes()


class _NoOpMode(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch leaves it untyped
    """Changes nothing but the stack of modes."""


def hide_matmul() -> None:
    torch.Tensor.__matmul__ = lambda *_: None  # type: ignore[method-assign,assignment] # the fault under test


CHANGES: dict[str, tuple[Callable[[], Any], str]] = {
    "threads": (lambda: torch.set_num_threads(7), r"changed torch's threads from \d+ to 7"),
    "dtype": (
        lambda: torch.set_default_dtype(torch.float64),
        "changed the default dtype from torch.float32 to torch.float64",
    ),
    "device": (
        lambda: torch.set_default_device("meta"),
        "changed the default device from cpu to meta",
    ),
    "seed": (lambda: torch.manual_seed(12345), "seeded torch's random numbers"),
    "grad mode": (lambda: torch.set_grad_enabled(False), "changed grad mode from True to False"),
    "autocast": (
        lambda: torch.set_autocast_enabled("cpu", True),
        r"changed autocast \(cpu\)",
    ),
    "profiler": (
        lambda: torch.autograd.profiler.profile().__enter__(),  # type: ignore[no-untyped-call] # torch leaves it untyped
        "changed torch's profiler from False to True",
    ),
    "layers": (
        lambda: setattr(torch.nn.MultiheadAttention, "forward", lambda *_: None),
        "replaced torch.nn.MultiheadAttention.forward",
    ),
    "anomaly": (
        lambda: torch.autograd.set_detect_anomaly(True),
        "changed anomaly mode from False to True",
    ),
    "saved": (
        lambda: torch.autograd.graph.save_on_cpu().__enter__(),
        "left saved-tensor hooks on",
    ),
    "numpy": (
        lambda: np.seterr(under="raise"),
        r"changed numpy's error handling \(under\)",
    ),
    "filling": (
        lambda: setattr(torch.utils.deterministic, "fill_uninitialized_memory", False),
        "changed the filling of uninitialized memory from True to False",
    ),
    "warnings": (
        lambda: warnings.simplefilter("error", UserWarning),
        "turned warnings into errors",
    ),
    "deterministic": (
        lambda: torch.use_deterministic_algorithms(True),
        "changed deterministic mode from 0 to 2",
    ),
    "precision": (
        lambda: torch.set_float32_matmul_precision("high"),
        "changed float32 precision from ieee/ieee/ieee to ieee/tf32/tf32",
    ),
    "precision by its newer name": (
        lambda: setattr(torch.backends, "fp32_precision", "tf32"),
        "changed float32 precision from ieee/ieee/ieee to tf32/",
    ),
    "sums": (
        lambda: setattr(BACKENDS.cuda.matmul, "allow_fp16_accumulation", True),
        r"changed half-precision sums \(allow_fp16_accumulation\)",
    ),
    "kernels": (
        lambda: torch.backends.cuda.enable_flash_sdp(False),
        r"changed torch's choice of kernels \(flash\)",
    ),
    "oneDNN": (
        lambda: BACKENDS.mkldnn.set_flags(False),
        r"changed torch's choice of kernels \(oneDNN\)",
    ),
    "denormals": (
        lambda: torch.set_flush_denormal(True),
        "changed flushing of denormals from False to True",
    ),
    "a clock": (lambda: setattr(time, "perf_counter_ns", int), r"replaced time\.perf_counter_ns"),
    "a CUDA event": (
        lambda: setattr(torch.cuda.Event, "elapsed_time", lambda *_: 0.0),
        r"replaced torch\.cuda\.Event\.elapsed_time",
    ),
    "functions": (
        lambda: vars(functional).update(dict.fromkeys(("gelu", "relu", "silu", "softmax"))),
        r"replaced torch\.nn\.functional\.gelu, .* and 1 more",
    ),
    "a method that is inherited": (hide_matmul, r"replaced torch\.Tensor\.__matmul__"),
    "a hook": (
        lambda: threading.setprofile(lambda *_: None),
        r"changed trace and profile hooks \(threading.setprofile\)",
    ),
    "recursion": (lambda: sys.setrecursionlimit(900), "lowered the recursion limit from"),
    "a signal": (
        lambda: signal.signal(signal.SIGUSR1, signal.SIG_IGN),
        r"changed signal handlers \(SIGUSR1\)",
    ),
    "a timer": (lambda: signal.alarm(600), "left a timer running that sends a signal"),
    "stdout": (
        lambda: setattr(sys, "stdout", io.StringIO()),
        r"changed output streams \(sys\.stdout\)",
    ),
    "the environment": (
        lambda: os.environ.pop("PATH"),
        r"changed environment variables \(PATH\)",
    ),
    "sys.path": (sys.path.pop, r"changed sys.path \(.*\)"),
    "the folder": (lambda: os.chdir("/"), "changed the working directory from .* to /"),
}
"""Each change of the process state with its message."""


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_described_and_restored(change: str) -> None:
    make, message = CHANGES[change]
    before = ProcessState()
    make()
    with pytest.raises(DisturbedError, match=f"^{message}.*; {SHARED}$"):
        before.verify()
    assert before.restore()
    assert before.changes() == ""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no CPU affinity")
def test_cpu_affinity_is_put_back_and_is_no_fault() -> None:
    every = os.sched_getaffinity(0)
    if len(every) < 2:
        pytest.skip("this process may use one CPU only")
    before = ProcessState()
    os.sched_setaffinity(0, {min(every)})
    before.verify_quickly()
    assert os.sched_getaffinity(0) == every
    os.sched_setaffinity(0, {min(every)})
    assert before.changes() == ""
    assert os.sched_getaffinity(0) == every


def test_a_mode_that_is_entered_and_not_left_cannot_be_restored() -> None:
    before = ProcessState()
    mode: Any = _NoOpMode()  # type: ignore[no-untyped-call] # torch's
    mode.__enter__()
    with pytest.raises(DisturbedError, match=r"function and dispatch modes from \(0, 0\) to"):
        before.verify_quickly()
    assert not before.restore()
    mode.__exit__(None, None, None)
    assert before.restore()


def test_inference_mode_left_on_cannot_be_restored() -> None:
    before = ProcessState()
    with torch.inference_mode():
        assert "changed inference mode from False to True" in before.changes()
        assert not before.restore()
    assert before.restore()


def test_the_quick_check_covers_the_parts_that_change_times_most() -> None:
    before = ProcessState()
    before.verify_quickly()
    os.environ["PATH"] += ":/nowhere"
    before.verify_quickly()
    torch.set_num_threads(torch.get_num_threads() + 1)
    with pytest.raises(DisturbedError, match="changed torch's threads"):
        before.verify_quickly()


def test_additions_are_no_change() -> None:
    before = ProcessState()
    descriptor = os.dup(0)
    os.environ["ATTNBENCH_TEST"] = "1"
    sys.path.append("/nowhere")
    torch.randn(3)
    sys.setrecursionlimit(sys.getrecursionlimit() + 1)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        torch.some_new_name = 1  # type: ignore[attr-defined] # a name that is new
        assert before.left_threads
        assert before.changes() == ""
        assert before.restore()
    assert os.environ.pop("ATTNBENCH_TEST") == "1"  # additions stay
    assert sys.path.pop() == "/nowhere"
    del torch.some_new_name  # type: ignore[attr-defined] # likewise
    os.close(descriptor)


def test_another_current_stream_is_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    streams = iter((0, 0, 7))
    cuda = SimpleNamespace(
        is_initialized=lambda: True,
        current_device=lambda: 0,
        current_stream=lambda: SimpleNamespace(cuda_stream=next(streams)),
    )
    monkeypatch.setattr(torch_settings, "_CUDA", cuda)
    before = ProcessState()
    before.verify_quickly()
    assert before.changes() == "changed the CUDA device and stream from (0, 0) to (0, 7)"
    monkeypatch.undo()


COMPILES = """
import torch
from suites.process_state.state import ProcessState

before = ProcessState()
compiled = torch.compile(lambda q, k: torch.softmax(q @ k.transpose(-1, -2), -1))
compiled(torch.ones(1, 2, 16, 8), torch.ones(1, 2, 16, 8))
torch.vmap(torch.sin)(torch.ones(2))  # as FlexAttention's masks use it
print(before.changes())
"""


def test_torch_compile_is_no_change() -> None:
    """Compiling replaces a few functions of torch and adds modules, threads and callbacks."""
    done = subprocess.run(
        [sys.executable, "-c", COMPILES], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == "\n"


def test_a_caller_adds_parts_of_its_own() -> None:
    state = [1]
    before = ProcessState(Watched("the list", state.copy, lambda _: state.remove(2)))
    state.append(2)
    assert before.changes() == "changed the list from [1] to [1, 2]"
    assert before.restore()
    assert state == [1]


def test_without_proc_no_threads_and_processes_are_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(threads, "_PROC", tmp_path)
    assert threads._children() == frozenset()
    assert threads._describe_threads(frozenset(), frozenset({1})) == ""


def test_overridden_kernels_of_torch_are_noticed_and_cannot_be_restored() -> None:
    """The reference uses them, so a wrong kernel would make wrong outputs pass the check."""
    before = ProcessState()
    make: Any = torch.library.Library  # it carries no types
    library = make("aten", "IMPL")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns that a kernel is overridden
            library.impl("bmm", lambda a, b: torch.einsum("bij,bjk->bik", a, b), "CPU")
        assert before.changes() == "replaced kernels of torch (aten/bmm/CPU)"
        assert not before.restore()
    finally:
        library._destroy()
    assert before.changes() == ""


def test_replaced_functions_are_distinguished_from_other_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = ProcessState()
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    assert before.changes()
    assert not before.replaced_functions
    torch.set_num_threads(threads)
    monkeypatch.setattr(torch, "softmax", torch.relu)
    assert before.replaced_functions
