"""The command line of the study: `python -m suites.calibrate.savings --help`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from suites.calibrate.savings import foretold, obtained, summary
from suites.calibrate.savings.summary import Row
from suites.engine.catalogue import cores, open_catalogue


def main(words: Sequence[str]) -> int:
    """Run the study and print its table; status 1 where savings are not as foretold."""
    options = _parser().parse_args(words)
    began, rows = datetime.now(UTC), []
    machine, _ = open_catalogue([], threads=cores())
    try:
        for script in options.scripts:
            rows += _rows(script, options)
            if options.out:
                data = {"began": began.isoformat(), "machine": machine}
                text = json.dumps({**data, "rows": summary.as_data(rows)}, indent=1)
                options.out.write_text(f"{text}\n", encoding="utf-8")
    except ValueError as error:
        sys.stderr.write(f"attnbench: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    sys.stdout.write(summary.table(rows))
    return 0 if summary.is_proven(rows) else 1


def _rows(script: str, options: argparse.Namespace) -> list[Row]:
    """Every change of one script, foretold and obtained."""
    with TemporaryDirectory() as folder:
        sys.stderr.write(f"{script}: recorded and measured\n")
        changes = foretold.foretell(script, options.keep or Path(folder), options.run)
    sys.stderr.write(f"{script}: {len(changes)} changes put in\n")
    found = obtained.obtain(changes, processes=options.processes, seconds=options.seconds)
    return [Row(change, figure) for change, figure in zip(changes, found, strict=True)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m suites.calibrate.savings",
        description="Savings that a workload foretells, against those of its script.",
    )
    scripts = parser.add_argument
    scripts("--scripts", type=_scripts, default=foretold.SCRIPTS, metavar="A,B", help="some")
    scripts("--processes", type=int, default=6, metavar="N", help="fresh processes a script; 6")
    scripts("--seconds", type=float, default=14.0, metavar="S", help="of each process; 14")
    scripts("--run", type=str.split, default=[], metavar="WORDS", help="options of `run`")
    scripts("--keep", type=Path, metavar="DIR", help="a folder for workloads, runs and pages")
    scripts("--out", type=Path, metavar="FILE", help="JSON with every change")
    return parser


def _scripts(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := set(names).difference(foretold.SCRIPTS):
        expected = ", ".join(foretold.SCRIPTS)
        raise argparse.ArgumentTypeError(f"{unknown.pop()}: expected some of {expected}")
    return names


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
