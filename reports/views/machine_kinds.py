"""A run over several kinds of machine as parts of a page: the machines, and what is fastest where.

Every ratio is to the baseline of the same machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from impls.interface import Problem
from reports.analysis.fastest_where import Column, Fastest, columns, rows
from reports.analysis.machines import Machines, Side
from reports.rows.sessions import median_ceilings
from reports.views import headline, machine, machines
from reports.views.leads import MOST_NAMES
from reports.views.numbers import floor, milliseconds, ratio_in, spread
from reports.views.panels import heading
from reports.views.problems import common_words, facets, shared_words, without
from reports.views.sections import Row, Section, Table, Value
from reports.views.text import abbreviated, counted
from suites.records.record import Record

MACHINES: Final = "Machines"
FASTEST: Final = "Fastest where"
NO_DIFFERENCE: Final = "no difference shown"
NOT_PLANNED: Final = "not in its plan"
NO_TIME: Final = "no time"
CAPTION: Final = (
    "the fastest on each machine, its time, with the smallest and the largest session median in "
    "brackets, and the ratio of its time to that of the baseline of the same machine. Names joined "
    "by “or” are not distinguished."
)
_NOT_MEASURED: Final = "not measured"
_ABSENT: Final = float("nan")
"""Sorts a cell without a number last."""
_MOST_HOSTS: Final = 8
"""Hosts that are named; more are counted."""
HEADS: Final = ("fastest", "ms", "ratio [95 %]")


def title(found: Machines) -> str:
    """What the page shows: 2 kinds of machine side by side: 9 implementations on 18 problems."""
    titles = dict.fromkeys(_title(side) for side in found.sides)
    return f"{counted(len(found.sides), 'kind')} of machine side by side: {'; '.join(titles)}"


def _title(side: Side) -> str:
    """The title of a run, without a device that all of its problems share."""
    devices = {problem.device for problem in side.analysis.plan.problems}
    shared = rf" ({'|'.join(devices)})\)" if len(devices) == 1 else r"(?!)"
    return re.sub(rf"{shared}$", ")", headline.title(side.analysis))


def sections(found: Machines) -> list[Section]:
    """The parts of the page that all machines share, above the parts of each."""
    return [
        Section(
            id="machines",
            heading=MACHINES,
            sentences=(machines.NOT_JUDGED,),
            tables=(machines_table(found),),
        ),
        Section(id="fastest-where", heading=FASTEST, tables=tuple(fastest_tables(found))),
        *_beside(found),
    ]


def _beside(found: Machines) -> Iterator[Section]:
    """All times side by side, where two machines have one of the same problem."""
    pairs = [pair for side in found.sides for pair in side.measurements]
    if len(pairs) > len(set(pairs)):
        times = machines.sections(found)[0]
        yield replace(times, heading="Times side by side")


def machines_table(found: Machines) -> Table:
    """A row for each fact, a column for each machine."""
    own = [facts(side) for side in found.sides]
    names = dict.fromkeys(name for each in own for name in each)
    return Table(
        "Each machine with its own baseline, noise floor and ceilings.",
        ("fact", *(side.label for side in found.sides)),
        tuple(
            Row((Value(name), *(Value(each.get(name, _NOT_MEASURED)) for each in own)))
            for name in names
        ),
        shown=1 + len(found.sides),
    )


def facts(side: Side) -> dict[str, str]:
    """The machine, the hosts of its records, its baseline, noise floor and ceilings."""
    run, plan = side.run, side.run.plan
    devices = [
        machine.text(each.get("name"))
        for each in run.machine.get("devices") or ()
        if each.get("device") != "cpu"
    ]
    return {
        "CPU": machine.text(run.machine.get("cpu")),
        "GPU": ", ".join(devices) or "none",
        "cores": machine.text(run.machine.get("cores")),
        "threads": ", ".join(map(str, plan.threads)),
        "hosts": hosts(side.analysis.records),
        "baseline": _baselines(side),
        "noise floor": floor(side.analysis.floor) or "no twin was measured",
        **{
            " ".join(
                filter(None, ["measured", each.kind, each.dtype, "in", each.residency, each.device])
            ): machine.ceiling_rate(each)
            for each in median_ceilings(run)
        },
        "run": run.name,
    }


def _baselines(side: Side) -> str:
    """The baselines that its ratios have; those of the plan where it has no ratio."""
    names = sorted({name for _, name in side.baselines})
    return ", ".join(map(abbreviated, names)) or machine.baselines_of(side.run.plan)


def hosts(records: Iterable[Record]) -> str:
    """The machines by name that made the records; `not recorded` where none says it."""
    names = sorted({record.host for record in records if record.host})
    left = len(names) - _MOST_HOSTS
    more = [f"{left} more"] if left > 0 else []
    return ", ".join([*map(abbreviated, names[:_MOST_HOSTS]), *more]) or machine.ABSENT


def fastest_tables(found: Machines) -> Iterator[Table]:
    """A table for each panel: a row for each problem, three columns for each machine."""
    every = columns(found)
    for panel, problems in rows(every).items():
        texts = list(map(without_device, problems))
        shared = shared_words(texts)
        all_have = f" Every problem: {common_words(texts[0], shared)}." if shared else ""
        yield Table(
            f"{heading(panel)}: {CAPTION} {machines.baselines(found, panel)}{all_have}",
            ("problem", *(f"{column.label} {head}" for column in every for head in HEADS)),
            tuple(
                _row(every, problem, panel, without(text, shared))
                for problem, text in zip(problems, texts, strict=True)
            ),
            shown=1 + len(HEADS) * len(every),
        )


def _row(every: list[Column], problem: Problem, panel: str, text: str) -> Row:
    own = facets(problem)
    return Row(
        cells=(
            Value(text),
            *(cell for column in every for cell in cells(column, problem, panel)),
        ),
        facets={name: text for name, text in own.items() if name != "device"},
    )


def without_device(problem: Problem) -> str:
    """The text of a problem without its device, which differs by machine."""
    return " ".join(word for word in str(problem).split() if word != problem.device)


def cells(column: Column, problem: Problem, panel: str) -> tuple[Value, Value, Value]:
    """The fastest on one machine, its time, and its ratio to the baseline there."""
    found = column.fastest(problem, panel)
    if found is None:
        word = NO_TIME if column.has(problem) else NOT_PLANNED
        return Value(word), Value("", _ABSENT), Value("", _ABSENT)
    row = found.measured
    ends = spread(row.low_ms, row.high_ms)
    time = f"{milliseconds(row.median_ms)}{f' [{ends}]' if ends else ''}"
    return Value(names(found)), Value(time, row.median_ms), ratio(found)


def names(found: Fastest) -> str:
    """The fastest, and those that are not distinguished from it or were not reached."""
    others = [each.name for each in found.ranking.alternatives]
    left = len(others) + 1 - MOST_NAMES
    shown = [found.ranking.name, *(others if left <= 0 else others[: MOST_NAMES - 1])]
    more = [counted(left, "other")] if left > 0 else []
    said = " or ".join([*map(abbreviated, shown), *more])
    lacking = len(found.ranking.not_reached)
    return f"{said}; {lacking} not reached" if lacking else said


def ratio(found: Fastest) -> Value:
    """The ratio to the baseline of the machine, where a difference is shown; in words elsewhere."""
    judged = found.verdict
    if judged is None or judged.ratio is None:
        word = machines.BASELINE if found.is_baseline else "not judged"
        return Value(word, 1.0 if found.is_baseline else _ABSENT)
    if judged.verdict in ("faster", "slower"):
        return Value(ratio_in(judged.ratio, judged.low, judged.high), judged.ratio)
    word = "not judged" if judged.verdict == "not judged" else NO_DIFFERENCE
    return Value(word, judged.ratio)
