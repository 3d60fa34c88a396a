"""The steps of a device's selftest: a line for each as it ends, and a summary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.text import Text

from reports.views.text import counted, printable
from suites.calibrate.device.conduct import Result, Status
from suites.calibrate.device.steps import STEPS

STYLES: Final[dict[Status, str]] = {"ok": "green", "FAILED": "bold red", "not run": "yellow"}
_WIDTH: Final = max(map(len, STEPS))


def line(result: Result) -> Text:
    """Name, status, seconds; then the last figure, or the reason for a failure."""
    shown = result.fault or (result.figures[-1].text if result.figures else "")
    text = Text(f"{result.step.name:{_WIDTH}}  ")
    text.append(f"{result.status:7}", style=STYLES[result.status])
    text.append(f"  {result.seconds:5.1f} s  {printable(shown)}")
    return text


def summary(results: Sequence[Result], file: str) -> list[Text]:
    """The number of steps by status, how to repeat those that failed, and the file to send."""
    counts = [
        f"{sum(each.status == status for each in results)} {status}"
        for status in STYLES
        if any(each.status == status for each in results)
    ]
    seconds = sum(each.seconds for each in results)
    failed = [each.step.name for each in results if each.status == "FAILED"]
    lines = [Text(f"\n{counted(len(results), 'step')} in {seconds:.0f} s: {', '.join(counts)}")]
    if failed:
        repeat = f"python run_bench.py selftest --device cuda --only {','.join(failed)}"
        lines.append(Text(f"repeat what failed with: {repeat}"))
    return [*lines, Text(f"machine, figures and tracebacks, to send: {printable(file)}")]
