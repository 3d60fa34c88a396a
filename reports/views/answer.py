"""The answer of a run: what to use for each kind of problem, by how much, and how sure that is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from impls.interface import Problem
from reports.analysis.ranking.ranking import Ranking, with_first
from reports.analysis.ranking.recommendations import Recommendation, Span, recommendations
from reports.analysis.run_analysis import Analysis
from reports.rows.families import LENGTH, Axis
from reports.rows.panels import ATTENTION, MODELS
from reports.views import across
from reports.views.families import size_text
from reports.views.leads import MOST_NAMES, lead, memory, sized, some, undecided
from reports.views.model_titles import title
from reports.views.panels import subject
from reports.views.problems import uneven_words, unsized_words
from reports.views.text import abbreviated, counted

MOST_SENTENCES: Final = 8
"""Sentences of kinds; more are counted."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An implementation, and where to use it: local_window, from T = 542 [468, 641] on.

    name  empty for others that are counted
    """

    name: str
    where: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.name, self.where)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One sentence of the answer in parts.

    label    the mask or panel
    start    the words before the choices: use
    choices  what to use, the one of the largest size first
    lead     those beside it on the largest problem, with ratios and intervals
    details  memory, and on how many problems nothing is decided
    """

    label: str
    start: str
    choices: tuple[Choice, ...]
    lead: tuple[str, ...]
    details: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """All parts on one line."""
        use = " ".join(filter(None, (self.start, ", ".join(map(str, self.choices)))))
        return f"{self.label}: {'; '.join([use, *self.lead, *self.details])}."


def sentences(analysis: Analysis) -> list[str]:
    """One sentence for each mask or panel, then the ratios across panels; none without times."""
    found = answers(analysis)
    left = len(found) - MOST_SENTENCES
    more = [f"{counted(left, 'more kind')} of problem: on the page."] if left > 0 else []
    shown = [each.sentence for each in found[:MOST_SENTENCES]]
    return [*shown, *more, *across.sentences(analysis)]


def answers(analysis: Analysis) -> list[Answer]:
    """One for each mask or panel, in the plan's order; none without times of two.

    Of attention there is one for each kind of problem. Another panel has one in all where one
    implementation is to be used for all of its problems.
    """
    found = [each for each in recommendations(analysis) if _compares(each)]
    labels = dict(zip(map(id, found), _labels(found), strict=True))
    return [
        each
        for panel, own in groupby(found, key=lambda each: each.panel)
        for each in _of_panel(analysis, panel, list(own), labels)
    ]


def _compares(found: Recommendation) -> bool:
    """Whether two implementations have times on one of its problems."""
    return any(each.rivals or each.same for each in found.ranked.values())


def _labels(found: Sequence[Recommendation]) -> Iterator[str]:
    """The mask of each kind, with the words that set it apart from the others.

    Kinds of a panel that would read alike have their grouped heads or unequal lengths, too. Those
    of models begin with the model and the step.
    """
    words = [unsized_words(each.largest) for each in found]
    shared = set.intersection(*map(set, words)) if words else set[str]()
    masks = [str(each.largest.mask) for each in found]
    labels = [
        " ".join([mask, *(word for word in own if word not in {mask, *shared})])
        for mask, own in zip(masks, words, strict=True)
    ]
    alike = Counter((each.panel, label) for each, label in zip(found, labels, strict=True))
    for each, label in zip(found, labels, strict=True):
        uneven = uneven_words(each.largest) if alike[each.panel, label] > 1 else []
        yield _titled(each.largest, " ".join([label, *uneven]))


def _titled(problem: Problem, label: str) -> str:
    """The label behind the model and the step of its problem: llama, prefill, causal."""
    if not problem.model:
        return label
    own = (word for word in label.split() if word != "train" and not word.startswith("model:"))
    return f"{title(problem)}, {' '.join(own)}"


def _of_panel(
    analysis: Analysis, panel: str, own: Sequence[Recommendation], labels: dict[int, str]
) -> Iterator[Answer]:
    start = "" if panel in (ATTENTION, MODELS) else subject(panel)
    only = {_only(each) for each in own}
    if start and len(own) > 1 and len(only) == 1 and "" not in only:
        yield _of_all(analysis, own, start)
        return
    for each in own:
        label = ", ".join(filter(None, (start, labels[id(each)])))
        yield _of_kind(analysis, each, label)


def _only(found: Recommendation) -> str:
    """The implementation to use for all problems of a kind; empty without one."""
    return found.spans[0].name if len(found.spans) == 1 else ""


def _of_all(analysis: Analysis, own: Sequence[Recommendation], label: str) -> Answer:
    """One answer for all kinds of a panel, with the lead on the largest problem of all."""
    largest = max(own, key=lambda each: each.largest.flops)
    count = sum(len(each.ranked) for each in own)
    place = f"at {sized(largest.largest, str(largest.largest.mask))}"
    return Answer(
        label=label,
        start="use",
        choices=(Choice(_short(_only(largest)), f"on all {count} problems"),),
        lead=tuple(_placed(place, lead(_first(analysis, largest)))),
        details=tuple(_details(analysis, largest, own)),
    )


