"""The command line of the study: `python -m suites.calibrate.study --help`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from suites.calibrate.protocol import PROBLEMS
from suites.calibrate.study import summary
from suites.calibrate.study.methods import Setting
from suites.calibrate.study.schedule import Study, Turn
from suites.engine.catalogue import cores, open_catalogue


def main(words: Sequence[str]) -> int:
    """Run the study and print its table; a mistake of the user is one line and status 2."""
    try:
        options = _parser().parse_args(words)
    except ValueError as error:
        return _fail(str(error), 2)
    if find_spec("pytest_benchmark") is None:
        return _fail("pytest-benchmark is missing; install it: pip install -e '.[test]'", 2)
    try:
        _run(options)
    except (ValueError, OSError) as error:
        return _fail(str(error), 1)
    except KeyboardInterrupt:
        return 130
    return 0


def _run(options: argparse.Namespace) -> None:
    began = datetime.now(UTC)
    machine, _ = open_catalogue([], threads=options.threads)
    study = Study(
        setting=Setting(problems=PROBLEMS, sessions=options.sessions, threads=options.threads)
    )
    _progress("a pilot turn of every method")
    turns: list[Turn] = []
    for turn in study.turns(options.repeats, study.pilot()):
        turns.append(turn)
        _progress(f"{len(turns)} of {options.repeats * len(study.methods)} turns: {turn.method}")
        if options.out:
            data = summary.as_data(turns, machine, began)
            options.out.write_text(json.dumps(data, indent=1) + "\n")
    rows = summary.figures(turns)
    sys.stdout.write(f"{summary.markdown(rows)}\n{summary.about(machine, began)}")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (python -m suites.calibrate.study --help)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m suites.calibrate.study",
        description="The error of a ratio of known value, by four methods at equal wall time.",
    )
    for name, default, allowed, text in (
        ("--repeats", 10, _whole(1), "turns of every method"),
        ("--sessions", 5, _whole(2), "fresh processes of this program's method in a turn"),
        ("--threads", 1, _whole(1, cores()), "OpenMP threads, bound to CPUs"),
    ):
        parser.add_argument(
            name, type=allowed, default=default, metavar="N", help=f"{text}; {default}"
        )
    parser.add_argument("--out", type=_new_file, metavar="FILE", help="JSON with every ratio")
    return parser


def _whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """A parser of whole numbers in this range."""
    expected = f"at least {least}" if most is None else f"{least} to {most}"

    def parse(word: str) -> int:
        if not word.isdecimal() or int(word) < least or (most is not None and int(word) > most):
            raise argparse.ArgumentTypeError(f"{word}: expected {expected}")
        return int(word)

    return parse


def _new_file(word: str) -> Path:
    path = Path(word)
    if path.is_dir() or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{word}: expected a file in a folder that exists")
    return path


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"{text}\n")


def _fail(message: str, status: int) -> int:
    sys.stderr.write(f"attnbench: {' '.join(message.split())}\n")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
