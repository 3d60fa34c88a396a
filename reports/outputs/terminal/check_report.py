"""The result of `check`: verdicts first, then what each implementation can and cannot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from reports.analysis.run_analysis import Analysis
from reports.outputs.terminal import found_limits
from reports.outputs.terminal.blocks import Fitting
from reports.outputs.terminal.grid_tables import STYLES, state, table
from reports.outputs.terminal.own_inputs import own_inputs_table
from reports.rows.outcomes import Outcome
from reports.views import checked, left_out
from reports.views.checked import Checked
from reports.views.notes import notes_of
from reports.views.numbers import share
from reports.views.repeats import repeat_lines
from reports.views.statuses import reason
from reports.views.text import LONGEST_TEXT, abbreviated, counted
from suites.discover.discovery import Discovery

MOST_CAUSES: Final = 8
"""Causes of one implementation; more are counted."""


def check_report(
    analysis: Analysis, found: Sequence[Discovery] = (), *, verbose: bool = False
) -> list[RenderableType]:
    """A verdict for each implementation; the details of a single one, and of those at fault.

    found    limits of plain functions, found by trial
    verbose  list the problems one by one, of every implementation
    """
    trials = {each.name: each for each in found}
    every = checked.every(analysis, found)
    made: list[RenderableType] = [_verdict(each, trials.get(each.entry.name)) for each in every]
    for each in every:
        own = trials.get(each.entry.name)
        at_fault = bool(each.causes) or (own is not None and own.claims_too_much)
        if len(every) == 1 or at_fault or verbose:
            made += _details(analysis, each, own, titled=len(every) > 1)
        if verbose:
            made.append(_problems(each))
    without = left_out.sentence(analysis.plan)
    errors = own_inputs_table(analysis, every=verbose)
    return [*made, *errors, *([Text(f"\n{without}")] if without else [])]


def _verdict(each: Checked, found: Discovery | None) -> Text:
    sound = each.is_sound and not (found is not None and found.claims_too_much)
    style = "bold green" if sound else STYLES.get(each.causes[0].status, "") if each.causes else ""
    return Text(checked.verdict(each), style=style)


def _details(
    analysis: Analysis, each: Checked, found: Discovery | None, *, titled: bool
) -> Iterator[RenderableType]:
    """What it can, what it cannot, and the Limits to paste."""
    if titled:
        yield Text(f"\n{abbreviated(each.entry.name)}", style="bold")
    limits = [] if found is None else found_limits.features(found)
    yield from _features([*limits, *checked.evidence(each)] if limits else checked.features(each))
    own = [record for record in analysis.records if record.implementation == each.entry.name]
    yield from _list(
        "", [*repeat_lines(own), notes_of(own, each.entry.name), checked.outside(each)]
    )
    yield from _cannot(each, found)
    if found is not None:
        yield from found_limits.to_paste(found)


def _features(features: Sequence[checked.Feature]) -> Iterator[RenderableType]:
    """One line a feature that holds."""
    lines = (f"{name}: {values}" for name, values in features if values not in ("no", "none"))
    yield from _list("What it can", lines)


def _cannot(each: Checked, found: Discovery | None) -> Iterator[RenderableType]:
    """One line a cause, the most severe first, then what its parameters do not accept."""
    lacking = {} if found is None else found_limits.lacking(found)
    shown = each.causes[:MOST_CAUSES]
    lines = [checked.cannot(cause, found_limits.words(lacking, cause.problems)) for cause in shown]
    left = len(each.causes) - len(shown)
    more = f"{counted(left, 'more cause')}: --verbose lists every problem" if left else ""
    refused = "" if found is None else found_limits.not_accepted(found)
    yield from _list("What it cannot", [*lines, more, refused], bullet="-")


def _list(title: str, lines: Iterable[str], *, bullet: str = "") -> Iterator[RenderableType]:
    """Lines below a title, indented where they are broken; empty ones are left out."""
    said = [line for line in lines if line]
    if said and title:
        yield Text(f"\n{title}", style="bold")
    if said:
        made = Table.grid(padding=(0, 1, 0, 0))
        made.add_column(width=max(1, len(bullet)))
        made.add_column(overflow="fold")
        for line in said:
            made.add_row(bullet, Text(line))
        yield made


def _problems(each: Checked) -> RenderableType:
    """Every problem with its result."""
    made = table(f"Problems of {abbreviated(each.entry.name)}")
    made.add_column("problem", overflow="fold", min_width=20)
    made.add_column("result", no_wrap=True)
    made.add_column("share of the gate", justify="right", min_width=7)
    made.add_column("reason", overflow="fold", min_width=20)
    for row in each.outcomes:
        made.add_row(*_problem(row))
    return Fitting(made)


def _problem(row: Outcome) -> tuple[Text, Text, Text, Text]:
    why = abbreviated(reason(row.cause, row.reason), LONGEST_TEXT)
    said = "; cure: ".join(part for part in (why, row.cure) if part)
    return Text(str(row.problem)), state(row.status), Text(share(row.evidence.share)), Text(said)
