"""The step `device_assert`: an implementation that breaks the CUDA context, beside another one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from suites.calibrate.device.figure import Figure, Target
from suites.calibrate.device.small_runs import records
from suites.records.record import ANSWERS

INNOCENT: Final = "naive"
GUILTY: Final = '''"""Attention that fails an assertion on the device."""

import torch
from torch.nn.functional import scaled_dot_product_attention

from impls.interface import Limits, implementation


@implementation(Limits(masks=("causal",)))
def asserting(q, k, v, *, mask, scale):
    """Every later CUDA call of the process fails, too."""
    torch._assert_async(torch.zeros((), device=q.device))
    return scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale)
'''
PROBLEM: Final = "b1 h4 t129 d64 causal bf16"


def figures(target: Target) -> Iterator[Figure]:
    """The records of both implementations."""
    with TemporaryDirectory(prefix="attnbench-") as folder:
        file = Path(folder) / "asserting.py"
        file.write_text(GUILTY)
        found = records(target, (PROBLEM,), (str(file), INNOCENT), sessions=0)
    guilty = [each for each in found if each.implementation != INNOCENT]
    innocent = [each for each in found if each.implementation == INNOCENT]
    yield Figure(
        name="the failing implementation",
        value="; ".join(f"{each.status}: {each.reason}" for each in guilty) or "no record",
        expected="a fault",
        reason="its assertion fails on the device",
        holds=bool(guilty) and all(each.status not in ANSWERS for each in guilty),
    )
    yield Figure(
        name=INNOCENT,
        value=", ".join(f"{each.status} {each.reason}" for each in innocent) or "no record",
        expected="ok in the check",
        reason="an error of one implementation must not reach another",
        holds=[each.status for each in innocent] == ["ok"],
    )
