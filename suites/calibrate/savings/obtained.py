"""The savings that changes obtain, from steps in fresh processes."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from statistics import fmean, stdev

from suites.calibrate.savings.foretold import Change, Figure
from suites.engine.local_session import ROOT
from suites.stats.intervals import RISK


def obtain(changes: Sequence[Change], *, processes: int, seconds: float) -> list[Figure]:
    """The saving of each change of one script, with its interval over processes.

    seconds  of one process

    Raises ValueError for a process that fails, and for a change that replaced no call.
    """
    rows = [_saved(changes, seconds, seed) for seed in range(processes)]
    return [figure(list(values)) for values in zip(*rows, strict=True)]


def figure(values: Sequence[float]) -> Figure:
    """The mean of one value for each process, with its Student t interval."""
    from scipy.special import stdtrit  # noqa: PLC0415 - 0.8 s to import

    middle, count = fmean(values), len(values)
    half = float(stdtrit(count - 1, 1 - RISK / 2)) * stdev(values) / math.sqrt(count)
    return Figure(middle, middle - half, middle + half)


def _saved(changes: Sequence[Change], seconds: float, seed: int) -> list[float]:
    task = {
        "script": changes[0].script,
        "changes": [asdict(each) for each in changes],
        "seconds": seconds,
        "seed": seed,
    }
    done = subprocess.run(
        [sys.executable, "-m", "suites.calibrate.savings.child"],
        cwd=ROOT,
        input=json.dumps(task),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ValueError(f"{changes[0].script}: {done.stderr.strip().splitlines()[-1:]}")
    answer = json.loads(done.stdout)
    for change, count in zip(changes, answer["replaced"], strict=True):
        if not count:
            raise ValueError(
                f"{change.script}: {change.implementation} replaced no call of {change.problems[0]}"
            )
    found: list[float] = answer["saved_ms"]
    return found
