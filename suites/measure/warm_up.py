"""Thermal warm-up: load on an NVIDIA device until its temperature is that of a session.

A cold device has higher clocks than a warm one, so the first session would be faster than the
others. It ran on an NVIDIA H200 on 2026-11-29: 5 to 7 s, from 36 to 60 °C.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from suites.records.facts import WarmUp

LONGEST_S: Final = 10.0
"""Seconds of load at most, and where no temperature is reported; as in pytorch/helion."""
STEADY_S: Final = 3.0
"""The load ends when the temperature has not risen for so many seconds."""
SIZE: Final = 4096
"""Rows and columns of the matrices: a product fills every multiprocessor."""
TOGETHER: Final = 50
"""Products between two looks at the temperature: 10 ms on an H100, 150 ms on a T4."""


def warm_up(
    cuda: Any, temperature_c: Callable[[], int | None], now_s: Callable[[], float] = time.monotonic
) -> WarmUp:
    """Keep the device busy with matrix products, up to 10 s.

    cuda           torch.cuda or a stand-in
    temperature_c  reads the temperature of the chip; None where it is not reported
    """
    multiply = _product(cuda)
    before = highest = latest = temperature_c()
    began_s = risen_s = now = now_s()
    while now - began_s < LONGEST_S and not (latest is not None and now - risen_s >= STEADY_S):
        for _ in range(TOGETHER):
            multiply()
        cuda.synchronize()
        now, latest = now_s(), temperature_c()
        if latest is not None and (highest is None or latest > highest):
            highest, risen_s = latest, now
    del multiply
    cuda.empty_cache()  # its matrices are in no figure
    return WarmUp(seconds=now - began_s, before_c=before, after_c=latest)


def _product(cuda: Any) -> Callable[[], Any]:
    """A product of two matrices of random numbers: they draw more power than equal ones.

    Its generator is its own, so the random state of the process stays unchanged.
    """
    import torch  # noqa: PLC0415 - the parent of sessions reads constants without torch

    has_bfloat16 = cuda.get_device_capability() >= (8, 0)
    kind = torch.bfloat16 if has_bfloat16 else torch.float16
    generator = torch.Generator("cuda").manual_seed(0)
    left, right = (
        torch.randn(SIZE, SIZE, device="cuda", dtype=kind, generator=generator) for _ in range(2)
    )
    made = torch.mm(left, right)
    return lambda: torch.mm(left, right, out=made)
