"""The answer of a run: what to use for each kind of problem, by how much, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

from impls.interface import Problem
from reports.analysis.ranking.ranking import Ranking, Rival
from reports.analysis.ranking.recommendations import Recommendation, Span, recommendations
from reports.analysis.run_analysis import Analysis
from reports.rows.families import LENGTH, Axis
from reports.rows.panels import ATTENTION
from reports.views import across
from reports.views.numbers import mebibytes, milliseconds, times_of
from reports.views.panels import subject
from reports.views.problems import kind_words
from reports.views.text import abbreviated, counted

MOST_SENTENCES: Final = 8
"""Sentences of kinds; more are counted."""
MOST_NAMES: Final = 3
"""Names in one part of a sentence; more are counted."""
MUCH_MEMORY: Final = 1.5
"""The fastest needs this multiple of the next one's memory, or more, where memory is named."""


def sentences(analysis: Analysis) -> list[str]:
    """One sentence for each mask or panel, then the ratios across panels; none without times.

    Of attention there is one for each kind of problem. Another panel has one in all where one
    implementation is to be used for all of its problems.
    """
    found = [each for each in recommendations(analysis) if _compares(each)]
    labels = dict(zip(map(id, found), _labels(found), strict=True))
    said = [
        text
        for panel, own in groupby(found, key=lambda each: each.panel)
        for text in _of_panel(analysis, panel, list(own), labels)
    ]
    left = len(said) - MOST_SENTENCES
    more = [f"{counted(left, 'more kind')} of problem: on the page."] if left > 0 else []
    return [*said[:MOST_SENTENCES], *more, *across.sentences(analysis)]


def _compares(found: Recommendation) -> bool:
    """Whether two implementations have times on one of its problems."""
    return any(each.rivals for each in found.ranked.values())


def _labels(found: Sequence[Recommendation]) -> Iterator[str]:
    """The mask of each kind, with the words that set it apart from the others."""
    words = [kind_words(each.largest) for each in found]
    shared = set.intersection(*map(set, words)) if words else set[str]()
    for each, own in zip(found, words, strict=True):
        mask = str(each.largest.mask)
        yield " ".join([mask, *(word for word in own if word not in {mask, *shared})])


def _of_panel(
    analysis: Analysis, panel: str, own: Sequence[Recommendation], labels: dict[int, str]
) -> Iterator[str]:
    start = "" if panel == ATTENTION else subject(panel)
    only = {_only(each) for each in own}
    if start and len(own) > 1 and len(only) == 1 and "" not in only:
        yield f"{start}: {_of_all(analysis, own)}"
        return
    for each in own:
        label = ", ".join(filter(None, (start, labels[id(each)])))
        yield f"{label}: {_joined([_use(each), *_details(analysis, each)])}"


def _only(found: Recommendation) -> str:
    """The implementation to use for all problems of a kind; empty without one."""
    return found.spans[0].name if len(found.spans) == 1 else ""


def _of_all(analysis: Analysis, own: Sequence[Recommendation]) -> str:
    """One sentence for all kinds of a panel, with the lead on the largest problem of all."""
    largest = max(own, key=lambda each: each.largest.flops)
    count = sum(len(each.ranked) for each in own)
    use = f"use {_short(_only(largest))} on all {count} problems"
    return _joined([use, *_details(analysis, largest, str(largest.largest.mask))])


def _joined(parts: Iterable[str]) -> str:
    return f"{'; '.join(filter(None, parts))}."


def _use(found: Recommendation) -> str:
    """What to use: one name, a name for each span of a size, or how often each is the fastest."""
    if not found.spans:
        return _mixed(found)
    if found.axis is None:
        name = _short(found.spans[0].name)
        return f"use {name} at every size" if len(found.ranked) > 1 else f"use {_either(found)}"
    return f"use {_spans(found, found.axis)}"


def _either(found: Recommendation) -> str:
    """Of a single problem: the fastest, and all that are not distinguished from it."""
    ranking = found.ranked[found.largest]
    names = [ranking.name, *(each.name for each in ranking.alternatives)]
    return " or ".join(map(_short, names)) if len(names) <= MOST_NAMES else _short(names[0])


def _spans(found: Recommendation, axis: Axis) -> str:
    """The names from the largest sizes down: b from T = 628 [472, 906] on, a below."""
    *lower, last = found.spans
    parts = [f"{_short(last.name)} from {_start(found, axis, lower[-1], last)} on"]
    for before, span in zip(lower[-2::-1], lower[:0:-1], strict=False):
        parts.append(f"{_short(span.name)} from {_start(found, axis, before, span)} on")
    return ", ".join([*parts, f"{_short(lower[0].name)} below"])


def _start(found: Recommendation, axis: Axis, before: Span, span: Span) -> str:
    """Where a span begins: the crossing with its interval, or the measured size."""
    own = [
        each.crossing
        for each in found.changes
        if (each.before, each.after) == (before.name, span.name) and each.crossing.settled
    ]
    if not own:
        return _sized(axis, f"{span.first:,}")
    if len(own) == 1:
        low, high = (f"{end:,.0f}" if end else "" for end in (own[0].low, own[0].high))
        ends = f" [{low or _first(found, axis)}, {high or _last(found, axis)}]"
        return _sized(axis, f"{own[0].size:,.0f}{ends}")
    sizes = sorted(each.size for each in own)
    other = "heads" if axis == LENGTH else "length"
    return f"{_sized(axis, f'{sizes[0]:,.0f} to {sizes[-1]:,.0f}')} (by {other})"


