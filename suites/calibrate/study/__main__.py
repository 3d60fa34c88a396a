"""The command line of the study: `python -m suites.calibrate.study --help`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn, Self

from suites.calibrate.protocol import PROBLEMS
from suites.calibrate.study import summary
from suites.calibrate.study.methods import Setting
from suites.calibrate.study.schedule import Study, Turn
from suites.engine.catalogue import cores, open_catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asks for."""

    repeats: int
    sessions: int
    threads: int
    out: Path | None

    @classmethod
    def parse(cls, words: Sequence[str]) -> Self:
        """Raises ValueError for what cannot be done, before anything is measured."""
        options = cls(**vars(_parser().parse_args(words)))
        _expect("--repeats", options.repeats, 1)
        _expect("--sessions", options.sessions, 2)
        _expect("--threads", options.threads, 1, cores())
        if options.out and (options.out.is_dir() or not options.out.parent.is_dir()):
            raise ValueError(f"--out {options.out}: expected a file in a folder that exists")
        if find_spec("pytest_benchmark") is None:
            raise ValueError("pytest-benchmark is missing; install it: pip install -e '.[test]'")
        return options


def main(words: Sequence[str]) -> int:
    """Run the study and print what it found; a user's mistake is one line and status 2."""
    try:
        options = Options.parse(words)
    except ValueError as error:
        return _fail(str(error), 2)
    try:
        _carry_out(options)
    except (ValueError, OSError) as error:
        return _fail(str(error), 1)
    except KeyboardInterrupt:
        return 130
    return 0


def _carry_out(options: Options) -> None:
    began = datetime.now(UTC)
    machine, _ = open_catalogue([], threads=options.threads)
    study = Study(
        setting=Setting(problems=PROBLEMS, sessions=options.sessions, threads=options.threads)
    )
    _say("a pilot of every method")
    turns: list[Turn] = []
    for turn in study.turns(options.repeats, study.pilot()):
        turns.append(turn)
        _say(f"{len(turns)} of {options.repeats * len(study.methods)} turns: {turn.method}")
        if options.out:
            data = summary.as_data(turns, machine, began)
            options.out.write_text(json.dumps(data, indent=1) + "\n")
    rows = summary.figures(turns)
    parts = (summary.table(rows), summary.markdown(rows), summary.about(machine, began))
    sys.stdout.write("\n".join(parts))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (python -m suites.calibrate.study --help)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m suites.calibrate.study",
        description="The error of a ratio by four methods, at equal wall time, the truth known.",
    )
    parser.add_argument(
        "--repeats", type=int, default=10, metavar="N", help="turns of every method; 10"
    )
    parser.add_argument(
        "--sessions", type=int, default=5, metavar="N", help="processes of our method in a turn; 5"
    )
    parser.add_argument(
        "--threads", type=int, default=1, metavar="N", help="OpenMP threads, bound; 1"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="JSON with every ratio")
    return parser


def _expect(option: str, given: int, least: int, most: int | None = None) -> None:
    if given < least or (most is not None and given > most):
        expected = f"at least {least}" if most is None else f"{least} to {most}"
        raise ValueError(f"{option} {given}: expected {expected}")


def _say(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"{text}\n")


def _fail(message: str, status: int) -> int:
    sys.stderr.write(f"attnbench: {' '.join(message.split())}\n")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
