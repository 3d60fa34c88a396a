"""Steps of models: their times, the share that is attention, and what an implementation saves.

By Amdahl's law, a step can save at most its share of attention. What an implementation saves by
its times of attention is that of the baseline minus its own, over the step of the baseline.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final, Literal

from impls.interface import Problem
from reports.analysis.run_analysis import Analysis
from reports.analysis.verdicts import VerdictRow
from reports.rows.measurements import Measurement
from suites.records.in_model import InModel, LayerTime
from suites.records.plan import Plan
from suites.records.record import Record

APART: Final = 1.5
"""Layers differ where the largest time of one is more than this multiple of the smallest."""

Beside = Literal["", "more", "less"]
"""Where the measured saving lies beside the times of attention; empty: within, or not known."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a step: the median over the sessions, with the smallest and the largest."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class InModelRow:
    """An implementation in a step of a model, with one number of threads.

    baseline      that it is compared with; its own name for the baseline itself
    attention_ms  of its steps, median over the sessions; None: not measured
    attention     the part of its own step that is attention
    free          the part of the baseline's step that is attention: what a free attention saves
    by_attention  what its times of attention save of the baseline's step, in the sessions that
                  measured both; None for the baseline
    judged        against the baseline; None for the baseline
    delta         the smallest part of a step that counts
    """

    problem: Problem
    implementation: str
    baseline: str
    threads: int
    measured: Measurement
    attention_ms: float | None
    attention: Part | None
    free: Part | None
    by_attention: Part | None
    judged: VerdictRow | None
    delta: float

    @property
    def saved(self) -> float | None:
        """The measured saving: 1 minus the ratio."""
        ratio = self.judged.ratio if self.judged else None
        return None if ratio is None else 1 - ratio

    @property
    def saved_in(self) -> tuple[float, float] | None:
        """Its 95 % interval; None without one."""
        if self.judged is None or self.judged.low is None or self.judged.high is None:
            return None
        return 1 - self.judged.high, 1 - self.judged.low

    @property
    def beside(self) -> Beside:
        """Whether the whole interval of the measured saving is beyond the times of attention.

        These have the spread of their sessions. What lies beyond counts from delta on; of a single
        session nothing is concluded.
        """
        ends, own = self.saved_in, self.by_attention
        if ends is None or own is None or self.measured.sessions < 2:
            return ""
        if ends[0] > own.high + self.delta:
            return "more"
        return "less" if ends[1] < own.low - self.delta else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRow:
    """The attention of one layer in a step; times are medians over the sessions.

    share  of the step
    """

    problem: Problem
    implementation: str
    threads: int
    layer: str
    calls: int
    forward_ms: float
    backward_ms: float | None
    share: float


def in_models(analysis: Analysis) -> list[InModelRow]:
    """One for each model, step and implementation with times, the baseline first of each step."""
    judged = {(r.problem, r.threads, r.implementation): r for r in analysis.verdicts}
    measured = {(r.problem, r.threads, r.implementation): r for r in analysis.measurements}
    return [
        _row(analysis.plan, found, measured[place], judged.get(place))
        for (problem, threads), found in analysis.timed.items()
        if problem.model
        for name in _baseline_first(analysis.plan, problem, found)
        if (place := (problem, threads, name))
    ]


def layers(analysis: Analysis) -> list[LayerRow]:
    """The layers with the baseline, and with others where their layers differ in every session."""
    return [
        layer
        for row in in_models(analysis)
        if (own := list(_in_models_of(analysis, row).values()))
        and (row.implementation == row.baseline or all(map(_differ, own)))
        for layer in _layers(row, own)
    ]


def _baseline_first(plan: Plan, problem: Problem, found: Collection[str]) -> list[str]:
    baseline = plan.baseline_of(found, problem.device)
    return sorted(found, key=lambda name: name != baseline)


