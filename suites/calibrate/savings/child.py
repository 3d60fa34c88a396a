"""A fresh process that times the steps of a script, with and without each change."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from random import Random
from statistics import median
from typing import Any, Final

from impls.bridges.substitution import Substitution
from impls.interface import Problem
from suites.calibrate.savings.foretold import PACKAGE
from suites.recording.recognising import Recogniser

FEWEST_ROUNDS: Final = 3


def main() -> None:
    """Read a task from standard input, and write what each change saved."""
    task = json.loads(sys.stdin.read())
    step = import_module(f"{PACKAGE}.{task['script']}").prepared()
    changes = [_substitution(each) for each in task["changes"]]
    for _ in range(3):
        step()
    for each in changes:
        with each:
            step()
    found = measured(step, changes, task["seconds"], Random(task["seed"]))
    answer = {"saved_ms": found, "replaced": [each.replaced.total() for each in changes]}
    sys.stdout.write(json.dumps(answer))


def measured(
    step: Callable[[], None], changes: Sequence[Substitution], seconds: float, random: Random
) -> list[float]:
    """The saving of each change in this process, ms: the median over rounds of A, B, B, A.

    seconds  wall time; every change has at least FEWEST_ROUNDS
    """
    idle = Substitution({}, Recogniser())
    saved: list[list[float]] = [[] for _ in changes]
    until = time.monotonic() + seconds
    while len(saved[-1]) < FEWEST_ROUNDS or time.monotonic() < until:
        for place in random.sample(range(len(changes)), len(changes)):
            first, *inner, last = (
                _timed(step, each, idle) for each in (None, changes[place], changes[place], None)
            )
            saved[place].append((first + last - sum(inner)) / 2)
    return [median(each) for each in saved]


def _timed(step: Callable[[], None], change: Substitution | None, idle: Substitution) -> float:
    """Milliseconds of one step. Without a change, the same patches are put in and taken out."""
    if change is None:
        with idle:
            pass
        return _ms(step)
    with change:
        return _ms(step)


def _ms(step: Callable[[], None]) -> float:
    began = time.perf_counter_ns()
    step()
    return (time.perf_counter_ns() - began) / 1e6


def _substitution(change: Any) -> Substitution:
    mix = {Problem.parse(text): change["implementation"] for text in change["problems"]}
    return Substitution(mix, Recogniser())


if __name__ == "__main__":
    main()
