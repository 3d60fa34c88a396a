"""The process of the other methods: they time one arm after the other.

Started as `python -P -m suites.calibrate.study.child`; reads task.json and writes times.json in its
working folder.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Final

from impls.interface import Problem, implementation
from suites.calibrate.arms import attend
from suites.measure.devices import device
from suites.measure.inputs import bind, call_of, make_inputs
from suites.measure.timing import Call, HostClock, stretched, warm_up
from suites.records.codec import from_json, message

ARMS: Final = ("base", "same", "slowed")
WARM_UP_S: Final = 0.025
"""Warm-up of `one_by_one`, seconds: the default of triton.testing.do_bench."""


@message
class MethodTask:
    """What the process of a method measures.

    slowed  fraction by which the arm `slowed` is slower
    seed    of the inputs
    arm_s   seconds that one arm is timed
    """

    method: str
    problems: tuple[str, ...]
    slowed: float
    threads: int
    seed: int
    arm_s: float


def arms_of(text: str, task: MethodTask) -> dict[str, Call]:
    """The arms of a problem after a warm-up: a call, the same call, and the slowed call."""
    problem = Problem.parse(text)
    attention = implementation()(attend)
    sets = [
        make_inputs(problem, purpose=f"time {index}", seed=task.seed)
        for index in range(device(problem.device, cold=False).input_sets(problem))
    ]
    call = _rotating([call_of(bind(attention, problem, inputs), inputs) for inputs in sets])
    warm_up(call, HostClock())
    parts = zip(ARMS, (0.0, 0.0, task.slowed), strict=True)
    return {arm: stretched(call, part) for arm, part in parts}


def with_torch(call: Call, task: MethodTask) -> list[float]:
    """Seconds of a call by torch.utils.benchmark."""
    from torch.utils.benchmark import Timer  # noqa: PLC0415 - only one method needs it

    timer = Timer("call()", globals={"call": call}, num_threads=task.threads)
    return list(timer.blocked_autorange(min_run_time=task.arm_s).times)


def one_by_one(call: Call, task: MethodTask) -> list[float]:
    """Seconds of each call, as triton.testing.do_bench does it, with a host clock for events."""
    warm_s = time.perf_counter() + WARM_UP_S
    while time.perf_counter() < warm_s:
        call()
    times: list[float] = []
    while sum(times) < task.arm_s:
        began_s = time.perf_counter()
        call()
        times.append(time.perf_counter() - began_s)
    return times


TIMERS: Final[Mapping[str, Callable[[Call, MethodTask], list[float]]]] = {
    "torch.utils.benchmark": with_torch,
    "do_bench": one_by_one,
}


def main() -> None:
    """Measure every problem of the task, and write seconds by problem and arm."""
    task = from_json(MethodTask, Path("task.json").read_text())
    timer = TIMERS[task.method]
    found = {
        problem: {arm: timer(call, task) for arm, call in arms_of(problem, task).items()}
        for problem in task.problems
    }
    Path("times.json").write_text(json.dumps(found))


def _rotating(calls: Sequence[Call]) -> Call:
    """A call that rotates through these calls."""
    rotation = cycle(calls)

    def call() -> None:
        next(rotation)()

    return call


if __name__ == "__main__":
    main()
