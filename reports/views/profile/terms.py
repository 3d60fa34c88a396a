"""Terms of a profile's page: headings of its tables, and words that its sentences link."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from reports.views import terms
from reports.views.profile.measured import OVERHEAD
from reports.views.sections import Section
from reports.views.terms import Term

TERMS: Final = (
    Term("operator", "A function of torch, as its profiler names it; Python is time in none."),
    Term("operators", "The operators of the part, the largest first."),
    Term("source line", "The line that called the operator, as file:line function."),
    Term("source lines", "The lines that called them, the largest first."),
    Term("kind", "The kind of work of the operator, which its colour shows."),
    Term("self ms", "Milliseconds in the operator, without the operators that it calls."),
    Term("total ms", "Milliseconds in the operator, with the operators that it calls."),
    Term("share", "The part of the call's time, or of the bytes at the peak."),
    Term("calls", "How often the profiled call ran the operator."),
    Term("GFLOP/s", "Floating-point operations by the shapes, over the self time; in 1e9."),
    Term("GB/s", "Bytes read and written at least, by the shapes, over the self time; in 1e9."),
    Term(
        "part of ceiling",
        "The rate over the one that this machine reached for products, reading or copying.",
    ),
    Term("shapes of inputs", "Sizes and data types of the tensors of the longest call."),
    Term("part", "Operators of one kind, or the memory of one operator."),
    Term("difference ms", "Time of the first implementation less that of the second."),
    Term("difference MiB", "Bytes of the first implementation less those of the second."),
    Term("share of it", "The part of the whole difference."),
    Term("reached at", "The part of the call's time after which its memory is at the peak."),
    Term("kept MiB", "What preparing and the first call keep for later calls."),
    Term("bytes", "Bytes that are held at the peak, above the inputs."),
    Term("shape and dtype", "Of the tensors that hold the bytes, where an operator used them."),
    Term("later calls ms", "Milliseconds of one call: the median of the session medians."),
    Term(
        "paid after calls",
        "Number of calls from which set-up and calls together take less than the baseline's.",
    ),
    Term("compile cold ms", "Time of compiling in a process that finds no compiled code."),
    Term("counter", "An event that the processor or the system counted over one call."),
    Term("exponent", "The power of the length that the operator's time grows by."),
    Term(OVERHEAD, "The median time of a profiled call over that of a plain one."),
)
_BY_HEAD: Final = {term.word: term for term in TERMS}


def of_head(head: str) -> Term | None:
    """The term that a heading stands for: one of a profile, or of every page; None without one."""
    return _BY_HEAD.get(head) or terms.of_head(head)


def used(sections: Iterable[Section], texts: Iterable[str]) -> list[Term]:
    """The terms of the headings, in their order, then those that sentences link to.

    texts  besides the sentences of the sections
    """
    own = list(sections)
    heads = (head for each in own for table in each.tables for head in table.head)
    headed = dict.fromkeys(term for head in heads if (term := of_head(head)))
    said = terms.of_texts((*texts, *_texts(own)), ())
    return list(dict.fromkeys((*headed, *said)))


def _texts(sections: Iterable[Section]) -> Iterator[str]:
    for section in sections:
        yield from section.sentences
        yield from (table.caption for table in section.tables)
