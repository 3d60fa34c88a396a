"""The command line of the floors: `python -m suites.calibrate.floors --help`."""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean, median
from typing import Final, NoReturn

from suites.calibrate.floors.child import Session, Task, checked
from suites.engine.catalogue import cores, open_catalogue
from suites.engine.local_session import environment
from suites.records.codec import from_json, to_data, to_json
from suites.stats.intervals import Interval, log_ratio, over_sessions
from suites.stats.pairing import counted

PROBLEMS: Final = (
    "h8 t1024 full",
    "h8 t4096 full",
    "h8 t4096 causal",
    "h8 t2048 full train",
    "h8 t2048 causal train",
    "h8 t4096 window:256",
    "h8 t4096 window:256 train",
    "layer h8 t128 full",
    "layer h8 t1024 full",
    "layer h8 t1024 causal",
    "layer h8 t1024 full train",
)
HEADINGS: Final = ("problem", "time of", "over that of", "ratio [95 %]", "ms", "base ms")


def main(words: Sequence[str]) -> int:
    """Measure and print the table; a mistake of the user is one line and status 2."""
    try:
        options = _options(words)
    except ValueError as error:
        return _fail(str(error), 2)
    try:
        _run(options)
    except (ValueError, OSError) as error:
        return _fail(str(error), 1)
    except KeyboardInterrupt:
        return 130
    return 0


def _run(options: argparse.Namespace) -> None:
    began = datetime.now(UTC).isoformat(timespec="seconds")
    machine, _ = open_catalogue([], threads=options.threads)
    found: dict[str, list[Session]] = {checked(text): [] for text in options.problem or PROBLEMS}
    for session in range(1, options.sessions + 1):
        for problem, own in found.items():
            task = Task(problem=problem, session=session, rounds=options.rounds)
            own.append(run_session(task, options.threads))
            if options.out:
                sessions = [to_data(each) for every in found.values() for each in every]
                data = {"began": began, "machine": dict(machine), "sessions": sessions}
                options.out.write_text(json.dumps(data, indent=1) + "\n")
    sys.stdout.write(table([row for own in found.values() for row in rows(own)]))
    where = f"{machine['cpu']}, {options.threads} of {machine['cores']} cores"
    sys.stdout.write(f"{began}; {where}; torch {machine['versions']['torch']}\n")


def run_session(task: Task, threads: int) -> Session:
    """The session of a task in a fresh process. Raises ValueError when it fails."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "suites.calibrate.floors.child"],
        env=environment(threads),
        input=to_json(task),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise ValueError(f"{task.problem}: its process ended with {done.returncode}: {last[:200]}")
    return from_json(Session, done.stdout)


def rows(sessions: Sequence[Session]) -> Iterator[tuple[str, ...]]:
    """The cells of each pair of one problem: the ratio, and medians of the sessions' medians."""
    for arm, base in sessions[0].pairs:
        ms, base_ms = ([_ms(each, names) for each in sessions] for names in ((arm,), base))
        logs = [log_ratio(b, m, paired=True) for b, m in zip(base_ms, ms, strict=True)]
        medians = (f"{median(map(median, each)):.3f}" for each in (ms, base_ms))
        yield sessions[0].task.problem, arm, " + ".join(base), _ratio(logs), *medians


def table(cells: Sequence[tuple[str, ...]]) -> str:
    """The rows as a Markdown table, readable in a terminal."""
    lines = [HEADINGS, ("---",) * len(HEADINGS), *cells]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = ([cell.ljust(n) for cell, n in zip(line, widths, strict=True)] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in padded)


def _ms(session: Session, names: Sequence[str]) -> list[float]:
    """The summed times of these arms in each round that counts."""
    times = [session.times_ms[name] for name in names]
    return [sum(each[i] for each in times) for i in counted(session.quiet, len(times[0]))]


def _ratio(logs: Sequence[float]) -> str:
    ratio, found = math.exp(fmean(logs)), over_sessions(logs)
    if isinstance(found, Interval):
        return f"{ratio:.3f} [{found.low:.3f}, {found.high:.3f}]"
    return f"{ratio:.3f} ({found.reason})"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (python -m suites.calibrate.floors --help)")


def _options(words: Sequence[str]) -> argparse.Namespace:
    """The options. Raises ValueError for a mistake."""
    parser = _Parser(
        prog="python -m suites.calibrate.floors",
        description="The program's own kernels against the time of their products and "
        "exponentials alone, and layers against the sum of their parts.",
    )
    listed = ", ".join(map(repr, PROBLEMS))
    add = parser.add_argument
    add("--problem", action="append", metavar="WORDS", help=f"again for more; default: {listed}")
    add("--sessions", type=int, default=3, metavar="N", help="processes for each problem; 3")
    add("--threads", type=int, default=cores(), metavar="N", help=f"OpenMP threads; {cores()}")
    add("--rounds", type=int, default=15, metavar="N", help="samples of an arm in a session; 15")
    add("--out", type=Path, metavar="FILE", help="JSON with every sample")
    options = parser.parse_args(words)
    for name, most in (("sessions", None), ("threads", cores()), ("rounds", None)):
        number = getattr(options, name)
        if number < 1 or (most and number > most):
            expected = f"1 to {most}" if most else "at least 1"
            parser.error(f"--{name} {number}: expected {expected}")
    if options.out and (options.out.is_dir() or not options.out.parent.is_dir()):
        parser.error(f"--out {options.out}: expected a file in a folder that exists")
    for text in options.problem or ():
        checked(text)
    return options


def _fail(message: str, status: int) -> int:
    sys.stderr.write(f"attnbench: {' '.join(message.split())}\n")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
