"""Tasks of a session on known quantities: equal and slowed calls, an allocation of known size."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from impls.interface import Mask, implementation
from suites.engine.messages import Calibrated, InstrumentsRead
from suites.engine.pipe import Sender
from suites.engine.protocol import Calibrate, ReadInstruments
from suites.engine.timed_rounds import Bench
from suites.measure import memory
from suites.measure.timing import HostClock, HotSampler, resolution_ms, stretched


def attend(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float) -> Tensor:
    """Torch's attention without mask handling: short calls, to test the timing of short calls."""
    causal = mask.right == 0
    return functional.scaled_dot_product_attention(q, k, v, is_causal=causal, scale=scale)


def calibrate(task: Calibrate, sender: Sender) -> None:
    """Send the times of a baseline, its twin, its slowed copy and the named implementations.

    Exceptions of an implementation are not caught: all of them are the program's own.
    """
    bench = Bench(task, sender)
    for name in task.implementations:
        bench.set_up(name)
    plain = bench.warmed("base", implementation()(attend))
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
    """Send the memory of an allocation of known size, and the time of empty calls."""
    size = task.known_bytes
    memory.settle(task.device, torch.float32)
    _, usage = memory.measure(
        lambda: (torch.empty(size, dtype=torch.uint8, device=task.device).fill_(0),), task.device
    )
    sampler = HotSampler(HostClock())
    empty = [lambda: None, lambda: None]
    sender.send(
        InstrumentsRead(
            read_bytes=usage.peak_bytes or 0,
            resolution_ms=resolution_ms(),
            sample_overhead_ms=min(sampler.take(empty, 1) for _ in range(200)),
            call_overhead_ms=min(sampler.take(empty, 1000) for _ in range(20)),
        )
    )
