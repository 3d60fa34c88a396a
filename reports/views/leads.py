"""The lead of an implementation on one problem: those beside it, with ratios and intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from impls.interface import Problem
from reports.analysis.ranking.ranking import Ranking, Rival
from reports.analysis.run_analysis import Analysis
from reports.views.numbers import mebibytes, milliseconds, times_of
from reports.views.text import abbreviated, counted

MOST_NAMES: Final = 3
"""Names in one part of a sentence; more are counted."""
AS_LONG: Final = "as long"
"""Follows a multiple of the fastest one's time."""
FEW: Final = 2
"""Problems without a decision that are named; more are counted."""
MUCH_MEMORY: Final = 1.5
"""The memory is stated where the fastest needs this multiple of the next one's, or more."""


def sized(problem: Problem, mask: str = "") -> str:
    """A problem by its sizes: T = 2,048 with 4 heads."""
    even = problem.query_length == problem.key_length
    rows = "" if even else f"{counted(problem.query_length, 'query row')}, "
    length = f"T = {problem.key_length:,}"
    heads = counted(problem.query_heads, "head")
    return f"{rows}{length} with {heads}{f' ({mask})' if mask else ''}"


def lead(ranking: Ranking, *, most: int = 1) -> Iterator[str]:
    """The implementations beside the first: not distinguished, then the next slower ones.

    most  slower ones that are named
    """
    faster = [each for each in ranking.rivals if each.is_faster]
    if faster:
        yield f"faster there is {_then(faster, most)}"
    open_ = [each for each in ranking.alternatives if not each.is_faster]
    if open_:
        yield _not_distinguished(open_)
    slower = [each for each in ranking.rivals if each.is_slower]
    if slower:
        yield f"next is {_then(slower, most)}"
    yield from _same(ranking.same)
    if not ranking.rivals and not ranking.same:
        yield f"{abbreviated(ranking.name)} alone has a time there"
    if ranking.not_reached:
        yield f"not reached: {some(ranking.not_reached)}"


def _not_distinguished(rivals: Sequence[Rival]) -> str:
    shown = [f"{abbreviated(each.name)} ({_ratio(each)})" for each in rivals[:MOST_NAMES]]
    left = len(rivals) - len(shown)
    more = [f"{left} more"] if left else []
    verb = "is" if len(rivals) == 1 else "are"
    return f"{' and '.join([', '.join(shown), *more])} {verb} not distinguished from it"


def _same(same: Sequence[Rival]) -> Iterator[str]:
    """Implementations that ran the same kernel as another one, by the other one."""
    for other in dict.fromkeys(each.same_as for each in same):
        own = [each for each in same if each.same_as == other]
        shown = [f"{abbreviated(each.name)} ({_ratio(each)})" for each in own[:MOST_NAMES]]
        left = len(own) - len(shown)
        more = [f"{left} more"] if left else []
        yield f"{' and '.join([', '.join(shown), *more])}: same kernel as {abbreviated(other)}"


def _then(slower: Sequence[Rival], most: int) -> str:
    shown = ", then ".join(f"{abbreviated(each.name)}, {_ratio(each)}" for each in slower[:most])
    left = len(slower) - most
    return f"{shown}, and {left} more" if left > 0 and most > 1 else shown


def _ratio(rival: Rival) -> str:
    """A rival's time as a multiple of the first one's, with its interval."""
    if rival.ratio is None:
        return f"{milliseconds(rival.median_ms)} ms in other sessions"
    found = rival.interval
    if found is None:
        return f"{times_of(rival.ratio, None, None, AS_LONG)}, without an interval"
    return times_of(rival.ratio, found.low, found.high, AS_LONG)


def memory(analysis: Analysis, problem: Problem, ranking: Ranking) -> str:
    """The memory of the first where the next needs much less; empty elsewhere."""
    peaks = {
        row.implementation: row.peak_bytes
        for row in analysis.with_most_threads
        if row.problem == problem
    }
    own = peaks.get(ranking.name)
    other = peaks.get(ranking.rivals[0].name) if ranking.rivals else None
    if not own or not other or own < MUCH_MEMORY * other:
        return ""
    beside = f"{abbreviated(ranking.rivals[0].name)} {mebibytes(other)} MiB"
    return f"it needs {mebibytes(own)} MiB above the inputs, {beside}"


def undecided(rankings: Mapping[Problem, Ranking]) -> str:
    """The problems on which another may be as fast: few by their sizes, many by their number."""
    own = [problem for problem, found in rankings.items() if not found.decided]
    if len(rankings) < 2 or not own:
        return ""
    if len(own) > FEW or len(own) == len(rankings):
        return f"undecided on {len(own)} of {len(rankings)} problems"
    masks = len({problem.mask for problem in rankings}) > 1
    named = (sized(problem, str(problem.mask) if masks else "") for problem in own)
    return f"undecided at {' and '.join(named)}"


def some(names: Sequence[str]) -> str:
    """The first names; more are counted."""
    left = len(names) - MOST_NAMES
    more = [f"{left} more"] if left > 0 else []
    return " and ".join([", ".join(map(abbreviated, names[:MOST_NAMES])), *more])
