"""The gate of a comparison: whether the new side is slower than its base beyond a limit."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from reports.analysis.comparison import (
    Comparison,
    ComparisonRow,
    Lost,
    slower_beyond,
)
from suites.stats.intervals import sessions_until

State = Literal["passed", "failed", "unsure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The rows of a comparison beside a limit.

    limit         relative: 0.03 is 3 % slower
    strict        whether the gate is unsure where a slow-down beyond the limit is not excluded
    compared      rows with an interval
    slower        those whose whole interval is beyond the limit
    not_excluded  other rows whose interval reaches beyond the limit, the farthest first
    unjudged      rows without an interval; baselines are left out, since others are compared with
                  them
    lost          implementations with a time in the base only
    """

    limit: float
    strict: bool
    compared: tuple[ComparisonRow, ...]
    slower: tuple[ComparisonRow, ...]
    not_excluded: tuple[ComparisonRow, ...]
    unjudged: tuple[ComparisonRow, ...]
    lost: tuple[Lost, ...]

    @property
    def state(self) -> State:
        """`unsure` where nothing was judged, and with `strict` where not all was excluded."""
        if self.slower:
            return "failed"
        is_open = self.not_excluded or self.unjudged or self.lost
        return "unsure" if not self.compared or (self.strict and is_open) else "passed"

    @property
    def more_sessions(self) -> int | None:
        """About how many further sessions would settle what is not excluded; None: not known."""
        needed = [_more_sessions(row, self.limit) for row in self.not_excluded]
        known = [each for each in needed if each is not None]
        return max(known) if known and len(known) == len(needed) else None


def gate(found: Comparison, limit: float, *, strict: bool = False) -> Gate:
    """The gate of a comparison at a limit."""
    compared = [row for row in found.rows if row.high is not None]
    slower = slower_beyond(compared, limit)
    known = set(map(id, slower))
    reaching = [row for row in compared if id(row) not in known and (row.high or 0) > 1 + limit]
    return Gate(
        limit=limit,
        strict=strict,
        compared=tuple(compared),
        slower=tuple(sorted(slower, key=lambda row: row.low or 0, reverse=True)),
        not_excluded=tuple(sorted(reaching, key=lambda row: row.high or 0, reverse=True)),
        unjudged=tuple(_unjudged(found.rows)),
        lost=found.lost,
    )


def _unjudged(rows: Iterable[ComparisonRow]) -> list[ComparisonRow]:
    """Rows with times on both sides and no interval."""
    return [row for row in rows if row.high is None and row.missing is None and not row.is_baseline]


def _more_sessions(row: ComparisonRow, limit: float) -> int | None:
    """Further sessions until the interval no longer contains the limit, if the spread stays."""
    if row.ratio is None or row.low is None or row.low > 1 + limit or row.basis != "sessions":
        return row.more_sessions
    return sessions_until(row.series, abs(math.log(row.ratio) - math.log1p(limit)))
