"""Runs made up so that the fastest implementation is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from impls.interface import Limits, Problem
from reports.analysis.run_analysis import Analysis
from suites.records.plan import Entry
from suites.records.record import Record
from tests.saved_run import facts, small_run

OFF = (1.0, 1.004, 0.997, 1.002, 0.998)
"""How far a session is off, for each of the names in another order: medians stay."""


def problems(
    lengths: Sequence[int], heads: Sequence[int] = (8,), rest: str = "full"
) -> list[Problem]:
    return [Problem.parse(f"h{h} t{length} {rest}") for h in heads for length in lengths]


def entry(name: str, panel: str = "attention") -> Entry:
    return Entry(name=name, limits=(Limits(),), panel=panel)


def made(
    asked: Sequence[Problem | str],
    times_ms: dict[str, Callable[[Problem], float]],
    *,
    sessions: int = 5,
    change: Callable[[Record], Record | None] = lambda record: record,
    **run: Any,
) -> Analysis:
    """A run of these, each with its time for a problem; `change` alters records or drops them."""
    entries = run.pop("made", tuple(map(entry, times_ms)))
    whole, records = small_run(problems=asked, sessions=sessions, made=entries, **run)
    places = {name: place for place, name in enumerate(times_ms)}
    found = []
    for record in records:
        off = OFF[(record.session + 2 * places[record.implementation]) % 5]
        own = times_ms[record.implementation](record.problem) * off
        if record.times_ms:
            samples = tuple(own * shift for shift in (1.0, 1.01, 0.99, 1.002, 0.998))
            side = 1.001 if record.session % 2 else 0.999
            twin = tuple(side * sample for sample in samples) if record.twin_ms else ()
            found.append(change(replace(record, times_ms=samples, twin_ms=twin)))
        else:
            found.append(change(record))
    return Analysis(
        replace(whole, facts=facts(whole.plan)), [each for each in found if each is not None]
    )


def linear(per_token: float) -> Callable[[Problem], float]:
    return lambda problem: per_token * problem.key_length


def square(per_pair: float) -> Callable[[Problem], float]:
    return lambda problem: per_pair * problem.key_length**2
