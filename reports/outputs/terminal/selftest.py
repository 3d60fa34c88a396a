"""The results of `selftest` as tables."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from reports.outputs.terminal.blocks import Fitting
from reports.outputs.terminal.grid_tables import table
from reports.views.numbers import three_digits
from reports.views.text import counted
from suites.calibrate.selftest import Findings, Ratio


def tables(found: Findings) -> list[RenderableType]:
    """Instruments and protocol, the named ratios, faults, and a sentence on this machine."""
    made = table("Instruments and protocol")
    made.add_column("true value", no_wrap=True)
    made.add_column("measured")
    for name, value in _facts(found):
        made.add_row(name, value)
    ratios = table("Seconds to a half-width of 1 %, by themselves")
    ratios.add_column("naive / torch's own on", no_wrap=True)
    for name in ("ratio", "95 % interval", "sessions", "seconds"):
        ratios.add_column(name, justify="right")
    for each in found.ratios:
        ratios.add_row(*_cells(each))
    faults = [Text(f"wrong: {fault}", style="bold red") for fault in found.faults]
    return [Fitting(made), Fitting(ratios), *faults, Text(f"\n{found.sentence}")]


def _facts(found: Findings) -> Iterator[tuple[str, str]]:
    known = found.instruments
    pairs = counted(found.pairs, "pair")
    yield f"{known.known_bytes} bytes of memory", f"{known.read_bytes} bytes read"
    yield "smallest step of the clock", f"{known.resolution_ms * 1e6:.0f} ns"
    yield "an empty sample", f"{known.sample_overhead_ms * 1e6:.0f} ns"
    yield "one empty call", f"{known.call_overhead_ms * 1e6:.0f} ns"
    yield "identical code", f"{found.false_alarms} of {pairs} distinguished (5 % expected)"
    yield f"{found.slowed:.1%} slower", f"{found.found} of {pairs} found slower"
    yield "noise floor", f"{found.floor:.2%} over {counted(found.sessions, 'session')}"
    yield "disturbed rounds", f"{found.disturbed:.0%}"


def _cells(each: Ratio) -> tuple[str, str, str, str, str]:
    if each.interval is None:
        return each.problem, "", "no interval", "", ""
    low, high = three_digits(each.interval.low), three_digits(each.interval.high)
    return (
        each.problem,
        three_digits(each.interval.estimate),
        f"{low} to {high}",
        "" if each.sessions is None else str(each.sessions),
        "" if each.needed_s is None else f"{each.needed_s:.0f}",
    )
