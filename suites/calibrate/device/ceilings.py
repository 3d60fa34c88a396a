"""The step `ceilings`: bandwidth and matrix products, against what the device states."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import torch

from suites.calibrate.device.figure import Figure, Target
from suites.measure import ceilings, precision
from suites.stats.ceilings import Ceiling

DTYPES: Final = ("float32", "float64", "float16", "bfloat16")
TENSOR_CORES_FROM: Final = (8, 0)
"""Compute capability from which both half precisions have tensor cores."""
STATED_WITHIN: Final = 1.02
"""The largest part of the stated bandwidth that may be read: clocks vary by some per mille."""
PER_CLOCK: Final = 2
"""Transfers a clock: double data rate."""


def figures(target: Target) -> Iterator[Figure]:
    """Every ceiling; then comparisons that hold on every device."""
    precision.settle()
    properties: Any = torch.cuda.get_device_properties(torch.cuda.current_device())
    found = ceilings.measure(target.device, DTYPES)
    for each in found:
        kind = " ".join(filter(None, (each.kind, each.dtype, f"from {each.residency}")))
        yield Figure(name=kind, value=each.value / 1e12, unit=_unit(each))
    yield from bandwidth(found, stated_bandwidth(properties))
    yield from products(found, (properties.major, properties.minor))


def _unit(each: Ceiling) -> str:
    return "TFLOP/s" if each.kind == "matmul" else "TB/s"


def stated_bandwidth(properties: Any) -> float | None:
    """Bytes/s of the memory by its clock in kHz and its bus in bits; None where not stated."""
    clock_khz = getattr(properties, "memory_clock_rate", 0)
    bus_bits = getattr(properties, "memory_bus_width", 0)
    return PER_CLOCK * clock_khz * 1e3 * bus_bits / 8 or None


def bandwidth(found: Sequence[Ceiling], stated: float | None) -> Iterator[Figure]:
    """The read bandwidth of memory, against the stated one."""
    read = max(e.value for e in found if (e.kind, e.residency) == ("read", "memory"))
    if stated is None:
        yield Figure(name="stated bandwidth", value="not stated by the driver")
        return
    yield Figure(
        name="read / stated bandwidth",
        value=read / stated,
        expected=f"0.5 to {STATED_WITHIN}",
        reason="a stream reads most of the stated bandwidth, and never more",
        holds=0.5 <= read / stated <= STATED_WITHIN,
    )


def products(found: Sequence[Ceiling], capability: tuple[int, int]) -> Iterator[Figure]:
    """The rates of half precision, against that of float32."""
    rates = {
        dtype: max(e.value for e in found if (e.kind, e.dtype) == ("matmul", dtype))
        for dtype in ("float32", "float16", "bfloat16")
    }
    for dtype in ("float16", "bfloat16"):
        ratio = rates[dtype] / rates["float32"]
        if capability < TENSOR_CORES_FROM:
            yield Figure(name=f"{dtype} / float32", value=ratio)
            continue
        yield Figure(
            name=f"{dtype} / float32",
            value=ratio,
            expected="more than 1.5",
            reason="tensor cores multiply half precision, and TF32 is off in float32",
            holds=ratio > 1.5,
        )
