from __future__ import annotations

import ctypes
import gc
import io
import json
import os
import resource
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from suites.process_state import threads as left_behind
from suites.process_state.fingerprint import DISTURBS, DisturbedError, Fingerprint, Part

BACKENDS: Any = torch.backends  # parts of it carry no types


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    """What a test changed and did not put back must not reach the next."""
    before = Fingerprint()
    yield
    assert before.restore(), before.changes()


class _Nothing(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch leaves it untyped
    """Changes nothing but the stack of modes."""


def hide_matmul() -> None:
    torch.Tensor.__matmul__ = lambda *_: None  # type: ignore[method-assign,assignment] # the fault under test


RESTORED: dict[str, tuple[Callable[[], Any], str]] = {
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
        "changed autocast on cpu from False to True",
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
        "set hooks on tensors kept for gradients",
    ),
    "rounding": (
        lambda: ctypes.CDLL(None).fesetround(0x800),  # upward, on x86-64
        "changed how the processor rounds",
    ),
    "numpy": (lambda: np.seterr(under="raise"), "changed what numpy does about under"),
    "collecting": (
        lambda: gc.callbacks.append(lambda *_: None),
        "changed what is called when garbage is collected",
    ),
    "modules": (lambda: sys.modules.pop("json"), "took json out of sys.modules"),
    "json": (lambda: setattr(json, "dumps", lambda *_: ""), "replaced json.dumps"),
    "umask": (lambda: os.umask(0o777), "changed the umask from"),
    "blocked": (
        lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1]),
        "changed which signals are blocked",
    ),
    "filling": (
        lambda: setattr(torch.utils.deterministic, "fill_uninitialized_memory", False),
        "changed filling of unwritten memory from True to False",
    ),
    "warnings": (lambda: warnings.simplefilter("error", UserWarning), "made errors of warnings"),
    "deterministic": (
        lambda: torch.use_deterministic_algorithms(True),
        "changed deterministic mode from 0 to 2",
    ),
    "precision": (
        lambda: torch.set_float32_matmul_precision("high"),
        "changed how products of float32 are computed, from ieee/ieee/ieee to ieee/tf32/tf32",
    ),
    "precision by its newer name": (
        lambda: setattr(torch.backends, "fp32_precision", "tf32"),
        "changed how products of float32 are computed, from ieee/ieee/ieee to tf32/",
    ),
    "sums": (
        lambda: setattr(BACKENDS.cuda.matmul, "allow_fp16_accumulation", True),
        "changed how products of half precision are summed up",
    ),
    "kernels": (
        lambda: torch.backends.cuda.enable_flash_sdp(False),
        r"switched kernels of torch on or off \(flash\)",
    ),
    "oneDNN": (
        lambda: BACKENDS.mkldnn.set_flags(False),
        r"switched kernels of torch on or off \(oneDNN\)",
    ),
    "denormals": (
        lambda: torch.set_flush_denormal(True),
        "changed flushing of denormal numbers from False to True",
    ),
    "a clock": (lambda: setattr(time, "perf_counter_ns", int), r"replaced time\.perf_counter_ns"),
    "functions": (
        lambda: vars(functional).update(dict.fromkeys(("gelu", "relu", "silu", "softmax"))),
        r"replaced torch\.nn\.functional\.gelu, .* and 1 more",
    ),
    "a method that is inherited": (hide_matmul, r"replaced torch\.Tensor\.__matmul__"),
    "a hook": (lambda: threading.setprofile(lambda *_: None), "set a trace or profile hook"),
    "garbage": (lambda: gc.set_threshold(5), "changed when garbage is collected from"),
    "scheduling": (
        lambda: os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0)),
        "changed its scheduling policy from 0 to 3",
    ),
    "huge pages": (
        lambda: ctypes.CDLL(None).prctl(41, 1, 0, 0, 0),
        "switched huge pages off for the process",
    ),
    "switching": (lambda: sys.setswitchinterval(1), "changed the thread switch interval from"),
    "recursion": (lambda: sys.setrecursionlimit(900), "lowered the recursion limit from"),
    "a signal": (
        lambda: signal.signal(signal.SIGUSR1, signal.SIG_IGN),
        "changed the handler of SIGUSR1",
    ),
    "stdout": (lambda: setattr(sys, "stdout", io.StringIO()), r"replaced or closed sys\.stdout"),
    "the environment": (lambda: os.environ.pop("PATH"), r"changed the environment \(PATH\)"),
    "sys.path": (sys.path.pop, "took '.*' out of sys.path"),
    "the folder": (lambda: os.chdir("/"), "changed the working directory from .* to /"),
}
"""What is done, and how it is told."""


