"""The four methods, each started as its users would start it, on the same problems."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from suites.calibrate.protocol import SLOWED, Protocol
from suites.calibrate.study.child import MethodTask
from suites.calibrate.study.pairs import Pair, from_samples, from_sessions
from suites.engine.local_session import environment
from suites.records.codec import to_json

OURS: Final = "attnbench"
PYTEST: Final = "pytest-benchmark"
PYTEST_FILE: Final = """\
import functools
from pathlib import Path

import pytest

from suites.calibrate.study.child import ARMS, MethodTask, arms_of
from suites.records.codec import from_json

TASK = from_json(MethodTask, Path(__file__).with_name("task.json").read_text())


@functools.cache
def arms(problem):
    return arms_of(problem, TASK)


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("problem", TASK.problems)
def test_arm(benchmark, problem, arm):
    benchmark.extra_info.update(problem=problem, arm=arm)
    benchmark(arms(problem)[arm])
"""
"""Each arm is one benchmark. The upper parameter varies fastest: arms of a problem are adjacent."""

Times = Mapping[str, Mapping[str, Sequence[float]]]
"""Seconds by problem and arm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all methods measure, and the conditions.

    sessions  number of fresh processes of this program's method
    """

    problems: Sequence[str]
    sessions: int
    threads: int


@dataclass(frozen=True, slots=True)
class Measured:
    """The result of one method in one turn.

    timed_s  seconds inside its timers
    """

    pairs: Sequence[Pair]
    timed_s: float


def with_sessions(setting: Setting, repeat: int, arm_s: float) -> Measured:  # noqa: ARG001 - the others get its wall time
    """This program's own method."""
    protocol = Protocol(problems=setting.problems, threads=setting.threads, seed=repeat)
    found = [
        calibration
        for number in range(1, setting.sessions + 1)
        for calibration in protocol.session(number, {})
    ]
    by_problem = [[each for each in found if each.problem == p] for p in setting.problems]
    return Measured([pair for each in by_problem for pair in from_sessions(each)], 0.0)


def in_a_process(method: str, setting: Setting, repeat: int, arm_s: float) -> Measured:
    """Another method, in one fresh process that times all arms."""
    task = MethodTask(
        method=method,
        problems=tuple(setting.problems),
        slowed=SLOWED,
        threads=setting.threads,
        seed=repeat,
        arm_s=arm_s,
    )
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "task.json").write_text(to_json(task))
        if method != PYTEST:
            _run(["suites.calibrate.study.child"], folder, setting.threads)
            return measured(json.loads((folder / "times.json").read_text()))
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "test_arms.py").write_text(PYTEST_FILE)
        options = [f"--benchmark-max-time={arm_s:.4f}", "--benchmark-json=times.json"]
        _run(["pytest", "-q", "-p", "no:cacheprovider", *options], folder, setting.threads)
        return measured(of_benchmarks(json.loads((folder / "times.json").read_text())))


def of_benchmarks(written: Mapping[str, Any]) -> Times:
    """The times in the JSON of pytest-benchmark."""
    found: dict[str, dict[str, list[float]]] = defaultdict(dict)
    for each in written["benchmarks"]:
        found[each["extra_info"]["problem"]][each["extra_info"]["arm"]] = each["stats"]["data"]
    return found


def measured(found: Times) -> Measured:
    """The pairs of every problem."""
    pairs = [
        pair for name, times in found.items() for pair in from_samples(name, times, 1 + SLOWED)
    ]
    return Measured(pairs, sum(sum(each) for times in found.values() for each in times.values()))


def _run(words: Sequence[str], folder: Path, threads: int) -> None:
    """Run a module in a process of its own. Raises ValueError when it fails."""
    kept = {k: v for k, v in environment(threads).items() if not k.startswith("PYTEST")}
    done = subprocess.run(  # noqa: S603 - modules named here, under our own Python
        [sys.executable, "-P", "-m", *words],
        cwd=folder,
        env=kept,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines() or ["no output"]
        raise ValueError(f"{words[0]} ended with status {done.returncode}: {lines[-1][:200]}")


METHODS: Final[Mapping[str, Callable[[Setting, int, float], Measured]]] = {
    OURS: with_sessions,
    **{name: partial(in_a_process, name) for name in (PYTEST, "torch.utils.benchmark", "do_bench")},
}
