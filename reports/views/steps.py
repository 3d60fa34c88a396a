"""Time in attention per step as sentences: what it takes, the best single one, the best mix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from reports.analysis.run_analysis import Analysis
from reports.analysis.sums.estimates import Estimate, Saving
from reports.analysis.sums.rows import StepRow, StepSum
from reports.views.answer import Answer
from reports.views.cases import calls, titles, whole
from reports.views.numbers import milliseconds, percent, times
from reports.views.problems import shared_words
from reports.views.text import abbreviated, capitalized, counted
from suites.records.cases import OTHER_MASK

HEADING: Final = "Time in attention per step"
ALIKE: Final = 1.25
"""Recorded and measured times that differ by a larger factor are pointed out."""
MOST_CASES: Final = 2
"""Cases, implementations or reasons that a sentence names; more are counted."""


def lines(analysis: Analysis) -> list[list[str]]:
    """The lines of each step: its time, the best single one, the best mix, what is left out."""
    return [
        [
            f"{label(row, analysis)}: {first(row)}.",
            *(f"{capitalized(each)}." for each in better(row)),
            *filter(None, [" ".join(notes(row))]),
            *put_in(row, analysis),
        ]
        for row in analysis.steps
    ]


def answers(analysis: Analysis) -> list[Answer]:
    """The main sentences of each step as answers of the first screen."""
    return [
        Answer(
            label=label(row, analysis),
            start=first(row),
            choices=(),
            lead=tuple(better(row)),
            details=(),
        )
        for row in analysis.steps
    ]


def label(row: StepRow, analysis: Analysis) -> str:
    """The step, with its threads where the run has several numbers of them."""
    several = len(analysis.plan.threads) > 1
    return f"{row.step}, {counted(row.threads, 'thread')}" if several else row.step


def first(row: StepRow) -> str:
    """The time in attention: attention takes 41.2 ms [40.1, 42.3] of the 180 ms step, ..."""
    of = f" of the {milliseconds(row.took_ms)} ms {_unit(row)}" if row.took_ms else ""
    if row.now is None and row.recorded_ms:
        took = f"attention took {milliseconds(row.recorded_ms)} ms{of} when recorded"
        return f"{took}; too few of its calls have a time here (--budget)"
    if row.now is None:
        return "too few calls of attention have a time (--budget)"
    when = f" ({milliseconds(row.recorded_ms)} when recorded)" if row.recorded_ms else ""
    by = abbreviated(row.now.name) if row.now.name else "the functions that it calls now"
    best = row.best is not None and row.best.names == row.now.names
    also = ", the fastest single implementation" if best else ""
    every = len(row.cases) + len(row.left_out)
    part = f", in {len(row.cases)} of {counted(every, 'case')}" if row.left_out else ""
    return f"attention takes {estimate(row.now.time)}{when}{of}, by {by}{also}{part}"


def _unit(row: StepRow) -> str:
    """The word for a recorded row: "script" where its name is a file or a module, else "step"."""
    return "step" if " " in row.step else "script"


def better(row: StepRow) -> Iterator[str]:
    """The best single implementation and the best mix, each with its saving."""
    if row.now is None:
        return
    if row.best is None:
        yield f"no implementation has times for all {counted(len(row.cases), 'case')}"
    elif row.best.names != row.now.names:
        yield f"all by {abbreviated(row.best.names[0])}: {_sum(row.best)}"
    if row.mix is not None:
        yield from _mix(row, row.mix)


def notes(row: StepRow) -> Iterator[str]:
    """The cases that sums leave out or interpolate, as whole sentences."""
    yield from _recorded(row)
    if row.in_layers and row.now is not None:
        yield (
            "Savings include how a call slows the layer after it, so they are not the differences "
            "of these times."
        )
    yield from _interpolated(row)
    yield from _other_masks(row)
    yield from _left_out(row)
    yield from _unexpressed(row)


def put_in(row: StepRow, analysis: Analysis) -> tuple[str, ...]:
    """How the mix of a recorded script is put into it; empty where it saves nothing."""
    if not analysis.plan.steps or row.mix is None or row.now is None:
        return ()
    if row.mix.saving is None or not row.mix.saving.is_shown:
        return ()
    name = analysis.run.name
    command = f"python run_bench.py export {name} --format dispatch"
    code = (
        f'from run_bench import substituted; with substituted("results/{name}/dispatch.json"): ...'
    )
    return (f"Put the mix in: {command}; in the script: {code}",)


def estimate(found: Estimate) -> str:
    """Milliseconds with their interval: 41.2 ms [40.1, 42.3]."""
    return f"{milliseconds(found.value)} ms{_ends(found, milliseconds)}"


def saving(found: Saving) -> str:
    """A saving: which saves 14.1 ms [13.0, 15.2], 7.8 % [7.2, 8.4] of the step."""
    part = found.of_step or found.share
    of = "of the step" if found.of_step else "of the time in attention"
    size = f"{estimate(found.ms)}, {share(part)} {of}"
    if found.is_shown or found.share.low is None:
        return f"which saves {size}"
    if found.is_loss:
        return f"which takes longer: saving {size}"
    return f"not shown to save time: {size}"


def share(found: Estimate) -> str:
    """A share with its interval: 7.8 % [7.2, 8.4]."""
    return f"{percent(found.value)}{_ends(found, _bare_percent)}"


def _bare_percent(value: float | None) -> str:
    return percent(value).removesuffix(" %")


def _ends(found: Estimate, text: Callable[[float | None], str]) -> str:
    """The interval in brackets; empty without one."""
    if found.low is None or found.high is None:
        return ""
    return f" [{text(found.low)}, {text(found.high)}]"


def _sum(found: StepSum) -> str:
    said = f", {saving(found.saving)}" if found.saving else ""
    return f"{estimate(found.time)}{said}"


def _mix(row: StepRow, found: StepSum) -> Iterator[str]:
    """The mix with the cases of each implementation, or that there is none."""
    if row.best is not None and found.names == row.best.names:
        if row.now is not None and found.names == row.now.names:
            yield "no other implementation and no mix is faster"
        return
    open_ = row.best is not None and row.mix_saving is not None and not row.mix_saving.is_shown
    beside = "" if row.best is None else abbreviated(row.best.names[0])
    if open_ and row.best is not None and found.time.value >= row.best.time.value:
        yield f"no mix of implementations is shown to be faster than {beside} alone"
        return
    not_shown = f"; not shown to be faster than {beside} alone" if open_ else ""
    yield f"best mix: {_sum(found)} ({'; '.join(_parts(row, found))}){not_shown}"


def _parts(row: StepRow, found: StepSum) -> Iterator[str]:
    """The implementations of a mix with their cases, those that change first."""
    shared = shared_words({each.case.problem for each in row.cases})
    by_name: dict[str, list[int]] = {}
    for place, name in enumerate(found.names):
        by_name.setdefault(name, []).append(place)
    current = [each.current for each in row.cases]
    ordered = sorted(by_name.items(), key=lambda each: all(current[p] == each[0] for p in each[1]))
    for name, places in ordered[:MOST_CASES]:
        cases = (row.cases[place].case for place in places)
        yield f"{abbreviated(name)} for {titles(cases, MOST_CASES, shared)}"
    if len(ordered) > MOST_CASES:
        yield f"{counted(len(ordered) - MOST_CASES, 'more implementation')}"


def _recorded(row: StepRow) -> Iterator[str]:
    """That recorded calls took another time than here, which widens the intervals of savings."""
    found = row.recorded_ratio
    if found is not None and max(found, 1 / found) > ALIKE:
        yield (
            f"In the script the calls took {times(found)} their time here, so intervals are wide: "
            "another machine, other threads, or other work beside it?"
        )


def _interpolated(row: StepRow) -> Iterator[str]:
    found = [each for each in row.cases if each.between]
    if found:
        yield f"Interpolated over length: {len(found)} of {counted(len(row.cases), 'case')}."


def _other_masks(row: StepRow) -> Iterator[str]:
    found = sum(each.case.scaled.startswith(OTHER_MASK) for each in row.cases)
    if found:
        yield (
            f"Padding or documents differ from batch to batch: {found} of "
            f"{counted(len(row.cases), 'case')} have the times of the nearest measured mask."
        )


def _left_out(row: StepRow) -> Iterator[str]:
    if row.left_out:
        one = row.left_out[0]
        more = f"; {len(row.left_out) - 1} more" if len(row.left_out) > 1 else ""
        yield f"No time: {calls(one.case)} ({one.reason}){more}."


def _unexpressed(row: StepRow) -> Iterator[str]:
    every = row.unexpressed
    if every:
        count, took = sum(each.count for each in every), sum(each.took_ms for each in every)
        made = "1 call" if count == 1 else f"{whole(count)} calls"
        reasons = list(dict.fromkeys(each.reason for each in every))
        more = f" and {len(reasons) - MOST_CASES} more" if len(reasons) > MOST_CASES else ""
        why = f"{', '.join(reasons[:MOST_CASES])}{more}"
        lost = f"{made} in a step, {milliseconds(took)} ms when recorded"
        yield f"Cannot be measured: {lost} ({why})."
