"""The other methods' process: calls, timed one arm after the other.

Started as `python -P -m suites.calibrate.study.child TASK ANSWER`, with two files of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any, Final

from impls.interface import Problem
from impls.interface.implementation import from_function
from suites.calibrate.arms import attend
from suites.measure.devices import device
from suites.measure.inputs import bind, call_of, make_inputs
from suites.measure.timing import Call, HostClock, stretched, warm_up

ARMS: Final = ("base", "same", "slowed")
WARM_UP_S: Final = 0.025
"""As triton.testing.do_bench warms up, unless told otherwise."""


def arms_of(text: str, task: Mapping[str, Any]) -> dict[str, Call]:
    """The arms of a problem, warm: the call, the same again, and the call made slower."""
    problem = Problem.parse(text)
    attention = from_function(attend)
    sets = [
        make_inputs(problem, purpose=f"time {index}", seed=task["repeat"])
        for index in range(device(problem.device, cold=False).input_sets(problem))
    ]
    call = _in_turn([call_of(bind(attention, problem, inputs), inputs) for inputs in sets])
    warm_up(call, HostClock())
    parts = zip(ARMS, (0.0, 0.0, task["slowed"]), strict=True)
    return {arm: stretched(call, part) for arm, part in parts}


def with_torch(call: Call, task: Mapping[str, Any]) -> list[float]:
    """Seconds of a call, as torch.utils.benchmark takes them."""
    from torch.utils.benchmark import Timer  # noqa: PLC0415 - the other methods need not wait for it

    timer = Timer("call()", globals={"call": call}, num_threads=task["threads"])
    return list(timer.blocked_autorange(min_run_time=task["arm_s"]).times)


def one_by_one(call: Call, task: Mapping[str, Any]) -> list[float]:
    """Seconds of a call, as triton.testing.do_bench takes them where there are no events."""
    warm_s = time.perf_counter() + WARM_UP_S
    while time.perf_counter() < warm_s:
        call()
    times: list[float] = []
    while sum(times) < task["arm_s"]:
        began_s = time.perf_counter()
        call()
        times.append(time.perf_counter() - began_s)
    return times


TAKERS: Final[Mapping[str, Callable[[Call, Mapping[str, Any]], list[float]]]] = {
    "torch.utils.benchmark": with_torch,
    "do_bench": one_by_one,
}


def main() -> None:
    """Measure every problem of a task and write what was found."""
    task = json.loads(Path(sys.argv[1]).read_text())
    take = TAKERS[task["method"]]
    found: dict[str, dict[str, Any]] = {}
    for problem in task["problems"]:
        times = {arm: take(call, task) for arm, call in arms_of(problem, task).items()}
        found[problem] = {"times": times, "truth": 1 + task["slowed"]}
    Path(sys.argv[2]).write_text(json.dumps(found))


def _in_turn(calls: Sequence[Call]) -> Call:
    """A call that takes its inputs in turn."""
    turns = cycle(calls)

    def call() -> None:
        next(turns)()

    return call


if __name__ == "__main__":
    main()
