"""Report a run or a check that ended: what it leaves, then what a user should know or do."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from reports.analysis.run_analysis import Analysis
from reports.outputs import drawing, reporting
from reports.outputs.exit_status import exit_status
from reports.outputs.export import json_data, limits_data
from reports.outputs.export.json_lines import Stream
from reports.outputs.left import Left
from reports.outputs.markdown import check as markdown
from reports.outputs.summary import append
from reports.outputs.terminal.check_report import check_report
from reports.outputs.terminal.console import print_json, print_line, print_tables
from suites.conducting import Conducted, without_limits
from suites.discover.discovery import Discovery
from suites.records.groups import kind_of


def of_run(done: Conducted, left: Left, lines: Stream | None) -> int:
    """Report a run; the exit status.

    lines  prints the JSON as one line
    """
    _replaced(done, left)
    reporting.report(
        done.run,
        done.records,
        left.out,
        as_json=left.as_json,
        every=left.every,
        lines=lines,
        summary=left.summary,
    )
    return _advised(done)


def of_runs(every: Sequence[Conducted], left: Left, lines: Stream | None) -> int:
    """Report the runs of a cluster, one for each kind of machine; the largest exit status.

    They have one page. With lines of JSON each run has its own line and page, and without the
    packages that draw pages each has its own tables.
    """
    if len(every) == 1:
        return of_run(every[0], left, lines)
    if lines is not None or drawing.missing():
        folders = {done.run.name: left.out and left.out / kind_of(done.run.name) for done in every}
        return max(of_run(d, replace(left, out=folders[d.run.name]), lines) for d in every)
    _replaced(every[0], left)
    sides = [(done.run, done.records) for done in every]
    reporting.report_kinds(sides, left.out, as_json=False, every=left.every, summary=left.summary)
    return max(map(_advised, every))


def of_check(
    done: Conducted,
    found: Sequence[Discovery],
    *,
    verbose: bool,
    as_json: bool,
    summary: Path | None,
) -> int:
    """Report a check; the exit status.

    found    limits of plain functions, found by trial
    verbose  list the problems one by one
    summary  a file to which the verdicts are appended as markdown
    """
    analysis = Analysis(done.run, done.records)
    append(summary, markdown.of_check(analysis, found))
    if as_json:
        data = {"probed": list(map(limits_data.of_limits, found))} if found else {}
        print_json({**json_data.of_run(analysis), **data})
    else:
        print_tables(check_report(analysis, found, verbose=verbose))
    _doubts(done)
    falls_short = any(each.claims_too_much for each in found)
    return 1 if falls_short else exit_status(done.records, strict=True)


def _replaced(done: Conducted, left: Left) -> None:
    """Print which run had the saved name until now."""
    if done.replaced:
        print_line(f"{left.save} was {done.replaced} until now", stderr=True)


def _advised(done: Conducted) -> int:
    """Print what a user should know or do after a run; its exit status."""
    _doubts(done)
    for name, file in without_limits(done):
        command = shlex.join(["python", "run_bench.py", "check", str(file)])
        print_line(f"{name} states no Limits; find its limits with: {command}", stderr=True)
    return exit_status(done.records, named=done.run.plan.named)


def _doubts(done: Conducted) -> None:
    """Print the plan's doubts about how implementations are called."""
    for line in done.run.plan.doubts:
        print_line(line, stderr=True)
