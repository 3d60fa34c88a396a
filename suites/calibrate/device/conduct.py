"""Runs the steps, each in a child process with a time limit, and goes on after a failure."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal

import psutil

from suites.calibrate.device.child import NOT_POSSIBLE
from suites.calibrate.device.figure import Figure, Target
from suites.calibrate.device.steps import Step
from suites.engine.catalogue import cores, open_catalogue
from suites.engine.local_session import ROOT
from suites.engine.pipe import one_line
from suites.engine.visible_devices import visible
from suites.records.plan import Entry
from suites.request.suites.suite import BFLOAT16_FROM

CHILD: Final = "suites.calibrate.device.child"
MARK: Final = "ATTNBENCH_STEP"
"""The variable by which the processes of one step are found."""
OUTPUT_KEPT: Final = 20_000
"""Characters kept of what a child printed: its traceback is at the end."""

STOPPED: Final = "stopped by hand"
"""The fault of steps that were not run because the program was interrupted."""

Status = Literal["ok", "FAILED", "not run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The result of one step.

    figures  that it measured, also before it failed
    fault    why it failed or did not run; empty for ok
    output   what its process printed, with a traceback where it raised
    """

    step: Step
    status: Status
    seconds: float = 0.0
    figures: tuple[Figure, ...] = ()
    fault: str = ""
    output: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The machine under test, and its implementations as data.

    facts  as suites.measure.machine reads them
    """

    target: Target
    facts: dict[str, Any] = field(repr=False)
    entries: tuple[Entry, ...] = field(repr=False)


def machine_with(device: str, chosen: str = "") -> Machine:
    """The machine. Raises ValueError when it has no such device.

    chosen  the NVIDIA device, as an index or a UUID; "": the first
    """
    facts, entries = open_catalogue(None, threads=cores(), cuda_device=chosen)
    found = next((each for each in facts["devices"] if each["device"] == device), None)
    if found is None:
        here = ", ".join(each["device"] for each in facts["devices"])
        torch = facts["versions"].get("torch", "unknown")
        raise ValueError(
            f"--device {device}{chosen and f':{chosen}'}: torch {torch} finds no such device here, "
            f"only {here}; "
            "see docs/gpu.md"
        )
    half = "bf16" if tuple(found["capability"]) >= BFLOAT16_FROM else "fp16"
    target = Target(device=device, memory_bytes=found["memory_bytes"], half=half, chosen=chosen)
    return Machine(target=target, facts=facts, entries=entries)


def conduct(
    target: Target, steps: Sequence[Step], notify: Callable[[Result], None]
) -> list[Result]:
    """The results of these steps; stopping by hand leaves the rest "not run".

    notify  is called with each result as its step ends
    """
    results: list[Result] = []
    with TemporaryDirectory(prefix="attnbench-") as folder:
        for step in steps:
            try:
                results.append(run(step, target, Path(folder)))
            except KeyboardInterrupt:
                break
            notify(results[-1])
    for step in steps[len(results) :]:
        results.append(Result(step=step, status="not run", fault=STOPPED))
        notify(results[-1])
    return results


def run(step: Step, target: Target, folder: Path) -> Result:
    """Run one step in a process of its own."""
    lines, output = folder / f"{step.name}.jsonl", folder / f"{step.name}.txt"
    lines.touch()
    words = [CHILD, step.module, str(lines), target.device, str(target.memory_bytes), target.half]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    began_s = time.monotonic()
    with output.open("wb") as printed:
        process = subprocess.Popen(  # noqa: S603 - our own module under our own Python
            [sys.executable, "-P", "-m", *words],
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            env={**os.environ, **visible(target.chosen), "PYTHONPATH": path, MARK: str(lines)},
            start_new_session=True,
        )
        try:
            ending = _ending(process, step.limit_s)
        finally:
            _kill(str(lines))
            process.wait()
    seconds = time.monotonic() - began_s
    text = output.read_text(encoding="utf-8", errors="replace")[-OUTPUT_KEPT:]
    return result_of(step, seconds, lines.read_text(encoding="utf-8"), ending, text)


def result_of(step: Step, seconds: float, lines: str, ending: str, output: str) -> Result:
    """The result of a step that ended.

    lines   that its process wrote, one JSON object each; a last one without an end is left out
    ending  how it ended, unless it did its work
    """
    written = [json.loads(line) for line in lines.splitlines(keepends=True) if line.endswith("\n")]
    figures = tuple(Figure.of_data(each) for each in written if NOT_POSSIBLE not in each)
    reason = next((each[NOT_POSSIBLE] for each in written if NOT_POSSIBLE in each), "")
    last = next(filter(None, map(one_line, reversed(output.splitlines()))), "")
    wrong = "; ".join(filter(None, (each.fault for each in figures)))
    nothing = "" if figures or reason else "it gave no figure"
    fault = f"{ending}; its last line: {last}" if ending and last else ending or wrong or nothing
    return Result(
        step=step,
        status="FAILED" if fault else "not run" if reason else "ok",
        seconds=seconds,
        figures=figures,
        fault=fault or reason,
        output=output,
    )


def _ending(process: subprocess.Popen[bytes], limit_s: float) -> str:
    """How the process ended; empty for a normal end."""
    try:
        code = process.wait(limit_s)
    except subprocess.TimeoutExpired:
        return f"took more than {limit_s:g} s and was killed"
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with status {code}" if code else ""


def _kill(mark: str) -> None:
    """Kill every process whose environment has this mark.

    A session outlives the child that started it when the child is killed, and has its own group.
    """
    for each in psutil.process_iter():
        with suppress(psutil.Error):
            if each.environ().get(MARK) == mark:
                each.kill()