@pytest.mark.parametrize("what", RESTORED)
def test_a_change_is_told_and_put_back(what: str) -> None:
    change, words = RESTORED[what]
    before = Fingerprint()
    change()
    with pytest.raises(DisturbedError, match=f"^{words}.*, {DISTURBS}$"):
        before.look()
    assert before.restore()
    assert before.changes() == ""


def test_a_limit_is_put_back_as_soon_as_it_is_seen() -> None:
    before, usual = Fingerprint(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, usual[1]))
    assert before.changes() == "changed the system's limits (RLIMIT_FSIZE)"
    assert resource.getrlimit(resource.RLIMIT_FSIZE) == usual


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system binds no threads")
def test_cpus_are_put_back() -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one CPU leaves nothing to change")
    before = Fingerprint()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    assert before.changes().startswith("changed the CPUs it may run on from")
    assert before.restore()


def test_a_mode_that_is_entered_and_not_left_cannot_be_put_back() -> None:
    before = Fingerprint()
    mode: Any = _Nothing()  # type: ignore[no-untyped-call] # torch's
    mode.__enter__()
    with pytest.raises(DisturbedError, match="entered a mode"):
        before.glance()
    assert not before.restore()
    mode.__exit__(None, None, None)
    assert before.restore()


def test_inference_mode_left_on_cannot_be_put_back() -> None:
    before = Fingerprint()
    with torch.inference_mode():
        assert "changed inference mode from False to True" in before.changes()
        assert not before.restore()
    assert before.restore()


def test_a_glance_sees_what_moves_figures_most_and_passes_over_the_rest() -> None:
    before = Fingerprint()
    before.glance()
    os.environ["PATH"] += ":/nowhere"
    before.glance()
    torch.set_num_threads(torch.get_num_threads() + 1)
    with pytest.raises(DisturbedError, match="changed torch's threads"):
        before.glance()


def test_what_is_new_and_idle_is_no_change() -> None:
    before = Fingerprint()
    descriptor = os.dup(0)
    os.environ["ATTNBENCH_TEST"] = "1"
    sys.path.append("/nowhere")
    torch.randn(3)
    sys.setrecursionlimit(sys.getrecursionlimit() + 1)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        torch.some_new_name = 1  # type: ignore[attr-defined] # a name that is new
        assert before.changes() == ""
        assert before.restore()
    assert os.environ.pop("ATTNBENCH_TEST") == "1"  # not put back: it is of no matter
    assert sys.path.pop() == "/nowhere"
    del torch.some_new_name  # type: ignore[attr-defined] # likewise
    os.close(descriptor)


def test_a_caller_has_parts_of_its_own() -> None:
    state = [1]
    before = Fingerprint(Part("the list", state.copy, lambda was: state.remove(2)))
    state.append(2)
    assert before.changes() == "changed the list from [1] to [1, 2]"
    assert before.restore()
    assert state == [1]


def test_more_threads_than_a_pool_has_are_told_even_when_they_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(left_behind, "WAITING_AT_MOST", 1)
    assert left_behind.told_threads(frozenset({1}), frozenset({1, 2, 3})) == "left 2 threads behind"


def test_a_system_without_proc_tells_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(left_behind, "_PROC", tmp_path)
    assert left_behind.children() == frozenset()
    assert left_behind.told_threads(frozenset(), frozenset({1})) == ""


def test_kernels_of_torch_that_are_replaced_are_noticed_and_cannot_be_put_back() -> None:
    """For others, and for the reference: a wrong product would pass, and a right one not."""
    before = Fingerprint()
    make: Any = torch.library.Library  # it carries no types
    library = make("aten", "IMPL")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own word on what is overridden
            library.impl("bmm", lambda a, b: torch.einsum("bij,bjk->bik", a, b), "CPU")
        assert before.changes() == "replaced kernels of torch (aten::bmm)"
        assert not before.restore()
    finally:
        library._destroy()
    assert before.changes() == ""
