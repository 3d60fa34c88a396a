r"""latex: tables for a paper, with \usepackage{booktabs}; a long one needs longtable as well."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from reports.analysis.run_analysis import Analysis
from reports.analysis.sums.rows import StepRow, StepSum
from reports.rows.panels import ATTENTION
from reports.views.brief import Brief, BriefRow, briefs
from reports.views.cases import Labels, labelled, labels_of
from reports.views.charts.steps import bars
from reports.views.commands import labels
from reports.views.machine import machine_facts
from reports.views.numbers import NOT_SEEN, floor, mebibytes, milliseconds, ratio_in
from reports.views.panels import slug, subject
from reports.views.problems import common_words, shared_words, without
from reports.views.statuses import NO_TIMES
from reports.views.steps import HEADING, estimate, share
from reports.views.text import abbreviated, capitalized, moment, printable
from suites.records.store import Run, Store

EXTENSION: Final = "tex"
MOST_ROWS: Final = 40
"""Rows on one page; a table with more is a longtable."""
INTERVAL: Final = {
    "sessions": "over sessions, which are fresh processes",
    "this process": "over the rounds of one process",
}
"""The basis of the intervals of a ratio."""
FACTS: Final = ("CPU", "cores", "device cuda", "device mps", "threads", "torch", "attnbench")
"""Facts of the machine that a caption names, where they are recorded."""
_SPECIAL: Final = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "…": r"\ldots{}",
    **{mark: f"\\{mark}" for mark in "#$%&_{}"},
}
"""Characters that LaTeX reads as commands, or prints otherwise."""


def write(store: Store, run: Run, path: Path) -> tuple[Path, ...]:
    """Write a table of steps and of each panel; sessions, interval, machine are in the caption."""
    analysis = Analysis(run, store.records(run.name))
    found = [*_steps(analysis), *(_table(analysis, each) for each in briefs(analysis))]
    head = f"% attnbench, run {run.name}; \\usepackage{{booktabs}}, for long tables longtable too"
    text = "\n\n".join([head, *(found or [f"% {NO_TIMES}"])])
    path.write_text(f"{text}\n", encoding="utf-8")
    return (path,)


def escaped(text: str) -> str:
    """The text on one line as LaTeX prints it; a character beyond ASCII as its code point."""
    shown = (_SPECIAL.get(each) or each for each in printable(text))
    ascii_only = (each if each.isascii() else f"[U+{ord(each):04X}]" for each in shown)
    return "".join(ascii_only).replace("--", "-{}-")  # two hyphens are a dash


def _table(analysis: Analysis, brief: Brief) -> str:
    """The tabular of a panel in its float, or a longtable."""
    lines = [*_lines(brief, labels_of(analysis.plan))]
    head, *rows = map(_row, lines)
    columns = f"{{@{{}}{'l' * _words(brief)}{'r' * (len(lines[0]) - _words(brief))}@{{}}}}"
    caption = f"\\caption{{{escaped(_caption(analysis, brief))}}}"
    label = f"\\label{{tab:{slug(brief.panel)}}}"
    body = [head, "\\midrule", *rows, "\\bottomrule"]
    if len(rows) > MOST_ROWS:
        top = [f"{caption}{label}\\\\", "\\toprule", head, "\\midrule", "\\endhead"]
        return _environment("longtable", columns, [*top, *body[2:]])
    tabular = _environment("tabular", columns, ["\\toprule", *body])
    return _environment("table", "[t]", ["\\centering", caption, label, tabular])


def _steps(analysis: Analysis) -> Iterator[str]:
    """The tabular of the sums of all steps in its float; nothing for a run without steps."""
    rows = [
        _row(_step_cells(row, name, found)) for row in analysis.steps for name, found in bars(row)
    ]
    if rows:
        head = _row(("Step", "Implementation", "Time (ms) [95\\,\\%]", "Saving"))
        body = ["\\toprule", head, "\\midrule", *rows, "\\bottomrule"]
        tabular = _environment("tabular", "{@{}llrr@{}}", body)
        caption = escaped(" ".join([f"{HEADING}: sums of count times time.", *_where(analysis)]))
        top = ["\\centering", f"\\caption{{{caption}}}", "\\label{tab:steps}"]
        yield _environment("table", "[t]", [*top, tabular])


def _step_cells(row: StepRow, name: str, found: StepSum) -> Iterator[str]:
    first = row.now is not None and found is row.now
    yield escaped(row.step) if first else ""
    yield escaped(name)
    yield escaped(estimate(found.time).replace(" ms", ""))
    saving = found.saving
    yield escaped(share(saving.of_step or saving.share)) if saving else ""


def _row(cells: Iterable[str]) -> str:
    """A row; one that begins with [ or * would be an argument of the line break before it."""
    text = " & ".join(cells)
    return f"{'{}' if text.startswith(('[', '*')) else ''}{text} \\\\"


def _environment(name: str, arguments: str, lines: Iterable[str]) -> str:
    return "\n".join([f"\\begin{{{name}}}{arguments}", *lines, f"\\end{{{name}}}"])


def _words(brief: Brief) -> int:
    """The number of columns of words, at the left."""
    return 2 if len(brief.problems) > 1 else 1


def _lines(brief: Brief, named: Labels) -> Iterator[list[str]]:
    """The cells of the head, then of each row; the number of sessions where it differs."""
    several, counts = len(brief.problems) > 1, _sessions(brief)
    shared, before = shared_words(brief.problems), None
    yield [
        *(["Problem"] if several else []),
        *("Implementation", "Time (ms)", "Ratio [95\\,\\%]", "Memory (MiB)"),
        *(["$n$"] if len(counts) > 1 else []),
    ]
    for row in brief.rows:
        where = (
            ""
            if row.problem == before
            else escaped(labelled(row.problem, without(row.problem, shared), named))
        )
        yield [
            *([where] if several else []),
            *_figures(row),
            *([str(row.measured.sessions)] if len(counts) > 1 else []),
        ]
        before = row.problem


def _figures(row: BriefRow) -> Iterator[str]:
    judged = row.judged
    same = " (same kernel)" if judged and judged.same_kernel else ""
    yield escaped(abbreviated(row.implementation)) + same
    yield milliseconds(row.measured.median_ms)
    yield escaped(ratio_in(judged.ratio, judged.low, judged.high)) if judged else ""
    yield NOT_SEEN if row.measured.unseen else mebibytes(row.measured.peak_bytes)


def _sessions(brief: Brief) -> list[int]:
    """The numbers of sessions of the rows, each once."""
    return sorted({row.measured.sessions for row in brief.rows})


def _caption(analysis: Analysis, brief: Brief) -> str:
    """The caption: quantity, number of sessions, kind of interval, machine."""
    problems, counts = brief.problems, _sessions(brief)
    words = common_words(problems[0], shared_words(problems)) or str(problems[0])
    settings = "".join(f", {each}" for each in labels(analysis.plan))
    what = ATTENTION if brief.panel == ATTENTION else subject(brief.panel)
    n = f"n = {counts[0]}" if len(counts) == 1 else f"n = {counts[0]} to {counts[-1]}"
    return " ".join(
        [
            f"{capitalized(what)} on {words}{settings}: median of session medians ({n} sessions),",
            *_ratio_words(brief),
            "peak memory above the inputs.",
            *_where(analysis),
        ]
    )


def _ratio_words(brief: Brief) -> Iterator[str]:
    """The baseline of the ratios and the basis of their intervals; nothing without a ratio."""
    names = ", ".join(map(abbreviated, brief.baselines))
    bases = dict.fromkeys(row.judged.basis for row in brief.rows if row.judged is not None)
    known = " or ".join(INTERVAL[each] for each in bases if each)
    if names:
        interval = f" with its 95 % confidence interval {known}" if known else ""
        yield f"ratio of the time to that of {names}{interval},"


def _where(analysis: Analysis) -> Iterator[str]:
    """The machine, the date, and by how much identical code differs."""
    run = analysis.run
    facts = dict(machine_facts(run.machine, threads=max(analysis.plan.threads)))
    known = [f"{name} {facts[name]}" for name in FACTS if name in facts]
    yield f"Measured on {', '.join(known)}, {moment(run.started)}."
    if analysis.floor is not None:
        yield f"Noise: identical code differs by up to {floor(analysis.floor)} in this run."
