"""The other methods' process: blocks of calls, timed one arm after the other.

Started as `python -P -m suites.study.child TASK ANSWER`, with two files of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from impls.interface import Problem
from impls.interface.implementation import from_function
from suites.engine.known import FEWEST_CALLS, attend
from suites.measure.devices import device
from suites.measure.inputs import call_of, make_inputs
from suites.measure.timing import Call, HostClock, HotSampler, SlowedSampler, calls_for, warm_up

ARMS: Final = ("base", "same", "slowed")
WARM_UP_S: Final = 0.025
"""As triton.testing.do_bench warms up, unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """The arms of one problem, each a block of calls.

    truth  how many times slower the arm `slowed` is
    """

    arms: Mapping[str, Call]
    truth: float


def blocks_of(text: str, task: Mapping[str, Any]) -> Blocks:
    """The arms of a problem, warm: as many calls in a block as this program has in a sample."""
    problem = Problem.parse(text)
    mask = problem.mask.resolved(problem.batch, problem.key_length)
    function = from_function(attend).bound(mask=mask, scale=problem.softmax_scale)
    sets = [
        make_inputs(problem, purpose=f"time {index}", seed=task["repeat"])
        for index in range(device(problem.device, cold=False).input_sets(problem))
    ]
    calls = [call_of(function, inputs) for inputs in sets]
    clock = HostClock()
    count = max(FEWEST_CALLS, calls_for(median(warm_up(calls[-1], clock))))
    truth = SlowedSampler(HotSampler(clock), task["slowed"]).truth(count)
    counts = dict(zip(ARMS, (count, count, round(count * truth)), strict=True))
    return Blocks({arm: _block(calls, counts[arm]) for arm in ARMS}, truth)


def with_torch(block: Call, task: Mapping[str, Any]) -> list[float]:
    """Seconds of a block, as torch.utils.benchmark takes them."""
    from torch.utils.benchmark import Timer  # noqa: PLC0415 - the other methods need not wait for it

    timer = Timer("block()", globals={"block": block}, num_threads=task["threads"])
    return list(timer.blocked_autorange(min_run_time=task["arm_s"]).times)


def one_by_one(block: Call, task: Mapping[str, Any]) -> list[float]:
    """Seconds of a block, as triton.testing.do_bench takes them where there are no events."""
    warm_s = time.perf_counter() + WARM_UP_S
    while time.perf_counter() < warm_s:
        block()
    times: list[float] = []
    while sum(times) < task["arm_s"]:
        began_s = time.perf_counter()
        block()
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
        blocks = blocks_of(problem, task)
        times = {arm: take(blocks.arms[arm], task) for arm in ARMS}
        found[problem] = {"times": times, "truth": blocks.truth}
    Path(sys.argv[2]).write_text(json.dumps(found))


def _block(calls: Sequence[Call], count: int) -> Call:
    turns = [calls[index % len(calls)] for index in range(count)]

    def block() -> None:
        for call in turns:
            call()

    return block


if __name__ == "__main__":
    main()
