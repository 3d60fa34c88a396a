"""What is known beforehand, measured: equal arms, one slower by a known part, a call of known size.

It tells what the instruments can see on the machine at hand.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from impls.interface import Mask
from impls.interface.implementation import from_function
from suites.engine.pipe import Sender
from suites.engine.protocol import Calibrate, Calibrated, InstrumentsRead, ReadInstruments
from suites.engine.timed_rounds import Bench
from suites.measure import memory
from suites.measure.timing import HostClock, HotSampler, resolution_ms, stretched


def attend(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float) -> Tensor:
    """Torch's own attention with nothing around it: a call is so short that 34 are a sample."""
    causal = mask.right == 0
    return functional.scaled_dot_product_attention(q, k, v, is_causal=causal, scale=scale)


def calibrate(task: Calibrate, sender: Sender) -> None:
    """Send the times of a baseline, its twin, a slowed copy of it and any others on one problem.

    Raises what an implementation raises: these belong to the program, and have agreed.
    """
    bench = Bench(task, sender)
    for name in task.implementations:
        bench.set_up(name)
    plain = bench.warmed("base", from_function(attend))
    parts = {"base": 0.0, "twin": 0.0, "slowed": task.slowed}
    known = [
        replace(plain.again(), name=name, calls=[stretched(call, part) for call in plain.calls])
        for name, part in parts.items()
    ]
    arms = [*known, *bench.arms.values()]
    conditions = bench.run(arms, announce=lambda _: None)
    sender.send(
        Calibrated(
            times_ms={arm.name: tuple(arm.times_ms) for arm in arms},
            quiet=conditions.quiet,
            truth=1 + task.slowed,
        )
    )


def read_instruments(task: ReadInstruments, sender: Sender) -> None:
    """Send what the instruments read where the true value is known."""
    size = task.known_bytes
    made, usage = memory.measure(
        lambda: (torch.empty(size, dtype=torch.uint8).fill_(0),), task.device
    )
    del made
    sampler = HotSampler(HostClock())
    empty = [lambda: None, lambda: None]
    sender.send(
        InstrumentsRead(
            read_bytes=usage.peak_bytes,
            resolution_ms=resolution_ms(),
            sample_overhead_ms=min(sampler.take(empty, 1) for _ in range(200)),
            call_overhead_ms=min(sampler.take(empty, 1000) for _ in range(20)),
        )
    )
