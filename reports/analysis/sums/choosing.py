"""The implementation of each case, chosen on some sessions and timed on the others.

The smallest of several noisy times is too small on average. So the time of a choice is taken, in
each session, with the choice that the other sessions make. Where layers were measured, it is chosen
by the times that include what a call does to the layer after it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from reports.analysis.sums.interpolation import Array

LEAST: Final = 0.01
"""The least time in a layer, as a part of that of the call: short calls may differ by less than the
noise of a layer."""
Choice = np.ndarray[Any, np.dtype[np.int64]]
"""The position of an implementation for each case."""
Policy = Callable[[Array, Array], Choice | None]
"""Chooses from mean logs of times [cases, names] and counts [cases]; None: no choice is possible.
What may not be chosen is NaN."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A choice and its sums.

    choice  made with all sessions
    sums    milliseconds of a step in each session, with the choice of the other sessions; NaN where
            a session lacks a time
    in_step the same where each time is that of the current implementation, and what the choice
            takes more inside layers; `sums` where no layers were measured
    """

    choice: Choice
    sums: Array
    in_step: Array


def total(ms: Array, counts: Array, choice: Choice) -> Array:
    """The sums over the cases in each session; NaN where one has no time.

    ms  [cases, names, sessions]
    """
    return np.asarray(counts @ ms[np.arange(len(choice)), choice])


def mix(logs: Array, counts: Array) -> Choice | None:
    """The fastest for each case, whatever it is for the others."""
    del counts
    if not np.isfinite(logs).any(axis=1).all():
        return None
    return np.asarray(np.nanargmin(logs, axis=1))


def single(logs: Array, counts: Array) -> Choice | None:
    """The one with the smallest sum over all cases."""
    sums = counts @ np.exp(logs)
    if not np.isfinite(sums).any():
        return None
    return np.full(len(logs), int(np.nanargmin(sums)))


def chosen(
    ms: Array, in_step: Array, counts: Array, allowed: Array, policy: Policy
) -> Chosen | None:
    """The choice of a policy, and its sums; None where it finds no choice.

    ms       [cases, names, sessions]
    in_step  the same, as `Chosen` has them
    allowed  [cases, names]: 1, or NaN for what may not be chosen

    A single session is both chosen on and timed on.
    """
    logs = np.log(np.maximum(in_step, LEAST * ms))
    choice = policy(_means(logs) * allowed, counts)
    if choice is None:
        return None
    sessions = range(logs.shape[2])
    sums, layered = np.full((2, len(sessions)), np.nan)
    for session in sessions:
        others = [each for each in sessions if each != session] or [session]
        own = policy(_means(logs[:, :, others]) * allowed, counts)
        if own is not None:
            sums[session] = total(ms[:, :, [session]], counts, own)[0]
            layered[session] = total(in_step[:, :, [session]], counts, own)[0]
    return Chosen(choice, sums, layered)


def _means(logs: Array) -> Array:
    """Means over the sessions with a time; NaN where there is none."""
    known = np.isfinite(logs)
    count = known.sum(axis=2)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, logs, 0.0).sum(axis=2) / count)