def _of_kind(analysis: Analysis, found: Recommendation, label: str) -> Answer:
    several = len(found.ranked) > 1
    most = MOST_NAMES if len(analysis.plan.problems) == 1 else 1
    place = f"at {sized(found.largest)}" if several else ""
    if not found.spans:
        place = f"{place} {_short(found.ranked[found.largest].name)} leads,"
    return Answer(
        label=label,
        start=_use(found),
        choices=tuple(_choices(found)),
        lead=(*_safest(found), *_placed(place, lead(_first(analysis, found), most=most))),
        details=tuple(_details(analysis, found, [found])),
    )


def _use(found: Recommendation) -> str:
    """The words before the choices."""
    if not found.spans:
        return f"the fastest differs over {counted(len(found.ranked), 'problem')}:"
    return "nothing is decided:" if _is_open(found) else "use"


def _is_open(found: Recommendation) -> bool:
    """Whether one implementation is named for several problems, and none of them is decided."""
    return len(found.spans) == 1 and len(found.ranked) > 1 and not found.decided


def _first(analysis: Analysis, found: Recommendation) -> Ranking:
    """The ranking of the largest problem, with ratios to the time of the one to use there."""
    ranking = found.ranked[found.largest]
    if not found.spans:
        return ranking
    place = (found.largest, analysis.most_threads, found.panel)
    return with_first(found.spans[-1].name, ranking, analysis.ratios[place])


def _placed(place: str, parts: Iterator[str]) -> Iterator[str]:
    """The parts of a lead, the first of them with its problem."""
    yield " ".join(filter(None, (place, next(parts))))
    yield from parts


def _choices(found: Recommendation) -> Iterator[Choice]:
    """One name, a name for each span of a size, or how often each is the fastest."""
    if not found.spans:
        yield from _mixed(found)
    elif found.axis is not None:
        yield from _spans(found, found.axis)
    elif len(found.ranked) > 1:
        everywhere = "is nowhere shown to be slower" if _is_open(found) else "at every size"
        yield Choice(_short(found.spans[0].name), everywhere)
    else:
        yield Choice(_either(found))


def _either(found: Recommendation) -> str:
    """Of a single problem: the fastest, and all that are not distinguished from it."""
    ranking = found.ranked[found.largest]
    names = [ranking.name, *(each.name for each in ranking.alternatives)]
    return " or ".join(map(_short, names)) if len(names) <= MOST_NAMES else _short(names[0])


def _spans(found: Recommendation, axis: Axis) -> Iterator[Choice]:
    """The names from the largest sizes down: b from T = 628 [472, 906] on, a below."""
    *lower, last = found.spans
    yield Choice(_short(last.name), f"from {_start(found, axis, lower[-1], last)} on")
    for before, span in zip(lower[-2::-1], lower[:0:-1], strict=False):
        yield Choice(_short(span.name), f"from {_start(found, axis, before, span)} on")
    yield Choice(_short(lower[0].name), "below")


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
        low, high = (size_text(axis, end) if end else "" for end in (own[0].low, own[0].high))
        ends = f" [{low or _smallest(found, axis)}, {high or _largest(found, axis)}]"
        return _sized(axis, f"{size_text(axis, own[0].size)}{ends}")
    first, *_, last = (size_text(axis, each) for each in sorted(each.size for each in own))
    other = "heads" if axis == LENGTH else "length"
    return f"{_sized(axis, f'{first} to {last}')} (by {other})"


def _smallest(found: Recommendation, axis: Axis) -> str:
    return f"{min(map(axis.size, found.ranked)):,} or below"


def _largest(found: Recommendation, axis: Axis) -> str:
    return f"{max(map(axis.size, found.ranked)):,} or above"


def _sized(axis: Axis, size: str) -> str:
    return f"T = {size}" if axis == LENGTH else f"{size} heads"


def _mixed(found: Recommendation) -> Iterator[Choice]:
    """How often each is the fastest."""
    ordered = found.wins.most_common()
    for name, wins in ordered[:MOST_NAMES]:
        yield Choice(_short(name), f"on {wins}")
    left = len(ordered) - MOST_NAMES
    if left > 0:
        yield Choice("", f"{counted(left, 'other')} on the rest")


def _safest(found: Recommendation) -> Iterator[str]:
    """How far the one to use is from the fastest; without one, the one that is never far."""
    if found.near:
        yield f"never above {found.worst:.2f}x the time of the fastest"
    if not found.spans and found.safest is not None:
        name, worst = found.safest
        yield f"{_short(name)} is never above {worst:.2g}x the time of the fastest"


def _details(
    analysis: Analysis, largest: Recommendation, own: Sequence[Recommendation]
) -> Iterator[str]:
    """The memory on the largest problem, the problems without a decision, those not reached."""
    needed = memory(analysis, largest.largest, _first(analysis, largest))
    if needed:
        yield needed
    open_ = undecided({problem: one for each in own for problem, one in each.ranked.items()})
    if open_:
        yield open_
    left = [names for each in own for names in each.left.values()]
    if left:
        names = list(dict.fromkeys(name for each in left for name in each))
        yield f"{counted(len(left), 'further problem')} not reached by {some(names)}"


def _short(name: str) -> str:
    return abbreviated(name)
