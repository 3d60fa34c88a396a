"""Time of one call on a group of devices, from rates of a device and of its links.

A ring passes blocks on while it computes; an all-to-all is not overlapped. Start-up times of
transfers, merging of partial results and smaller kernels are not counted: a lower bound.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from impls.interface import FULL, Problem
from impls.interface.ranks import SHARDS
from suites.stats.scaling.parts import (
    Part,
    Sent,
    pairs,
    pass_flops,
    sent_backward,
    sent_forward,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Rates of a cluster.

    flops         FLOP/s of a device in attention
    node          devices of a node
    link          bytes/s that a device sends within a node, in one direction
    network       bytes/s that a device sends to other nodes, in one direction
    memory_bytes  of a device
    """

    flops: float
    node: int
    link: float
    network: float
    memory_bytes: float


@dataclass(frozen=True, slots=True)
class Seconds:
    """Time of the slowest rank.

    arithmetic  products, without any wait
    exchange    all-to-alls
    passing     transfers round the ring, whether hidden or not
    total       arithmetic, exchanges, and transfers where they are not hidden
    """

    arithmetic: float
    exchange: float
    passing: float
    total: float

    def __add__(self, other: Seconds) -> Seconds:
        """Two passes, one after the other."""
        return Seconds(
            self.arithmetic + other.arithmetic,
            self.exchange + other.exchange,
            self.passing + other.passing,
            self.total + other.total,
        )


def seconds(problem: Problem, rates: Rates, ulysses: int = 1, *, shards: str = "zigzag") -> Seconds:
    """Time of one call: forward, and backward in training.

    shards  positions of the ranks of a ring, zigzag or contiguous

    Raises ValueError as `Part` does, and for other shards.
    """
    if shards not in SHARDS:
        raise ValueError(f"shards {shards!r}; expected one of {', '.join(SHARDS)}")
    part = Part(problem=problem, ulysses=ulysses)
    work = pass_flops(problem, backward=False)
    forward = _pass(part, rates, sent_forward(problem, ulysses), work, shards)
    if not problem.training:
        return forward
    work = pass_flops(problem, backward=True)
    return forward + _pass(part, rates, sent_backward(problem, ulysses), work, shards)


def slowdown(ranks: int) -> float:
    """Time of a causal ring with contiguous parts, to that with zig-zag parts: (2 N - 1) / N.

    The last rank sees all keys of every earlier rank and half of its own.
    """
    return (2 * ranks - 1) / ranks


def break_even_length(
    problem: Problem, flops: float, bandwidth: float, ulysses: int = 1, *, backward: bool = False
) -> float:
    """Tokens of a device from which the arithmetic of a ring step takes longer than its transfer.

    problem    its heads, dimensions, dtype and mask count, with ring parts as in zigzag
    flops      FLOP/s of a device
    bandwidth  bytes/s to the next rank of the ring
    backward   the backward pass in place of the forward pass

    Arithmetic of a step grows with the square of the tokens, its transfer with the tokens. A group
    of U ranks has U times the tokens and 1 / U of the heads, so it needs 1 / U of the tokens.
    """
    part = Part(problem=problem, ulysses=ulysses)
    work = pass_flops(problem, backward=backward)
    step_flops = work / (problem.ranks * part.ring)
    step_bytes = part.block + (part.summed(part.block) if backward else 0)
    return part.tokens * (step_bytes / bandwidth) / (step_flops / flops)


def _pass(part: Part, rates: Rates, moved: Sent, work: int, shards: str) -> Seconds:
    """One pass, forward or backward."""
    ring = part.ring
    step = work / (part.problem.ranks * ring) / rates.flops
    arithmetic = [step] * ring
    if shards == "contiguous" and part.problem.mask != FULL:
        # The slowest rank of a step has a block without hidden pairs, or half its own block.
        full = replace(part.problem, mask=FULL)
        whole = step * pairs(full) / pairs(part.problem)
        arithmetic = [whole / 2] + [whole] * (ring - 1)
    block = part.block / _ring_bandwidth(part, rates)
    passing = moved.passed / _ring_bandwidth(part, rates)
    gradients = passing / (ring - 1) - block if ring > 1 else 0.0
    exchange = _exchange_seconds(part, rates, moved.exchanged)
    total = exchange + _overlapped(arithmetic, block, gradients)
    return Seconds(sum(arithmetic), exchange, passing, total)


def _overlapped(arithmetic: list[float], block: float, gradients: float) -> float:
    """Steps of a ring: the next block arrives meanwhile, gradients leave one step later."""
    last = len(arithmetic) - 1
    total = 0.0
    for step, products in enumerate(arithmetic):
        transfer = block * (step < last) + gradients * (step > 1)
        total += max(products, transfer)
    return total + gradients * (last > 0)


def _ring_bandwidth(part: Part, rates: Rates) -> float:
    """Bytes/s to the next rank of a ring: of the network where the ring leaves a node."""
    return rates.link if part.problem.ranks <= rates.node else rates.network


def _exchange_seconds(part: Part, rates: Rates, exchanged: int) -> float:
    """An all-to-all uses the links of its node and the network at once."""
    within = min(part.ulysses, rates.node) - 1
    others = part.ulysses - 1
    if not others:
        return 0.0
    inner = exchanged * within / others / rates.link
    return max(inner, exchanged * (others - within) / others / rates.network)
