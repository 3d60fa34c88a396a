"""The machine: hardware, versions, threads and allocator."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import psutil
import torch

from suites import VERSION
from suites.measure import energy
from suites.measure.nvidia_facts import facts

_PACKAGES: Final = ("torch", "xformers", "numpy", "triton", "pandas", "plotly", "matplotlib")
_ALLOCATOR: Final = (
    "LD_PRELOAD",
    "MALLOC_",
    "GLIBC_TUNABLES",
    "PYTORCH_CUDA_ALLOC_CONF",
    "PYTORCH_ALLOC_CONF",
    "PYTORCH_NO_CUDA_MEMORY_CACHING",
)


def describe(*, cores: int, threads: int, cuda_device: str = "") -> dict[str, Any]:
    """The machine as plain data; the fastest kind of device comes first.

    cores        CPUs that the program may use; one of its bound threads could use only one
    cuda_device  the NVIDIA device that was chosen, as typed; "": none
    """
    found = devices(cuda_device)
    return {
        "attnbench": VERSION,
        "cpu": _cpu_name(),
        "cores": cores,
        "memory_bytes": psutil.virtual_memory().total,
        "os": platform.platform(terse=True),
        "python": platform.python_version(),
        "versions": {name: v for name in _PACKAGES if (v := _version(name))} | _cuda_versions(),
        "allocator": _allocator(),
        "threads": threads,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "energy": energy.facts(next((str(each["uuid"]) for each in found if "uuid" in each), "")),
        "devices": found,
        **_of_nvidia(found),
    }


def devices(cuda_device: str = "") -> list[dict[str, Any]]:
    """One device of every kind that can be measured here, the fastest kind first.

    Apple devices (mps) are left out: there is no clock and no memory counter for them yet.
    """
    found: list[dict[str, Any]] = []
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(torch.cuda.current_device())
        found.append(
            {
                "device": "cuda",
                "name": properties.name,
                "uuid": str(properties.uuid),
                "chosen": cuda_device or str(torch.cuda.current_device()),
                "capability": [properties.major, properties.minor],
                "memory_bytes": properties.total_memory,
                "multiprocessors": properties.multi_processor_count,
                "l2_bytes": properties.L2_cache_size,
            }
        )
    return [*found, {"device": "cpu", "name": _cpu_name()}]


def _of_nvidia(found: list[dict[str, Any]]) -> dict[str, Any]:
    """The driver's facts of the NVIDIA device in use, and the devices beside it."""
    used = next((each for each in found if each["device"] == "cuda"), None)
    if used is None:
        return {}
    visible = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
    others = [
        {"name": each.name, "uuid": str(each.uuid), "index": index}
        for index, each in enumerate(visible)
        if str(each.uuid) != used["uuid"]
    ]
    return {"nvidia": facts(used["uuid"]), "other_devices": others}


def _cuda_versions() -> dict[str, str]:
    """Versions of CUDA's libraries that torch was built with; empty without a device."""
    if not torch.cuda.is_available():
        return {}
    cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call] # torch's
    found = {"CUDA": torch.version.cuda, "cuDNN": str(cudnn) if cudnn else None}
    return {name: version for name, version in found.items() if version}


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown")


def _allocator() -> str:
    """The C library, with every environment variable that changes its allocator."""
    library = " ".join(filter(None, platform.libc_ver())) or "unknown"
    settings = [f"{k}={v}" for k, v in sorted(os.environ.items()) if k.startswith(_ALLOCATOR)]
    return "; ".join([library, *settings])


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
