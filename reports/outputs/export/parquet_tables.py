"""Parquet files beside the records of a run: percentiles, and sums and cases of steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from reports.analysis.run_analysis import Analysis
from reports.analysis.tails import COLUMNS, tail_columns
from reports.outputs.export.steps_data import CASE_COLUMNS, SUM_COLUMNS, case_rows, sum_rows
from suites.records.store import Run, Store

_COUNTS: Final = frozenset({"threads", "sessions", "calls", "disturbed"})
_TEXTS: Final = frozenset(
    {
        *("problem", "implementation", "panel", "step", "of", "label", "source", "scaled", "by"),
        *("now", "mix", "interpolated_from", "reason"),
    }
)
"""Columns of counts and of texts; the others are figures."""


def tables_beside(store: Store, run: Run, path: Path) -> Iterator[Path]:
    """Write percentiles of --tail, and sums and cases of steps; the paths written."""
    with_steps = any(case.step for case in run.plan.cases)
    if not (run.plan.tail or with_steps):
        return
    analysis = Analysis(run, store.records(run.name))
    if run.plan.tail:
        yield _written(path, "tails", list(map(tail_columns, analysis.tails)), COLUMNS)
    if with_steps:
        yield _written(path, "steps", sum_rows(analysis), SUM_COLUMNS)
        yield _written(path, "cases", case_rows(analysis), CASE_COLUMNS)


def _written(path: Path, name: str, rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> Path:
    """Write rows of texts, counts and figures; the path written."""
    import pyarrow as pa  # noqa: PLC0415 - an extra of its own
    from pyarrow import parquet  # noqa: PLC0415 - likewise

    texts, counts = dict.fromkeys(_TEXTS, pa.string()), dict.fromkeys(_COUNTS, pa.int64())
    kinds = {**texts, **counts}
    found = {each: kinds.get(each, pa.float64()) for each in columns}
    beside = path.with_name(f"{path.stem}-{name}{path.suffix}")
    parquet.write_table(pa.Table.from_pylist(rows, schema=pa.schema(found.items())), beside)
    return beside
