"""The step `smoke`: torch, the device, the spin, compilers and packages."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from importlib import import_module
from typing import Any, Final

import torch

import impls
from impls.interface import Missing
from suites.calibrate.device.figure import Figure, Target
from suites.measure import nvidia
from suites.measure.cuda import Spin

PACKAGES: Final = ("numpy", "scipy", "triton", "xformers", "pynvml", "plotly", "matplotlib")
"""Packages that may be absent; a measurement needs numpy and scipy alone."""
COMPILERS: Final = ("cc", "gcc", "clang", "nvcc")
_CUDA: Final[Any] = torch.cuda
_CUDNN: Final[Any] = torch.backends.cudnn
"""Parts of torch without types."""
SPIN_MS: Final = 10.0
WITHIN: Final = 0.05
"""Relative tolerance of a spin: launches hide behind it with a margin of 2."""


def figures(target: Target) -> Iterator[Figure]:
    """Facts of the machine, then the length of a spin."""
    yield Figure(name="torch", value=torch.__version__)
    yield Figure(name="built for CUDA", value=torch.version.cuda)
    yield Figure(name="cuDNN", value=_CUDNN.version())
    yield from _device()
    yield from map(_compiler, COMPILERS)
    yield from map(_package, PACKAGES)
    yield _operators()
    yield Figure(name="nvidia-smi", value=_nvidia_smi())
    yield from _spin()
    yield Figure(name=target.device, value=torch.cuda.get_device_name())


def _device() -> Iterator[Figure]:
    properties = torch.cuda.get_device_properties(torch.cuda.current_device())
    yield Figure(name="capability", value=f"{properties.major}.{properties.minor}")
    yield Figure(name="multiprocessors", value=properties.multi_processor_count)
    yield Figure(name="memory", value=properties.total_memory, unit="bytes")
    yield Figure(
        name="L2 cache",
        value=properties.L2_cache_size,
        unit="bytes",
        expected="more than 0",
        reason="the number of input sets and the size of a flush follow it",
        holds=properties.L2_cache_size > 0,
    )
    state = nvidia.read(str(properties.uuid))
    yield Figure(name="SM clock when idle", value=state.sm_mhz if state else None, unit="MHz")


def _compiler(name: str) -> Figure:
    return Figure(name=f"compiler {name}", value=shutil.which(name) or "not on the path")


def _package(name: str) -> Figure:
    """The version of a package, or why it cannot be imported."""
    try:
        module = import_module(name)
    except (ImportError, OSError, RuntimeError) as error:  # a library may not load here
        return Figure(name=f"package {name}", value=f"{type(error).__name__}: {error}")
    return Figure(name=f"package {name}", value=str(getattr(module, "__version__", "imported")))


def _operators() -> Figure:
    """The forward operators of xformers that can run here; why none can."""
    (found,) = impls.load([impls.FOLDER / "xformers.py"]).values()
    if isinstance(found, Missing):  # its operators look available where every call is refused
        return Figure(name="xformers' operators", value=found.reason)
    try:
        fmha = import_module("xformers.ops.fmha")
    except (ImportError, OSError, RuntimeError) as error:
        return Figure(name="xformers' operators", value=f"{type(error).__name__}: {error}")
    able = [each.NAME for each in fmha.ALL_FW_OPS if each.is_available()]
    return Figure(name="xformers' operators", value=", ".join(able) or "none is available")


def _nvidia_smi() -> str:
    program = shutil.which("nvidia-smi")
    if program is None:
        return "not on the path"
    found = subprocess.run([program], capture_output=True, text=True, timeout=10, check=False)  # noqa: S603 - the driver's own
    return found.stdout or found.stderr


def _spin() -> Iterator[Figure]:
    spin = Spin(_CUDA)
    yield Figure(name="spin", value=spin.cycles_per_ms, unit="cycles/ms")
    began, ended = (_CUDA.Event(enable_timing=True) for _ in range(2))
    began.record()
    spin(SPIN_MS)
    ended.record()
    torch.cuda.synchronize()
    took_ms = float(began.elapsed_time(ended))
    yield Figure(
        name=f"a spin of {SPIN_MS:g} ms",
        value=took_ms,
        unit="ms",
        expected=f"within {WITHIN:.0%}",
        reason="launches hide behind a spin only while it lasts as long as requested",
        holds=abs(took_ms / SPIN_MS - 1) <= WITHIN,
    )
