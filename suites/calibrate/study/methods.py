"""The four methods, each as its users would start it, on the same problems."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from suites.calibrate.protocol import SLOWED, Protocol
from suites.calibrate.study.pairs import Pair, from_samples, from_sessions
from suites.engine.local_session import environment

OURS: Final = "attnbench"
PYTEST_FILE: Final = """\
import functools
import json
from pathlib import Path

import pytest

from suites.calibrate.study.child import ARMS, arms_of

TASK = json.loads(Path(__file__).with_name("task.json").read_text())


@functools.cache
def arms(problem):
    return arms_of(problem, TASK)


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("problem", TASK["problems"])
def test_arm(benchmark, problem, arm):
    benchmark.extra_info.update(problem=problem, arm=arm, truth=1 + TASK["slowed"])
    benchmark(arms(problem)[arm])
"""
"""Each arm is one benchmark; the upper parameter changes first, so that a problem's arms adjoin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all methods measure, and under which conditions.

    sessions  fresh processes in which this program measures every problem
    """

    problems: Sequence[str]
    sessions: int
    threads: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What one method found in one turn.

    timed_s  seconds within its timers
    """

    pairs: Sequence[Pair]
    timed_s: float


def with_sessions(setting: Setting, repeat: int, arm_s: float) -> Measured:  # noqa: ARG001 - it sets the time
    """This program's own protocol."""
    protocol = Protocol(problems=setting.problems, threads=setting.threads, seed=repeat)
    found = [
        calibration
        for number in range(1, setting.sessions + 1)
        for calibration in protocol.session(number, {})
    ]
    of_problem = [[each for each in found if each.problem == p] for p in setting.problems]
    return Measured([pair for each in of_problem for pair in from_sessions(each)], 0.0)


def with_pytest(setting: Setting, repeat: int, arm_s: float) -> Measured:
    """pytest-benchmark with its defaults, on a file made for it."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "test_arms.py").write_text(PYTEST_FILE)
        _write_task(folder, setting, repeat, method="pytest-benchmark", arm_s=arm_s)
        options = [f"--benchmark-max-time={arm_s:.4f}", "--benchmark-json=answer.json"]
        _run(["pytest", "-q", "-p", "no:cacheprovider", *options], folder, setting.threads)
        answer = json.loads((folder / "answer.json").read_text())
    return measured(of_benchmarks(answer["benchmarks"]))


def with_child(method: str, setting: Setting, repeat: int, arm_s: float) -> Measured:
    """A method that our own child process carries out."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        _write_task(folder, setting, repeat, method=method, arm_s=arm_s)
        words = ["suites.calibrate.study.child", "task.json", "answer.json"]
        _run(words, folder, setting.threads)
        return measured(json.loads((folder / "answer.json").read_text()))


def of_benchmarks(benchmarks: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Times by problem and arm, from what pytest-benchmark wrote."""
    found: dict[str, dict[str, Any]] = {}
    for each in benchmarks:
        info = each["extra_info"]
        of_problem = found.setdefault(info["problem"], {"times": {}, "truth": info["truth"]})
        of_problem["times"][info["arm"]] = each["stats"]["data"]
    return found


def measured(found: Mapping[str, Mapping[str, Any]]) -> Measured:
    """The pairs of what one process found, times in seconds."""
    pairs = [
        pair
        for problem, each in found.items()
        for pair in from_samples(problem, each["times"], each["truth"])
    ]
    return Measured(pairs, sum(sum(t) for each in found.values() for t in each["times"].values()))


def _write_task(folder: Path, setting: Setting, repeat: int, **more: Any) -> None:
    task = {
        "problems": list(setting.problems),
        "slowed": SLOWED,
        "threads": setting.threads,
        "repeat": repeat,
        **more,
    }
    (folder / "task.json").write_text(json.dumps(task))


def _run(words: Sequence[str], folder: Path, threads: int) -> None:
    """Run a module in a process of its own. Raises ValueError when it fails."""
    unset = [name for name in os.environ if name.startswith("PYTEST")]  # the caller's own options
    done = subprocess.run(  # noqa: S603 - modules named here, under our own Python
        [sys.executable, "-P", "-m", *words],
        cwd=folder,
        env={k: value for k, value in environment(threads).items() if k not in unset},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines() or ["nothing"]
        raise ValueError(f"{words[0]} ended with status {done.returncode}: {said[-1][:200]}")


METHODS: Final[Mapping[str, Callable[[Setting, int, float], Measured]]] = {
    OURS: with_sessions,
    "pytest-benchmark": with_pytest,
    "torch.utils.benchmark": lambda *given: with_child("torch.utils.benchmark", *given),
    "do_bench": lambda *given: with_child("do_bench", *given),
}
