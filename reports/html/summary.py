"""A run in a few sentences: what its intervals support, and nothing else.

For each kind of problem (all of it but lengths and heads; layers and other functions apart) the
largest on which a comparison was decided: who is fastest there, beside whom, and at what cost in
memory. Sessions decide; what one process tells counts where they decide nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final

from reports import words
from reports.analysis import Analysis
from reports.choosing.kinds import without_sizes
from reports.families import optional_words
from reports.judging import verdicts
from reports.judging.verdict_words import floor_words, percent, ratio_in
from reports.panels import ATTENTION, heading, panels_of
from reports.sections import facets
from reports.tables import parsed

MOST_SENTENCES: Final = 6
"""Of problems; the verdicts have the rest."""
MOST_NAMES: Final = 4
"""In one sentence, those beyond are counted."""
DECIDED: Final = frozenset({"faster", "slower", "same"})

Rows = list[dict[str, Any]]


def sentences(analysis: Analysis) -> list[str]:
    """How much was decided, then one sentence for each kind of problem; none without a verdict.

    With several numbers of threads, those with the most.
    """
    most = max(analysis.plan.threads)
    rows = [row for row in analysis.verdicts if row["threads"] == most]
    if not rows:
        return []
    every = list(_largest(analysis, rows))
    memory = _memory(analysis)
    told = [_of_problem(analysis, own, memory) for own in every[:MOST_SENTENCES]]
    left = len(every) - len(told)
    more = f"{words.counted(left, 'further kind')} of problem: see the verdicts." if left else ""
    return [sentence for sentence in (_decided(analysis), *told, more) if sentence]


def _decided(analysis: Analysis) -> str:
    """What identical code differs by, and how many comparisons came to a conclusion."""
    rows = analysis.verdicts
    grades = Counter(map(_grade, rows))
    every = words.counted(len(rows), "comparison")
    alone = f", {grades[1]} more within one process only" if grades[1] else ""
    return (
        f"{floor_words(analysis.floor, rows)} {grades[2]} of {every} decided{alone}; a difference "
        f"counts from {percent(analysis.plan.delta)}."
    )


def _grade(row: dict[str, Any]) -> int:
    """How far a comparison is decided: 2 by sessions, 1 within one process only, 0 not."""
    if row["verdict"] not in DECIDED:
        return 0
    return 1 if row["basis"] == "this process" else 2


def _largest(analysis: Analysis, rows: Rows) -> Iterator[Rows]:
    """The verdicts on the largest decided problem of each kind, panel by panel in the plan's order.

    Where nothing of a kind is decided, on the largest of all.
    """
    kinds: dict[tuple[str, ...], dict[str, Rows]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        kinds[row["panel"], *without_sizes(row["problem"])][row["problem"]].append(row)
    order = panels_of(analysis.plan)
    for kind in sorted(kinds, key=lambda kind: order.index(kind[0])):
        own = kinds[kind]
        yield own[max(own, key=lambda problem: (max(map(_grade, own[problem])), _size(problem)))]


def _size(problem: str) -> tuple[int, ...]:
    """Longest keys first, then rows, heads and batch."""
    asked = parsed(problem)
    return asked.key_length, asked.query_length, asked.query_heads, asked.batch, asked.head_dim


def _memory(analysis: Analysis) -> dict[tuple[str, str], int | None]:
    return {
        (row["problem"], row["implementation"]): row["peak_bytes"]
        for row in analysis.with_most_threads
    }


def _of_problem(analysis: Analysis, rows: Rows, memory: dict[tuple[str, str], int | None]) -> str:
    """The sentence of one problem: its verdicts all have the same baseline."""
    problem, panel, baseline = (rows[0][name] for name in ("problem", "panel", "baseline"))
    where = _where(problem)
    start = f"{where[0].upper()}{where[1:]}" if panel == ATTENTION else f"{heading(panel)}, {where}"
    faster = [row for row in rows if row["verdict"] == "faster"]
    if not faster:
        return f"{start}: {_none_faster(rows, baseline)}."
    best = min(faster, key=lambda row: row["ratio"])
    name = _short(best["implementation"])
    gain = f"{name} is {_gain(best)} faster than {_short(baseline)}, the baseline"
    parts = (
        f"{gain}{_one_process(best)}",
        _beside(problem, best["implementation"], baseline, memory),
        *_not_apart(analysis, problem, best["implementation"], rows),
    )
    return f"{start}: {'; '.join(part for part in parts if part)}."


def _where(problem: str) -> str:
    asked, of = parsed(problem), facets(problem)
    if asked.query_length == asked.key_length:
        length = f"T = {asked.key_length}"
    else:
        rows = words.counted(asked.query_length, "query row")
        length = f"{rows} over {words.counted(asked.key_length, 'key')}"
    parts = (
        length,
        f"{of['heads']} head{'s' if of['heads'] != '1' else ''} of {asked.head_dim}",
        f"batch {asked.batch}" if asked.batch > 1 else "",
        asked.dtype,
        of["mask"],
        *optional_words(asked).values(),
        f"{of['pass']} on {of['device']}",
    )
    return f"at {', '.join(part for part in parts if part)}"


def _gain(row: dict[str, Any]) -> str:
    """How many times as fast, with its interval: 2.9x [2.8, 3.1]."""
    times, least, most = (_times(1 / row[name]) for name in ("ratio", "high", "low"))
    return f"{times}x [{least}, {most}]"


def _times(value: float) -> str:
    """To two digits after the point near 1, where the first of them says little."""
    return f"{value:.2f}" if value < 2 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _one_process(row: dict[str, Any]) -> str:
    return " (in this one process)" if row["basis"] == "this process" else ""


def _beside(
    problem: str, best: str, baseline: str, memory: dict[tuple[str, str], int | None]
) -> str:
    """What the winner needs beside the baseline; empty unless both are known."""
    own, other = (words.mebibytes(memory.get((problem, name))) for name in (best, baseline))
    return f"it needs {own} MiB above the inputs, the baseline {other}" if own and other else ""


def _not_apart(analysis: Analysis, problem: str, best: str, rows: Rows) -> list[str]:
    """Who is not shown to be slower than the winner, from pairs with it."""
    threads = max(analysis.plan.threads)
    found = analysis.timed[problem, threads]
    twins = verdicts.twins_of(found)
    others = [row["implementation"] for row in rows if row["implementation"] != best]
    beside = [
        {
            "implementation": name,
            **verdicts.compared(found[best], found[name], twins, analysis.plan),
        }
        for name in others
    ]
    return _undecided([row for row in beside if row["verdict"] != "slower"], "it")


def _undecided(rows: Rows, other: str) -> list[str]:
    """Who is not told apart from another one, and who was not judged beside it and why."""
    unjudged = [row for row in rows if row["verdict"] == "not judged"]
    unlike = [row["implementation"] for row in rows if row["verdict"] != "not judged"]
    said = [f"{_listed(unlike)} not told apart from {other}"] if unlike else []
    if unjudged:
        names = [row["implementation"] for row in unjudged]
        why = ", ".join(dict.fromkeys(row["reason"].split(";")[0] for row in unjudged))
        said.append(f"{_listed(names)} not judged beside {other} ({why})")
    return said


def _none_faster(rows: Rows, baseline: str) -> str:
    """What can be said where nobody is shown to be faster than the baseline."""
    slower = [row["implementation"] for row in rows if row["verdict"] == "slower"]
    same = [row["implementation"] for row in rows if row["verdict"] == "same"]
    others = [row for row in rows if not _grade(row)]
    named = f"{_short(baseline)}, the baseline"
    if len(others) == len(rows):
        tried = any(row["verdict"] == "inconclusive" for row in rows)
        return "; ".join([*(["inconclusive"] if tried else []), *_undecided(others, named)])
    parts = (
        f"nothing is shown to be faster than {named}",
        _slower(rows) if slower else "",
        f"{_listed(same)} the same" if same else "",
        *_undecided(others, "it"),
    )
    return "; ".join(part for part in parts if part)


def _slower(rows: Rows) -> str:
    """Who is slower than the baseline, and the least slow of them by how much."""
    slower = sorted((r for r in rows if r["verdict"] == "slower"), key=lambda row: row["ratio"])
    first = slower[0]
    times = ratio_in(first["ratio"], first["low"], first["high"])
    told = f"{_short(first['implementation'])} takes {times} times as long{_one_process(first)}"
    return f"{told}, {len(slower) - 1} more longer still" if len(slower) > 1 else told


def _listed(names: Sequence[str]) -> str:
    """Names with their verb: a is, a and b are, a, b, c, d and 7 more are."""
    if len(names) == 1:
        return f"{_short(names[0])} is"
    shown = list(map(_short, names[:MOST_NAMES]))
    rest = len(names) - len(shown)
    last = f"{rest} more" if rest else shown.pop()
    return f"{', '.join(shown)} and {last} are"


def _short(name: str) -> str:
    return words.abbreviated(name)
