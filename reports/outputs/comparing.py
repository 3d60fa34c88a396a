"""Compare two stored runs, or two implementations of one: print the result, judge the gate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from reports.analysis import comparison, run_comparison
from reports.analysis.comparison import Comparison
from reports.analysis.gate import Gate
from reports.outputs.export import json_data
from reports.outputs.markdown.comparison import of_comparison
from reports.outputs.summary import append
from reports.outputs.terminal.console import print_json, print_line, print_tables
from reports.outputs.terminal.verdict_tables import compare_tables
from reports.views import gate as gates
from suites.records import named
from suites.records.store import Store, StoreError


def compared(url: str, base: str, new: str, *, run: str | None, delta: float | None) -> Comparison:
    """The comparison of two runs, or of two implementations where a run is named.

    url    of the store; a run may be a file with a bundle instead
    delta  what counts as a difference; None: that of the run
    """
    if run is None:
        try:
            sides = named.runs([base, new], url)
        except StoreError as error:
            raise ValueError(f"{error}{_hint(url, base, new)}") from error
        return run_comparison.runs(*sides[0], *sides[1], delta=delta)
    [(of, records)] = named.runs([run], url)
    if delta is not None:
        of = replace(of, plan=replace(of.plan, delta=delta))
    return comparison.implementations(of, records, base, new)


def _hint(url: str, base: str, new: str) -> str:
    """That the newest run has implementations of these names; empty where it does not."""
    runs = Store.open(url, create=False).runs()
    names = {entry.name for entry in runs[-1].plan.entries} if runs else set()
    if not {base, new} <= names:
        return ""
    return f"; the newest run has both implementations: compare {base} {new} --run latest"


def report(
    found: Comparison, gate: Gate | None, *, as_json: bool, summary: Path | None = None
) -> int:
    """Print a comparison, the line of the gate last; the exit status: 1 unless the gate passed.

    summary  a file to which the same is appended as markdown
    """
    append(summary, of_comparison(found, gate))
    if as_json:
        print_json(json_data.of_comparison(found, gate))
    else:
        print_tables(compare_tables(found))
        if gate is not None:
            print_line(f"\n{gates.sentence(gate, found)}")
    return int(gate is not None and gate.state != "passed")
