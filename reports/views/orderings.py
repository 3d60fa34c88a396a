"""Known orderings of peers in words: how many are reproduced, and why one is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from reports.analysis.orderings import ORIGIN, SEVERAL, Expected, OrderingRow, State
from reports.analysis.run_analysis import Analysis
from reports.views.numbers import ratio_in
from reports.views.statuses import STATUS_WORDS
from reports.views.text import LONGEST_TEXT, abbreviated, counted
from reports.views.verdicts import reason

SUITE: Final = "peers"
"""The suite whose reports show the orderings at first."""
HEADING: Final = "Known orderings of peers"
NOTE: Final = (
    "Earlier measurements found these orderings. Reproduced is yes where the whole interval lies "
    "where it is expected, and no where it lies outside of that."
)
EXPECTED: Final[dict[Expected, str]] = {
    "several times faster": f"< {1 / SEVERAL:g}",
    "faster": "< 1",
    "equal": "1",
    "slower": "> 1",
}
"""The expected ratio."""
NOT_REPLACED: Final = "the compiler did not replace it by the same kernel here"
UNKNOWN: Final = "not reproduced here: the reason is not known"


_COUNTED: Final[tuple[tuple[State, str], ...]] = (
    ("no", "not reproduced"),
    ("undecided", "undecided"),
    ("does not apply", "not applicable"),
    ("not measured", "not measured"),
)


def summary(rows: Sequence[OrderingRow]) -> str:
    """How many are reproduced: 3 of 5 known orderings reproduced, 1 not, 1 undecided."""
    found = Counter(row.state for row in rows)
    others = [f"{found[state]} {word}" for state, word in _COUNTED if found[state]]
    reproduced = f"{found['yes']} of {counted(len(rows), 'known ordering')} reproduced"
    return f"{', '.join([reproduced, *others])}."


def pair(row: OrderingRow) -> str:
    """The two whose times are divided: flex / sdpa_flash."""
    return f"{row.ordering.row} / {row.ordering.other}"


def measured(row: OrderingRow) -> str:
    """The ratio of this run with its interval; empty without one."""
    return "" if row.found is None else ratio_in(row.found.ratio, row.found.low, row.found.high)


def why(analysis: Analysis, row: OrderingRow) -> str:
    """Why an ordering is not reproduced; empty where it is."""
    if row.state == "not measured":
        return _without(analysis, row)
    if row.state == "does not apply":
        return NOT_REPLACED
    if row.state == "no":
        return "; ".join(_other_conditions(analysis)) or UNKNOWN
    if row.state == "undecided" and row.found is not None:
        return reason(row.found) or "the interval contains the limit"
    return ""


def _without(analysis: Analysis, row: OrderingRow) -> str:
    """Which of the two has no time, and why."""
    found = next(
        each
        for each in analysis.outcomes
        if (each.problem, each.implementation) == (row.problem, row.without)
    )
    said = ": ".join(filter(None, (STATUS_WORDS[found.status], found.reason)))
    return abbreviated(f"{row.without} {said}", LONGEST_TEXT)


def _other_conditions(analysis: Analysis) -> Iterator[str]:
    """The differences to the machine that the ordering was measured on."""
    machine = analysis.run.machine
    version = str((machine.get("versions") or {}).get("torch", "")).split("+", maxsplit=1)[0]
    for what, known, here in (
        ("torch", ORIGIN.torch, ".".join(version.split(".")[:2])),
        ("vector instructions", ORIGIN.cpu_capability, machine.get("cpu_capability") or ""),
        ("threads", ORIGIN.threads, analysis.most_threads),
    ):
        if here and here != known:
            yield f"{what}: {here} here, {known} in the earlier measurement"
