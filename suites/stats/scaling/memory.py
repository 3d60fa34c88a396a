"""Memory of one rank: the tensors of one attention call that are alive at once."""

from __future__ import annotations

from impls.interface import Problem
from suites.stats.scaling.parts import Part


def peak_bytes(problem: Problem, ulysses: int = 1) -> int:
    """Bytes of one call at its peak, inputs and outputs included.

    In training the peak is that of the backward pass. Workspace of kernels and copies that an
    all-to-all sends from are not counted.
    """
    part = Part(problem=problem, ulysses=ulysses)
    return _backward_peak(part) if problem.training else _forward_peak(part)


def saved_bytes(problem: Problem, ulysses: int = 1) -> int:
    """Bytes that stay between a forward and its backward pass: q, k, v, out and the log-sum-exp.

    After an all-to-all, the tensors of its heads are kept as well as those of its tokens.
    """
    part = Part(problem=problem, ulysses=ulysses)
    copies = 1 + (part.ulysses > 1)
    return copies * (part.queries + part.block + part.out) + part.log_sums


def _forward_peak(part: Part) -> int:
    """Saved tensors, blocks that visit and arrive, the sum of outputs, and those of a step."""
    sums = part.summed(part.out) + part.out if part.ring > 1 else 0
    return saved_bytes(part.problem, part.ulysses) + _visitors(part) + sums


def _backward_peak(part: Part) -> int:
    """Saved tensors, dout, sums of dq, blocks with their gradients, and the final gradients."""
    inputs = part.queries + part.block
    gradients = inputs
    if part.ring > 1:
        # Of k and v: those of the own block, of the visitor, those on their way out and in.
        sums = part.summed(part.queries) + (1 + min(part.ring, 3)) * part.summed(part.block)
        gradients = sums + inputs  # and those of a step
    final = inputs if part.ulysses > 1 or gradients > inputs else 0
    douts = (1 + (part.ulysses > 1)) * part.out
    saved = saved_bytes(part.problem, part.ulysses)
    return saved + douts + _visitors(part) + gradients + final


def _visitors(part: Part) -> int:
    """The block of another rank, and the one that arrives meanwhile."""
    return min(part.ring - 1, 2) * part.block