def _first(found: Recommendation, axis: Axis) -> str:
    return f"{min(map(axis.size, found.ranked)):,} or below"


def _last(found: Recommendation, axis: Axis) -> str:
    return f"{max(map(axis.size, found.ranked)):,} or above"


def _sized(axis: Axis, size: str) -> str:
    return f"T = {size}" if axis == LENGTH else f"{size} heads"


def _mixed(found: Recommendation) -> str:
    """How often each is the fastest, and the one that is never far from it."""
    count = len(found.ranked)
    ordered = found.wins.most_common()
    said = [f"{_short(name)} on {wins}" for name, wins in ordered[:MOST_NAMES]]
    left = len(ordered) - len(said)
    more = [f"{counted(left, 'other')} on the rest"] if left else []
    parts = [f"the fastest differs over {count} problems: {', '.join([*said, *more])}"]
    if found.safest is not None:
        name, worst = found.safest
        parts.append(f"{_short(name)} is never above {worst:.2g}x the time of the fastest")
    return "; ".join(parts)


def _details(analysis: Analysis, found: Recommendation, mask: str = "") -> Iterator[str]:
    """The lead on the largest problem, and on how many problems nothing is decided."""
    problem = found.largest
    ranking = found.ranked[problem]
    name = found.spans[-1].name if found.spans else ranking.name
    alone = len(analysis.plan.problems) == 1
    place = "" if len(found.ranked) == 1 and not mask else f"at {_place(problem, mask)} "
    own = "" if found.spans else f"{_short(name)} leads, "
    parts = list(_lead(ranking, name, most=MOST_NAMES if alone else 1))
    yield f"{place}{own}{parts[0]}" if parts else ""
    yield from parts[1:]
    yield _memory(analysis, problem, name, ranking)
    open_ = len(found.ranked) - found.decided
    if open_ and len(found.ranked) > 1:
        yield f"undecided on {open_} of {len(found.ranked)} problems"
    if found.left:
        names = list(dict.fromkeys(name for own in found.left.values() for name in own))
        yield f"{counted(len(found.left), 'further problem')} not reached by {_some(names)}"


def _place(problem: Problem, mask: str) -> str:
    """A problem by its sizes: T = 2,048 with 4 heads."""
    even = problem.query_length == problem.key_length
    rows = "" if even else f"{counted(problem.query_length, 'query row')}, "
    length = f"T = {problem.key_length:,}"
    heads = counted(problem.query_heads, "head")
    return f"{rows}{length} with {heads}{f' ({mask})' if mask else ''}"


def _lead(ranking: Ranking, name: str, *, most: int) -> Iterator[str]:
    """The implementations beside the one to use: not distinguished, then the next slower ones.

    ranking  may have another first, from which `name` is not distinguished
    """
    open_ = [each for each in ranking.alternatives if each.name != name]
    if ranking.name != name:
        yield f"{_short(ranking.name)} has the smaller median, and is not distinguished from it"
    if open_:
        shown = [f"{_short(each.name)} ({_ratio(each)})" for each in open_[:MOST_NAMES]]
        left = len(open_) - len(shown)
        more = [f"{left} more"] if left else []
        verb = "is" if len(open_) == 1 else "are"
        yield f"{' and '.join([', '.join(shown), *more])} {verb} not distinguished from it"
    slower = [each for each in ranking.rivals if each.is_slower]
    if slower:
        yield f"next is {_then(slower, most)}"
    if not ranking.rivals:
        yield f"{_short(name)} alone has a time there"
    if ranking.not_reached:
        yield f"not reached: {_some(ranking.not_reached)}"


def _then(slower: Sequence[Rival], most: int) -> str:
    said = ", then ".join(f"{_short(each.name)}, {_ratio(each)}" for each in slower[:most])
    left = len(slower) - most
    return f"{said}, and {left} more" if left > 0 and most > 1 else said


def _ratio(rival: Rival) -> str:
    """A rival's time as a multiple of the fastest one's, with its interval."""
    if rival.ratio is None:
        return f"{milliseconds(rival.median_ms)} ms in other sessions"
    found = rival.interval
    if found is None:
        return f"{times_of(rival.ratio, None, None, 'its time')}, without an interval"
    return times_of(rival.ratio, found.low, found.high, "its time")


def _memory(analysis: Analysis, problem: Problem, name: str, ranking: Ranking) -> str:
    """The memory of the one to use where the next needs much less; empty elsewhere."""
    peaks = {
        row.implementation: row.peak_bytes
        for row in analysis.with_most_threads
        if row.problem == problem
    }
    others = [each.name for each in ranking.rivals if each.name != name]
    own, other = peaks.get(name), peaks.get(others[0]) if others else None
    if not own or not other or own < MUCH_MEMORY * other:
        return ""
    return f"it needs {mebibytes(own)} MiB above the inputs, {_short(others[0])} {mebibytes(other)}"


def _some(names: Sequence[str]) -> str:
    """The first names; more are counted."""
    left = len(names) - MOST_NAMES
    more = [f"{left} more"] if left > 0 else []
    return " and ".join([", ".join(map(_short, names[:MOST_NAMES])), *more])


def _short(name: str) -> str:
    return abbreviated(name)
