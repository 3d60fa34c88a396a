"""The foretold savings of a script: recorded, measured and exported as users do it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from suites.engine.local_session import ROOT

SCRIPTS: Final = ("training", "decoding", "padded", "translation", "vision", "long_text")
PACKAGE: Final = "suites.calibrate.savings.scripts"
STEPS: Final = 20
"""Recorded steps: the median of their times is that of a step."""


@dataclass(frozen=True, slots=True)
class Figure:
    """Milliseconds of a step with a 95 % interval."""

    ms: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Change:
    """An implementation in place of another one for some problems of a script.

    places     lines of the script that make the calls
    attention  the time in attention of a step, ms
    saves      what the change saves in a step
    """

    script: str
    problems: tuple[str, ...]
    places: tuple[str, ...]
    now: str
    implementation: str
    attention: float
    saves: Figure


def foretell(script: str, folder: Path, options: Sequence[str] = ()) -> list[Change]:
    """The changes of a script, each with its foretold saving.

    folder   for the workload, the run and its export
    options  of `run`

    Raises ValueError for a command that fails, with its last line.
    """
    workload, store, table = (folder / f"{script}.{end}" for end in ("jsonl", "db", "json"))
    recorded = [sys.executable, "-m", PACKAGE, script, str(STEPS)]
    _run("record", "--steps", str(STEPS), "--out", str(workload), "--", *recorded)
    chosen = [word for name in ("sdpa", *implementations(script)) for word in ("--impl", name)]
    kept = ["--store", f"sqlite:///{store}"]
    _run(
        "run", "--workload", str(workload), *chosen, *kept, "--out", str(folder / script), *options
    )
    _run("export", "--format", "dispatch", "--to", str(table), *kept)
    return list(_changes(script, json.loads(table.read_text(encoding="utf-8"))))


def implementations(script: str) -> Sequence[str]:
    """The implementations that are put in place of torch's in a script."""
    found: Sequence[str] = import_module(f"{PACKAGE}.{script}").IMPLEMENTATIONS
    return found


def _changes(script: str, data: dict[str, Any]) -> list[Change]:
    return [
        Change(
            script=script,
            problems=tuple(each["problems"]),
            places=tuple(each["places"]),
            now=each["now"],
            implementation=each["implementation"],
            attention=step["now"]["ms"],
            saves=Figure(**each["saves"]),
        )
        for step in data["steps"]
        for each in step["changes"]
        if each["saves"]["low"] is not None
    ]


def _run(*words: str) -> None:
    command = [sys.executable, str(ROOT / "run_bench.py"), *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - this program
    if done.returncode not in (0, 1):  # 1: some implementation failed, others have times
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise ValueError(f"run_bench.py {words[0]} ended with {done.returncode}: {said[-1:]}")
