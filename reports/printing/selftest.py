"""What `selftest` found, as tables and as plain data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from reports import words
from reports.printing.layout import table
from suites.calibrate.selftest import Findings, Ratio


def tables(found: Findings) -> list[RenderableType]:
    """The instruments, what the protocol sees, the named ratios, and a sentence on this machine."""
    made = table("Instruments and protocol")
    made.add_column("what is known", no_wrap=True)
    made.add_column("what was found")
    for name, value in _facts(found):
        made.add_row(name, value)
    ratios = table("Seconds to a half-width of 1 %, by themselves")
    ratios.add_column("naive / torch's own on", no_wrap=True)
    for name in ("ratio", "95 % interval", "sessions", "seconds"):
        ratios.add_column(name, justify="right")
    for each in found.ratios:
        ratios.add_row(*_cells(each))
    faults = [Text(f"wrong: {fault}", style="bold red") for fault in found.faults]
    return [made, ratios, *faults, Text(f"\n{found.sentence}")]


def as_data(found: Findings) -> dict[str, Any]:
    """The findings for other programs; the sentence and the faults among them."""
    return {**asdict(found), "sentence": found.sentence, "faults": found.faults}


def _facts(found: Findings) -> Iterator[tuple[str, str]]:
    known = found.instruments
    pairs = words.counted(found.pairs, "pair")
    yield f"{known.known_bytes} bytes of memory", f"{known.read_bytes} bytes read"
    yield "the clock's smallest step", f"{known.resolution_ms * 1e6:.0f} ns"
    yield "a sample of nothing", f"{known.sample_overhead_ms * 1e6:.0f} ns"
    yield "one call of nothing", f"{known.call_overhead_ms * 1e6:.0f} ns"
    yield "identical code", f"{found.false_alarms} of {pairs} told apart (5 % expected)"
    yield f"{found.slowed:.1%} slower", f"{found.found} of {pairs} found slower"
    yield "noise floor", f"{found.floor:.2%} over {words.counted(found.sessions, 'session')}"
    yield "disturbed rounds", f"{found.disturbed:.0%}"


def _cells(each: Ratio) -> tuple[str, str, str, str, str]:
    if each.interval is None:
        return each.problem, "", "no interval", "", ""
    low, high = words.three_digits(each.interval.low), words.three_digits(each.interval.high)
    return (
        each.problem,
        words.three_digits(each.interval.estimate),
        f"{low} to {high}",
        "" if each.sessions is None else str(each.sessions),
        "" if each.needed_s is None else f"{each.needed_s:.0f}",
    )
