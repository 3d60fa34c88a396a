"""The step `throttling`: clocks, power and throttle reasons, as NVML reports them under load."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from importlib.util import find_spec
from typing import Any, Final

import torch

from suites.calibrate.device.figure import Figure, NotPossibleError, Target
from suites.measure import nvidia

ROWS: Final = 1024
NEEDED: Final = ("reasons", "sm_mhz")
"""Every driver with NVML reports these; some devices lack the others."""
PRODUCTS: Final = 200
"""Matrix products that keep the device busy while its state is read."""


def figures(target: Target) -> Iterator[Figure]:
    """The state of the device while products are queued."""
    if find_spec("pynvml") is None:
        raise NotPossibleError("the package nvidia-ml-py is not installed (pip install .[nvidia])")
    square = torch.ones(ROWS, ROWS, device=target.device)
    for _ in range(PRODUCTS):
        square @ square
    state = nvidia.read(str(torch.cuda.get_device_properties(torch.cuda.current_device()).uuid))
    torch.cuda.synchronize()
    if state is None:
        yield _readable("state of the device", None)
        return
    for name, value in asdict(state).items():
        if name not in NEEDED:
            yield Figure(name=name, value=_text(value))
    yield from (_readable(name, _text(getattr(state, name))) for name in NEEDED)


def _text(value: Any) -> str | float | None:
    """A number as it is; names as a list in words."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {ms:g} ms" for name, ms in value.items())
    return ", ".join(value) or "none" if isinstance(value, (tuple, list)) else value


def _readable(name: str, value: str | float | None) -> Figure:
    return Figure(
        name=name,
        value=value,
        expected="a value",
        reason="rounds are marked as disturbed by clocks and throttle reasons",
        holds=value is not None,
    )
