"""The result of `compare`: the tables of a run as pandas frames, and its page."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, Final

import pandas as pd

from reports.analysis.run_analysis import Analysis
from reports.outputs.export import json_data
from reports.outputs.export.samples import SAMPLE_COLUMNS, samples
from reports.outputs.html.saving import Report
from reports.outputs.notebook import html
from reports.views.answer import sentences
from reports.views.not_measured import not_measured

_AGREEMENT: Final = (
    "problem", "implementation", "status", "reason", "cure", "share", "relative_error", "own_error",
    "worst_row", "cosine", "readout", "repeatable", "rows_checked", "hard_inputs",
)  # fmt: skip


class Result:
    """A run that ended. Its tables are pandas frames with the columns of `run --json`.

    run           its name, as `report`, `compare` and `export` of the command line take it
    page          the HTML page; None where plotly or matplotlib is not installed
    charts        the image files of the charts
    measurements  a row for each problem and implementation with a time
    verdicts      a row for each comparison with the baseline: ratio, interval, verdict
    agreement     a row for each problem and implementation: whether it agrees, and the error
    own_inputs    errors on the tensors of inputs=, beside those on random ones
    not_measured  a row for each implementation without a time, with the reason
    samples       every sample
    """

    def __init__(self, analysis: Analysis, made: Report | None) -> None:
        self._analysis = analysis
        self.run = analysis.run.name
        self.page: Path | None = None if made is None else made.page
        self.charts: tuple[Path, ...] = () if made is None else made.charts

    @cached_property
    def measurements(self) -> pd.DataFrame:
        """Times, memory and evidence of agreement."""
        return self._frame("measurements")

    @cached_property
    def verdicts(self) -> pd.DataFrame:
        """Ratios to the baseline with their intervals."""
        return self._frame("verdicts")

    @cached_property
    def agreement(self) -> pd.DataFrame:
        """How every implementation ended on every problem, with its error."""
        return pd.DataFrame(self._data["outcomes"], columns=list(_AGREEMENT))

    @cached_property
    def own_inputs(self) -> pd.DataFrame:
        """Errors on the user's own inputs, and on random ones."""
        return self._frame("own_inputs")

    @cached_property
    def not_measured(self) -> pd.DataFrame:
        """The answers without a time, with reasons."""
        return self._frame("not_measured")

    @cached_property
    def samples(self) -> pd.DataFrame:
        """Every sample of every session."""
        return pd.DataFrame(samples(self._analysis), columns=list(SAMPLE_COLUMNS))

    @cached_property
    def _data(self) -> dict[str, Any]:
        return json_data.of_run(self._analysis)

    def _frame(self, name: str) -> pd.DataFrame:
        return pd.DataFrame(self._data[name])

    def __repr__(self) -> str:
        faults = [
            f"{row.implementation}: {row.status}, {row.explanation}"
            for row in not_measured(self._analysis)
        ]
        page = f"page: {self.page}" if self.page else ""
        lines = [f"run {self.run}", *sentences(self._analysis), *faults, page]
        return "\n".join(filter(None, lines))

    def _repr_html_(self) -> str:
        return html.of(self._analysis, self.charts, self.page)
