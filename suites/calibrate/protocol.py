"""Known ratios measured by the program's own method, in fresh processes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, TypeVar

from impls.interface import Problem
from suites.engine.catalogue import open_catalogue
from suites.engine.local_session import Session
from suites.engine.messages import Calibrated, Message
from suites.engine.protocol import Calibrate, Task
from suites.engine.watch import Watch
from suites.records.settings import Settings
from suites.stats.intervals import log_ratio
from suites.stats.pairing import counted

BASELINE: Final = "base"
"""The arm of torch's attention without mask handling, `arms.attend`."""
PROBLEMS: Final = tuple(
    str(Problem.parse(text))
    for text in (
        "b1 h1 t128 d32",
        "b1 h4 t64 d32 causal",
        "b1 h1 t128 d64",
        "b1 h2 t128 d64 causal",
        "b1 h4 t128 d32",
        "b2 h2 t128 d64",
        "b1 h1 t256 d64",
        "b1 h4 t128 d64",
        "b1 h8 t128 d32 causal",
        "b1 h2 t256 d64 causal",
    )
)
"""Calls of 0.1 to 1 ms: short calls are the hardest to time."""
SLOWED: Final = 0.03
"""Relative slowdown of the slowed arm: three times the default `--delta`."""
LIMIT_S, LIMIT_BYTES = 120.0, 8 << 30
"""Limits of one task of a session, seconds and bytes: far above what these problems need."""

Result = TypeVar("Result", bound=Message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Times of one session on one problem: ms by arm, one sample for each round.

    quiet   indices of undisturbed rounds
    truth   the true ratio of the arm `slowed` to the baseline
    wall_s  wall time, warm-up included
    """

    session: int
    problem: str
    times_ms: Mapping[str, tuple[float, ...]]
    quiet: tuple[int, ...]
    truth: float
    wall_s: float

    def log_ratio(self, arm: str) -> float:
        """The log ratio of an arm to the baseline, computed as for records."""
        rounds = counted(self.quiet, len(self.times_ms[arm]))
        base, other = ([self.times_ms[name][i] for i in rounds] for name in (BASELINE, arm))
        return log_ratio(base, other, paired=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """The settings of calibrations.

    others  implementations measured beside the known arms
    """

    problems: Sequence[str] = PROBLEMS
    others: Sequence[str] = ()
    threads: int = 1
    round_budget_ms: float = 300.0
    seed: int = 0

    def session(self, number: int, files: Mapping[str, dict[str, str]]) -> Iterator[Calibration]:
        """Every problem in one fresh process. Raises ValueError when the process dies."""
        problems = list(self.problems)
        Random(f"{self.seed}|{number}").shuffle(problems)
        with Session(Watch(LIMIT_S, LIMIT_BYTES), threads=self.threads) as session:
            for problem in problems:
                began_s = time.monotonic()
                found = ask(session, self._task(number, problem, files), Calibrated)
                yield Calibration(
                    session=number,
                    problem=problem,
                    times_ms=found.times_ms,
                    quiet=found.quiet,
                    truth=found.truth,
                    wall_s=time.monotonic() - began_s,
                )

    def _task(self, number: int, problem: str, files: Mapping[str, dict[str, str]]) -> Calibrate:
        return Calibrate(
            session=number,
            problem=Problem.parse(problem),
            implementations=tuple(self.others),
            files=dict(files),
            seed=self.seed,
            settings=Settings(sessions=1, memory_limit=LIMIT_BYTES, threads=(self.threads,)),
            round_budget_ms=self.round_budget_ms,
            threads=self.threads,
            slowed=SLOWED,
        )


def ask(session: Session, task: Task, kind: type[Result]) -> Result:
    """The message of this kind that a task sends. Raises ValueError when there is none."""
    messages: list[Message] = []
    ending = session.ask(task, messages.append)
    found = next((each for each in messages if isinstance(each, kind)), None)
    if ending is not None or found is None:
        reason = ending.reason if ending else "it sent no result"
        raise ValueError(f"the session of task {task.task!r} ended: {reason}")
    return found


def files_of(names: Sequence[str], *, threads: int) -> dict[str, dict[str, str]]:
    """The files that define implementations, by name."""
    _, entries = open_catalogue(list(names), threads=threads)
    return {entry.name: entry.files for entry in entries}
