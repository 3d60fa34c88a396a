"""What a run found, in a few sentences that its intervals support.

There is one sentence for each kind of problem (everything but lengths and heads; panels apart). It
is about the largest problem with a decided comparison: the fastest implementation there, by how
much, and its memory. Comparisons decided over sessions come before those within one process. Ratios
across panels have sentences of their own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from impls.interface import Problem
from reports.analysis.run_analysis import Analysis
from reports.analysis.verdicts import Paired, VerdictRow, paired, twins_of
from reports.rows.families import Kind, without_sizes
from reports.rows.panels import ATTENTION, panels_of
from reports.views import across
from reports.views.numbers import mebibytes, percent, times_of
from reports.views.panels import heading
from reports.views.text import abbreviated, counted
from reports.views.verdicts import noise_floor
from suites.records.record import Pair
from suites.stats.disturbance import DECIDED

MOST_SENTENCES: Final = 6
"""Problems; the table of verdicts has the rest."""
MOST_NAMES: Final = 4
"""Names in one sentence; further ones are counted."""
MOST_SLOWER: Final = 3
"""Ratios of slower implementations in one sentence; further ones are counted."""

Named = tuple[str, Paired]
"""An implementation and its verdict beside another one."""
Memory = Mapping[Pair, int | None]


def sentences(analysis: Analysis) -> list[str]:
    """How much was decided, then `of_problems`; none without a verdict.

    With several numbers of threads, those with the most.
    """
    decided = [_decided(analysis)] if analysis.verdicts else []
    return [*decided, *of_problems(analysis)]


def of_problems(analysis: Analysis) -> list[str]:
    """One sentence for each kind of problem, then the ratios across panels."""
    rows = [row for row in analysis.verdicts if row.threads == analysis.most_threads]
    every = list(_largest(analysis, rows))
    memory = {
        (row.problem, row.implementation): row.peak_bytes for row in analysis.with_most_threads
    }
    found = [_of_problem(analysis, own, memory) for own in every[:MOST_SENTENCES]]
    left = len(every) - len(found)
    more = [f"{counted(left, 'further kind')} of problem: see the verdicts."] if left else []
    return [*found, *more, *across.sentences(analysis)]


def _decided(analysis: Analysis) -> str:
    """The noise floor, and how many comparisons came to a conclusion."""
    rows = analysis.verdicts
    grades = Counter(map(_grade, rows))
    every = counted(len(rows), "comparison")
    alone = f", {grades[1]} more within one process only" if grades[1] else ""
    return (
        f"{noise_floor(analysis.floor, rows)} {grades[2]} of {every} decided{alone}; a difference "
        f"counts from {percent(analysis.plan.delta)}."
    )


def _grade(row: Paired) -> int:
    """How far a comparison is decided: 2 over sessions, 1 within one process only, 0 not."""
    if row.verdict not in DECIDED:
        return 0
    return 1 if row.basis == "this process" else 2


def _largest(analysis: Analysis, rows: Iterable[VerdictRow]) -> Iterator[list[VerdictRow]]:
    """The verdicts on the largest decided problem of each kind, panel by panel in plan order.

    Where nothing of a kind is decided, those on its largest problem.
    """
    kinds: dict[tuple[str, Kind], dict[Problem, list[VerdictRow]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for row in rows:
        kinds[row.panel, without_sizes(row.problem)][row.problem].append(row)
    order = panels_of(analysis.plan)
    for kind in sorted(kinds, key=lambda kind: order.index(kind[0])):
        own = kinds[kind]
        yield own[max(own, key=lambda problem: (max(map(_grade, own[problem])), _size(problem)))]


def _size(problem: Problem) -> tuple[int, ...]:
    """Longest keys first, then query rows, heads, batch and head dimension."""
    return (
        problem.key_length,
        problem.query_length,
        problem.query_heads,
        problem.batch,
        problem.head_dim,
    )


def _of_problem(analysis: Analysis, rows: Sequence[VerdictRow], memory: Memory) -> str:
    """The sentence of one problem; its verdicts all have the same baseline."""
    problem, panel, baseline = rows[0].problem, rows[0].panel, rows[0].baseline
    start = "" if panel == ATTENTION else f"{heading(panel)}: "
    faster = [row for row in rows if row.verdict == "faster"]
    if not faster:
        own = [(row.implementation, row) for row in rows]
        return f"{start}{_none_faster(own, _short(baseline), problem)}."
    best = min(faster, key=lambda row: row.ratio or 0)
    open_ = list(_not_slower(analysis, best, rows))
    name = _short(best.implementation)
    leads = f"{name} is faster than {_short(baseline)}" if open_ else f"{name} is the fastest"
    parts = (
        f"{leads} on {problem}",
        f"{_short(baseline)}, the baseline, takes {_gain(best)}{_one_process(best)}",
        _bytes_beside(problem, best.implementation, baseline, memory),
        *open_,
    )
    return f"{start}{'; '.join(part for part in parts if part)}."


def _gain(row: Paired) -> str:
    """The baseline's time as a multiple of the faster one's: 2.9x its time [2.8, 3.1]."""
    gain, low, high = (1 / each if each else None for each in (row.ratio, row.high, row.low))
    return times_of(gain, low, high, "its time")


def _one_process(row: Paired) -> str:
    return " (in this one process)" if row.basis == "this process" else ""


def _bytes_beside(problem: Problem, best: str, baseline: str, memory: Memory) -> str:
    """The memory of the fastest beside that of the baseline; empty unless both are known."""
    own, other = (mebibytes(memory.get((problem, name))) for name in (best, baseline))
    return f"it needs {own} MiB above the inputs, the baseline {other}" if own and other else ""


def _not_slower(analysis: Analysis, best: VerdictRow, rows: Sequence[VerdictRow]) -> Iterator[str]:
    """The implementations that pairs with the fastest do not show to be slower."""
    found = analysis.timed[best.problem, best.threads]
    twins = twins_of(found)
    beside = [
        (name, paired(found[best.implementation], found[name], twins, analysis.plan))
        for name in (row.implementation for row in rows)
        if name != best.implementation
    ]
    own = [each for each in beside if each[1].verdict != "slower"]
    yield from _undecided(own, _short(best.implementation))


def _undecided(own: Sequence[Named], other: str) -> Iterator[str]:
    """The implementations not distinguished from another one, and those not judged beside it."""
    unjudged = [(name, row) for name, row in own if row.verdict == "not judged"]
    open_ = [name for name, row in own if row.verdict != "not judged"]
    if open_:
        yield f"{_listed(open_)} not distinguished from {other}"
    if unjudged:
        why = ", ".join(dict.fromkeys(row.reasons[0] for _, row in unjudged if row.reasons))
        yield f"{_listed([name for name, _ in unjudged])} not judged beside {other} ({why})"


def _none_faster(own: Sequence[Named], baseline: str, problem: Problem) -> str:
    """The sentence where no implementation is shown to be faster than the baseline."""
    open_ = [(name, row) for name, row in own if not _grade(row)]
    slower = [(name, row) for name, row in own if row.verdict == "slower"]
    same = [name for name, row in own if row.verdict == "same"]
    if len(open_) == len(own):
        tried = any(row.verdict == "inconclusive" for _, row in own)
        start = ["inconclusive"] if tried else []
        said = "; ".join([*start, *_undecided(open_, f"{baseline}, the baseline")])
        return f"on {problem}: {said}"
    if not same and not open_:
        return f"{baseline} is the fastest on {problem}; {_slower(slower)}"
    parts = (
        f"none is shown to be faster than {baseline}, the baseline, on {problem}",
        f"{_listed(same)} as fast" if same else "",
        *_undecided(open_, "it"),
        _slower(slower) if slower else "",
    )
    return "; ".join(part for part in parts if part)


def _slower(slower: Sequence[Named]) -> str:
    """The slower implementations with their ratios, the least slow first; many are counted."""
    ordered = sorted(slower, key=lambda each: each[1].ratio or 0)
    said = [_takes(*each) for each in ordered[:MOST_SLOWER]]
    left = len(ordered) - len(said)
    more = [f"{left} more {'takes' if left == 1 else 'take'} longer"] if left else []
    return ", ".join([*said, *more])


def _takes(name: str, row: Paired) -> str:
    multiple = times_of(row.ratio, row.low, row.high, "its time")
    return f"{_short(name)} takes {multiple}{_one_process(row)}"


def _listed(names: Sequence[str]) -> str:
    """Names with their verb: a is; a and b are; a, b, c, d and 7 more are."""
    if len(names) == 1:
        return f"{_short(names[0])} is"
    shown = list(map(_short, names[:MOST_NAMES]))
    rest = len(names) - len(shown)
    last = f"{rest} more" if rest else shown.pop()
    return f"{', '.join(shown)} and {last} are"


def _short(name: str) -> str:
    return abbreviated(name)