def _row(
    plan: Plan,
    found: Mapping[str, Sequence[Record]],
    measured: Measurement,
    judged: VerdictRow | None,
) -> InModelRow:
    name, baseline = measured.implementation, plan.baseline_of(found, measured.problem.device)
    own, base = _by_session(found[name]), _by_session(found[baseline])
    return InModelRow(
        problem=measured.problem,
        implementation=name,
        baseline=baseline,
        threads=measured.threads,
        measured=measured,
        attention_ms=median(e.attention_ms for e in own.values()) if own else None,
        attention=_part(each.share for each in own.values()),
        free=_part(each.share for each in base.values()),
        by_attention=None if name == baseline else _part(_savings(base, own)),
        judged=judged,
        delta=plan.delta,
    )


def _by_session(records: Iterable[Record]) -> dict[int, InModel]:
    return {each.session: each.in_model for each in records if each.in_model is not None}


def _savings(base: Mapping[int, InModel], own: Mapping[int, InModel]) -> Iterator[float]:
    """What the times of attention save of the baseline's step, session by session."""
    for session in base.keys() & own.keys():
        if step_ms := base[session].step_ms:
            yield (base[session].attention_ms - own[session].attention_ms) / step_ms


def _part(values: Iterable[float]) -> Part | None:
    known = list(values)
    return Part(median(known), min(known), max(known)) if known else None


def _in_models_of(analysis: Analysis, row: InModelRow) -> dict[int, InModel]:
    return _by_session(analysis.timed[row.problem, row.threads][row.implementation])


def _layers(row: InModelRow, sessions: Iterable[InModel]) -> list[LayerRow]:
    """The layers of a row, in the order of the step."""
    by_name: dict[str, list[tuple[LayerTime, float]]] = {}
    for session in sessions:
        for layer in session.layers:
            by_name.setdefault(layer.layer, []).append((layer, session.step_ms))
    return [_layer(row, found) for found in by_name.values()]


def _layer(row: InModelRow, found: Sequence[tuple[LayerTime, float]]) -> LayerRow:
    times = [layer for layer, _ in found]
    return LayerRow(
        problem=row.problem,
        implementation=row.implementation,
        threads=row.threads,
        layer=times[0].layer,
        calls=times[0].calls,
        forward_ms=_median(times, lambda each: each.forward_ms) or 0.0,
        backward_ms=_median(times, lambda each: each.backward_ms),
        share=median(layer.total_ms / step_ms if step_ms else 0.0 for layer, step_ms in found),
    )


def _median(
    times: Iterable[LayerTime], figure: Callable[[LayerTime], float | None]
) -> float | None:
    known = [value for value in map(figure, times) if value is not None]
    return median(known) if known else None


def _differ(session: InModel) -> bool:
    times = [layer.total_ms for layer in session.layers]
    return len(times) > 1 and max(times) > APART * min(times)


def in_model_columns(row: InModelRow) -> dict[str, Any]:
    """A row as columns, unrounded; None where something was not measured."""
    verdict, ends = row.judged, row.saved_in or (None, None)
    parts = {"attention": row.attention, "free": row.free, "by_attention": row.by_attention}
    return {
        "problem": str(row.problem),
        "model": row.problem.model_name,
        "step": "training" if row.problem.training else row.problem.model_step,
        "implementation": row.implementation,
        "baseline": row.baseline,
        "threads": row.threads,
        "sessions": row.measured.sessions,
        "step_ms": row.measured.median_ms,
        "peak_bytes": row.measured.peak_bytes,
        "attention_ms": row.attention_ms,
        **{
            f"{name}{end}": getattr(part, field) if part else None
            for name, part in parts.items()
            for end, field in (("", "value"), ("_low", "low"), ("_high", "high"))
        },
        "ratio": verdict.ratio if verdict else None,
        "verdict": verdict.verdict if verdict else None,
        "saved": row.saved,
        "saved_low": ends[0],
        "saved_high": ends[1],
        "beside_attention": row.beside,
    }


COLUMNS: Final = (
    *("problem", "model", "step", "implementation", "baseline", "threads", "sessions"),
    *("step_ms", "peak_bytes", "attention_ms"),
    *(f"{n}{end}" for n in ("attention", "free", "by_attention") for end in ("", "_low", "_high")),
    *("ratio", "verdict", "saved", "saved_low", "saved_high", "beside_attention"),
)
"""The columns of `in_model_columns`."""
LAYER_COLUMNS: Final = tuple(LayerRow.__dataclass_fields__)
