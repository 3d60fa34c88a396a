"""Runs, comparisons and histories as plain data: `--json`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from itertools import chain
from typing import Any, Final

from impls.interface import Problem
from reports.analysis.comparison import Comparison, ComparisonRow
from reports.analysis.gate import Gate
from reports.analysis.history import History, series
from reports.analysis.in_models import in_model_columns, in_models, layers
from reports.analysis.run_analysis import Analysis
from reports.analysis.tails import tail_columns
from reports.analysis.verdicts import AcrossRow
from reports.outputs.export.steps_data import of_cases
from reports.rows.columns import columns
from reports.rows.measurements import Measurement, measured_columns
from reports.rows.outcomes import Outcome
from reports.rows.own_inputs import own_inputs
from reports.rows.ranks import ranks
from reports.rows.sessions import median_ceilings, share_inside_calls
from reports.views import across, comparison, differences, versions
from reports.views import gate as gates
from reports.views.not_measured import NotMeasured, not_measured
from reports.views.statuses import reason
from suites.records.plan import Entry
from suites.records.settings import labelling

SETTINGS: Final = ("delta", "precision", *labelling(), "threads", "seed")
"""Fields of the plan that change its figures, beside the baselines."""
_POINT: Final = ("median_ms", "low_ms", "high_ms", "sessions")


def of_run(analysis: Analysis) -> dict[str, Any]:
    """The run, its settings and machine, and its tables; None is "not measured".

    share_inside_calls  the share of the run's wall time spent inside calls of implementations
    unread              why stored rows belong to no problem, one text a row
    implementations     their names, what these stand for, and the commits of their files
    left_out            implementations that take no part because of their slow start
    in_models, layers   steps of models: share of attention, what implementations save of a step;
                        attention of each layer. Empty without a model
    tails               percentiles of single calls with their intervals; empty without --tail
    across              ratios across panels, with what is computed and its relative RMS error
    ranks               each rank's part of a call of a group of processes; empty without a group
    own_inputs          errors on the user's own inputs and on random ones; empty without --inputs
    cases, steps        labels, sources and counts; time in attention per step. Only of a run that
                        has them, and its measurements have the labels as `case`
    ceilings            rates that the machine reached, medians over the sessions
    """
    return {
        "run": analysis.run.name,
        "suite": analysis.plan.suite,
        "command": analysis.run.command,
        "started": analysis.run.started,
        "ended": analysis.run.ended,
        "sessions": analysis.plan.sessions,
        "settings": {
            "baseline": ", ".join(dict.fromkeys(chain(*analysis.plan.wanted_baselines.values()))),
            **{name: plain(getattr(analysis.plan, name)) for name in SETTINGS},
        },
        "share_inside_calls": share_inside_calls(analysis.run, analysis.records),
        "machine": plain(analysis.run.machine),
        "unread": list(analysis.run.unread),
        "implementations": [_implementation(each) for each in analysis.plan.entries],
        "left_out": list(analysis.plan.left_out),
        "ceilings": [plain(asdict(each)) for each in median_ceilings(analysis.run)],
        **plain(of_cases(analysis)),
        "measurements": list(map(plain, measured_columns(analysis.plan, analysis.measurements))),
        "verdicts": [plain(_with_reason(columns(row))) for row in analysis.verdicts],
        "across": [plain(_across(row)) for row in analysis.across],
        "in_models": [plain(in_model_columns(row)) for row in in_models(analysis)],
        "layers": [plain(columns(row)) for row in layers(analysis)],
        "tails": [plain(tail_columns(row)) for row in analysis.tails],
        "ranks": [plain(columns(row)) for row in ranks(analysis.run, analysis.records)],
        "own_inputs": [plain(columns(row)) for row in own_inputs(analysis.run, analysis.records)],
        "outcomes": [plain(_outcome(row)) for row in analysis.outcomes],
        "not_measured": [plain(_not_measured(row)) for row in not_measured(analysis)],
    }


def of_comparison(found: Comparison, gate: Gate | None = None) -> dict[str, Any]:
    """A comparison: its rows, its sentences, what differs between the machines, and the gate.

    gate  of --fail-if-slower; its limit, state and sentence, the comparisons that are slower and
          those of which it is not excluded, as fields
    """
    gated = {} if gate is None else {"gate": _gate(gate, found)}
    return {
        **gated,
        "base": found.base,
        "new": found.new,
        "rows": [plain(_compared(row)) for row in found.rows],
        "sentences": comparison.sentences(found),
        "differences": differences.sentences(found),
    }


def of_history(found: History) -> dict[str, Any]:
    """A history: the runs, every time in each of them, and the changes."""
    changes = [of_comparison(each) for each in found.changes]
    return {
        "runs": [
            {"name": each.run.name, "started": each.run.started, "ended": each.run.ended}
            for each in found.analyses
        ],
        "series": [
            {
                "problem": str(problem),
                "implementation": name,
                "threads": threads,
                "points": [_point(found, at, row) for at, row in points.items()],
            }
            for (problem, name, threads), points in series(found).items()
        ],
        "changes": changes,
        "differences": [text for each in changes for text in each["differences"]],
    }


def plain(value: Any) -> Any:
    """Data that JSON can hold: an infinity as a word, NaN as None, a problem as its text."""
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, Problem):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


def _implementation(entry: Entry) -> dict[str, Any]:
    revision = None if entry.revision is None else asdict(entry.revision)
    return {
        "name": entry.name,
        "stands_for": versions.stands_for(entry) or entry.name,
        "revision": revision,
        "hashes": entry.hashes,
    }


def _with_reason(found: dict[str, Any]) -> dict[str, Any]:
    """The reasons of a verdict as one text."""
    reasons = found.pop("reasons")
    return {**found, "reason": "; ".join(reasons)}


def _across(row: AcrossRow) -> dict[str, Any]:
    return {**_with_reason(columns(row)), "computes": across.mark(row)}


def _compared(row: ComparisonRow) -> dict[str, Any]:
    found = _with_reason({**columns(row), "missing": None})
    del found["missing"], found["series"]
    return {**found, "reason": comparison.row_reason(row)}


def _gate(found: Gate, of: Comparison) -> dict[str, Any]:
    return {
        "limit": found.limit,
        "fail_if_unsure": found.strict,
        "state": found.state,
        "slower": [_place(row) for row in found.slower],
        "not_excluded": [_place(row) for row in found.not_excluded],
        "not_judged": [_place(row) for row in found.unjudged],
        "more_sessions": found.more_sessions,
        "sentence": gates.sentence(found, of),
    }


def _place(row: ComparisonRow) -> dict[str, Any]:
    names = ("problem", "implementation", "threads", "ratio", "low", "high")
    return {name: plain(getattr(row, name)) for name in names}


def _outcome(row: Outcome) -> dict[str, Any]:
    return {**columns(row), "reason": reason(row.cause, row.reason)}


def _not_measured(row: NotMeasured) -> dict[str, Any]:
    return {**columns(row), "count": row.count}


def _point(found: History, at: int, row: Measurement) -> dict[str, Any]:
    return {
        "run": found.analyses[at].run.name,
        **{name: plain(getattr(row, name)) for name in _POINT},
    }
