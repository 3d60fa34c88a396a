"""What is known beforehand, measured: equal arms, one slower by a known part, a call of known size.

It tells what the instruments can see on the machine at hand.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from impls.interface import Mask, Problem
from impls.interface.implementation import from_function
from suites.engine.answering import Task
from suites.engine.messages import Sender
from suites.engine.timed import Bench
from suites.measure import memory
from suites.measure.timing import HostClock, HotSampler, resolution_ms, stretched


def attend(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, scale: float) -> Tensor:
    """Torch's own attention with nothing around it: a call is so short that 34 are a sample."""
    causal = mask.right == 0
    return functional.scaled_dot_product_attention(q, k, v, is_causal=causal, scale=scale)


def calibrate(task: Task, sender: Sender) -> None:
    """Send the times of a baseline, its twin, a slowed copy of it and any others on one problem.

    implementations  the others
    slowed           the part by which the copy is slower

    The message names every arm's times, a sample a round, and how much slower the copy is in truth.
    Raises what an implementation raises: these are ours, and have agreed.
    """
    bench = Bench(task, sender, Problem.parse(task["problem"]))
    for name in task["implementations"]:
        bench.set_up(name)
    plain = bench.warmed("base", from_function(attend))
    parts = {"base": 0.0, "twin": 0.0, "slowed": task["slowed"]}
    known = [
        replace(plain.again(), name=name, calls=[stretched(call, part) for call in plain.calls])
        for name, part in parts.items()
    ]
    arms = [*known, *bench.arms.values()]
    conditions = bench.run(arms, announce=lambda _: None)
    sender.send(
        "calibration",
        problem=task["problem"],
        times_ms={arm.name: arm.times_ms for arm in arms},
        quiet=conditions.quiet,
        truth=1 + task["slowed"],
    )


def instruments(task: Task, sender: Sender) -> None:
    """Send what the instruments read where the answer is known.

    known_bytes  size of an operation whose memory is measured
    """
    size = task["known_bytes"]
    made, usage = memory.measure(
        lambda: (torch.empty(size, dtype=torch.uint8).fill_(0),), task["device"]
    )
    del made
    sampler = HotSampler(HostClock())
    empty = [lambda: None, lambda: None]
    sender.send(
        "instruments",
        read_bytes=usage.peak_bytes,
        resolution_ms=resolution_ms(),
        sample_overhead_ms=min(sampler.take(empty, 1) for _ in range(200)),
        call_overhead_ms=min(sampler.take(empty, 1000) for _ in range(20)),
    )
