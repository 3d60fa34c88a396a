"""A run as markdown: the answer, a short table, noise; machine, date and command fold away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from reports.analysis.in_models import in_models
from reports.analysis.run_analysis import Analysis
from reports.outputs.markdown.text import block, code, details, escaped, table
from reports.rows.panels import ATTENTION
from reports.views import answer, headline, steps
from reports.views.brief import Brief, BriefRow, briefs
from reports.views.cases import Labels, labelled, labels_of
from reports.views.commands import labels
from reports.views.in_models import (
    BOUND,
    BY_ATTENTION,
    HOW,
    MEASURED,
    SAVES,
    SHARE,
    bound,
    outside,
    part,
    saved,
)
from reports.views.machine import machine_facts
from reports.views.model_titles import titles
from reports.views.not_measured import not_measured
from reports.views.numbers import NOT_SEEN, mebibytes, milliseconds, ratio_in
from reports.views.panels import heading
from reports.views.problems import common_words, shared_words, without
from reports.views.statuses import NO_TIMES, STATUS_WORDS
from reports.views.text import LONGEST_TEXT, abbreviated, counted, moment

MOST_ROWS: Final = 24
"""Rows of a panel; of one with more, the largest problem of each kind is shown."""
MOST_FAULTS: Final = 4
"""Faults in full; more are counted."""
FIGURES: Final = ("time ms", "ratio [95 %]", "verdict", "memory MiB")
BESIDE: Final = ("baseline ms", "ms", *FIGURES[1:3], "baseline MiB", "MiB")


def of_run(analysis: Analysis) -> str:
    """Faults, the answer, the table of the first panel, one line on machine, date and noise.

    The other panels, the machine and the command fold away.
    """
    shown, named = briefs(analysis, most=MOST_ROWS), labels_of(analysis.plan)
    parts = [
        *_faults(analysis),
        *_answer(analysis, timed=bool(shown)),
        *(_panel(each, named) for each in shown[:1]),
        f"<sub>{escaped(headline.preamble(analysis))}</sub>",
        _further(shown[1:], named),
        _in_models(analysis),
        details("Machine, date, command", _details(analysis)),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _further(others: Sequence[Brief], named: Labels) -> str:
    """The tables of the panels after the first."""
    if not others:
        return ""
    return details(
        ", ".join(heading(each.panel) for each in others), (_panel(each, named) for each in others)
    )


def _in_models(analysis: Analysis) -> str:
    """What implementations save of steps of models; empty without times of attention."""
    rows = [each for each in in_models(analysis) if each.attention]
    if not rows:
        return ""
    names = titles(row.problem for row in rows)
    lines = [
        [
            escaped(names[row.problem]),
            code(row.implementation),
            *map(escaped, (part(row.attention), bound(row), part(row.by_attention), saved(row))),
        ]
        for row in rows
        if row.threads == analysis.most_threads
    ]
    head = ("problem", "implementation", SHARE, BOUND, BY_ATTENTION, MEASURED)
    beyond = [f"* {escaped(each)}" for each in outside(rows)]
    parts = filter(None, [table(head, lines), escaped(HOW), "\n".join(beyond)])
    return details(f"{SAVES} of a model's step", parts)


def _faults(analysis: Analysis) -> Iterator[str]:
    """The implementations that are wrong, crashed or failed, with cause and cure."""
    every = headline.faults(analysis)
    for each in every[:MOST_FAULTS]:
        why = "; cure: ".join(filter(None, (each.why, each.cure)))
        said = escaped(abbreviated(why, LONGEST_TEXT))
        yield f"**{escaped(each.said)}**: {said}" if said else f"**{escaped(each.said)}**"
    left = len(every) - MOST_FAULTS
    if left > 0:
        yield f"{counted(left, 'more fault')}."


def _answer(analysis: Analysis, *, timed: bool) -> list[str]:
    """The sentences of the answer, the first one in bold."""
    if not timed:
        return [] if not analysis.plan.sessions else [NO_TIMES]
    first, *others = [escaped(each) for each in answer.sentences(analysis)] or [""]
    return [*map(_step, steps.lines(analysis)), f"**{first}**" if first else "", *others]


def _step(lines: Sequence[str]) -> str:
    """Time in attention of one step: its main sentence in bold, then a list."""
    main, *others = map(escaped, lines)
    return "\n".join([f"**{main}**", *(f"* {line}" for line in others)])


def _panel(brief: Brief, named: Labels) -> str:
    """The table of a panel, below a line with what all of its rows share."""
    down = _problems_down if _is_pair(brief) else _implementations_down
    made = down(brief, named)
    return "\n\n".join(filter(None, (_title(brief), made, _left(brief))))


def _title(brief: Brief) -> str:
    panel = "" if brief.panel == ATTENTION else f"**{escaped(heading(brief.panel))}**"
    problems, baselines = brief.problems, brief.baselines
    shared = shared_words(problems) if len(problems) > 1 else frozenset(str(problems[0]).split())
    against = f"ratio to {code(baselines[0])}" if len(baselines) == 1 else ""
    if _is_pair(brief):
        against = " against ".join(map(code, reversed(_baseline_first(brief))))
    words = escaped(common_words(problems[0], shared))
    return ", ".join(filter(None, (panel, words, against)))


def _is_pair(brief: Brief) -> bool:
    """Whether two implementations stand beside each other on several problems."""
    return len(brief.names) == 2 and len(brief.problems) > 1


def _baseline_first(brief: Brief) -> list[str]:
    return sorted(brief.names, key=lambda name: name not in brief.baselines)


def _left(brief: Brief) -> str:
    left = counted(brief.left, "further problem")
    return f"The largest problem of each kind; {left} on the page." if brief.left else ""


def _implementations_down(brief: Brief, named: Labels) -> str:
    """A row for each implementation, the problem on its first row."""
    problems = brief.problems
    if len(problems) == 1:
        rows = [[code(row.implementation), *_figures(row)] for row in brief.rows]
        return table(("implementation", *FIGURES), rows)
    shared, before, lines = shared_words(problems), None, []
    for row in brief.rows:
        where = (
            ""
            if row.problem == before
            else escaped(labelled(row.problem, without(row.problem, shared), named))
        )
        lines.append([where, code(row.implementation), *_figures(row)])
        before = row.problem
    return table(("problem", "implementation", *FIGURES), lines)


def _problems_down(brief: Brief, named: Labels) -> str:
    """A row for each problem, two implementations beside each other."""
    names = _baseline_first(brief)
    shared = shared_words(brief.problems)
    own = {(row.problem, row.implementation): row for row in brief.rows}
    lines = [
        [
            escaped(labelled(problem, without(problem, shared), named)),
            *_beside(own.get((problem, name)) for name in names),
        ]
        for problem in brief.problems
    ]
    return table(("problem", *BESIDE), lines)


def _beside(pair: Iterable[BriefRow | None]) -> list[str]:
    """The figures of a baseline and another implementation; an empty one has no time."""
    first, second = ([*_figures(row)] if row else [""] * len(FIGURES) for row in pair)
    return [first[0], second[0], second[1], second[2], first[3], second[3]]


def _figures(row: BriefRow) -> Iterator[str]:
    """The cells of FIGURES."""
    judged = row.judged
    yield milliseconds(row.measured.median_ms)
    yield escaped(ratio_in(judged.ratio, judged.low, judged.high)) if judged else ""
    yield row.verdict
    yield NOT_SEEN if row.measured.unseen else mebibytes(row.measured.peak_bytes)


def _details(analysis: Analysis) -> Iterator[str]:
    """The title, pairs without a time, the machine, and the command that repeats the run."""
    run = analysis.run
    settings = "".join(f", {each}" for each in labels(analysis.plan))
    ended = moment(run.ended) or "not ended"
    yield escaped(f"{headline.title(analysis)}{settings}; run {run.name}, ended {ended}.")
    if untimed := _untimed(analysis):
        yield escaped(untimed)
    facts = machine_facts(run.machine, threads=max(analysis.plan.threads))
    yield escaped("; ".join(f"{name} {value}" for name, value in facts))
    yield block(run.command)


def _untimed(analysis: Analysis) -> str:
    """Implementations without a time on some problems, counted; faults have lines of their own."""
    rows = [row for row in not_measured(analysis) if not row.is_fault]
    counts: dict[tuple[str, str], int] = {}
    for row in rows:
        name = abbreviated(row.implementation)
        key = (f"{name} ({row.ran_on})" if row.ran_on else name, STATUS_WORDS[row.status])
        counts[key] = counts.get(key, 0) + row.count
    said = [f"{name} {word} on {count}" for (name, word), count in islice(counts.items(), 12)]
    left = len(counts) - len(said)
    more = [f"{left} more"] if left else []
    return f"Without a time: {', '.join([*said, *more])}." if said else ""
