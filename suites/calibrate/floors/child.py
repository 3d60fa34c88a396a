"""The process of one session: it times the arms of one problem.

Started as `python -P -m suites.calibrate.floors.child`; reads a task from standard input and
writes the session to standard output.
"""

from __future__ import annotations

import sys
from random import Random
from statistics import median

from impls.chunked import chunked
from impls.interface import Mask, Problem
from impls.sdpa import sdpa_flash
from suites.calibrate.floors.layers import layer_arms
from suites.calibrate.floors.operators import Arms, attention_arms
from suites.engine.call_limits import quiet
from suites.engine.gauge import Gauge, page_faults, usual_probe
from suites.measure.devices import device
from suites.measure.rounds import Arm, Schedule, run_rounds
from suites.measure.timing import HostClock, HotSampler, warm_up
from suites.records.codec import from_json, message, to_json

LAYER = "layer "
"""The word before the problem of a layer."""


@message
class Task:
    """What a session measures."""

    problem: str
    session: int
    rounds: int


@message
class Session:
    """Times of one session.

    times_ms  by arm: of a call, in each round tried
    quiet     indices of undisturbed rounds
    pairs     as in `Arms`
    """

    task: Task
    times_ms: dict[str, tuple[float, ...]]
    quiet: tuple[int, ...]
    pairs: tuple[tuple[str, tuple[str, ...]], ...]


def checked(text: str) -> str:
    """The problem as it is printed. Raises ValueError for one that cannot be measured."""
    problem = Problem.parse(text.removeprefix(LAYER))
    if text.startswith(LAYER):
        return f"{LAYER}{_checked_layer(problem)}"
    if problem.device != "cpu" or problem.model:
        raise ValueError(f"{problem}: expected a call of attention alone, on a CPU")
    for each in (sdpa_flash, chunked):
        if reasons := each.refusals(problem):
            raise ValueError(f"{problem}: {each} refuses it: {'; '.join(reasons)}")
    return str(problem)


def arms_of(text: str) -> Arms:
    """The arms of a problem that was checked."""
    problem = Problem.parse(text.removeprefix(LAYER))
    return (layer_arms if text.startswith(LAYER) else attention_arms)(problem)


def measure(task: Task) -> Session:
    """Time the arms of the problem in this process; disturbed rounds are repeated."""
    found, clock = arms_of(task.problem), HostClock()
    arms = []
    for name, calls in found.calls.items():
        *_, warm_ms = (warm_up(call, clock) for call in calls)
        call_ms = median(warm_ms[len(warm_ms) // 2 :])
        arms.append(Arm(name, calls, call_ms, HotSampler(clock)))
    with quiet():
        conditions = run_rounds(
            arms,
            Schedule(task.rounds),
            Random(f"{task.session}|{task.problem}"),
            gauge=Gauge(usual_probe("cpu"), device("cpu", cold=False)),
            refresh=lambda: None,
            announce=lambda _: None,
            page_faults=page_faults,
        )
    times_ms = {arm.name: tuple(arm.times_ms) for arm in arms}
    return Session(task=task, times_ms=times_ms, quiet=conditions.quiet, pairs=tuple(found.pairs))


def _checked_layer(problem: Problem) -> Problem:
    expected = Problem(
        batch=problem.batch,
        query_heads=problem.query_heads,
        key_heads=problem.query_heads,
        query_length=problem.query_length,
        key_length=problem.query_length,
        head_dim=problem.head_dim,
        mask=problem.mask,
        training=problem.training,
    )
    if problem != expected or problem.mask not in (Mask(), Mask(right=0)):
        raise ValueError(
            f"{LAYER}{problem}: expected self-attention in float32 on a CPU, full or causal, with "
            "as many key heads as query heads"
        )
    return problem


if __name__ == "__main__":
    sys.stdout.write(to_json(measure(from_json(Task, sys.stdin.read()))))
