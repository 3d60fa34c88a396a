"""Terms of the page: one definition each, for the headings of tables and for links in sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from reports.analysis.tails import PERCENTS
from reports.views import in_models, kernels, launches, ranks, tails
from reports.views.disturbance import DEFINITION, RULE, definition
from reports.views.repeats import INDEPENDENT
from suites.records.plan import Plan


@dataclass(frozen=True, slots=True)
class Term:
    """A term and its definition in one sentence or two.

    heads   headings of tables that have this meaning; the term itself is one
    linked  whether sentences link the word to its definition
    """

    word: str
    definition: str
    heads: tuple[str, ...] = ()
    linked: bool = False

    @property
    def anchor(self) -> str:
        """The id of its definition on the page: `term-noise-floor`."""
        return "term-" + re.sub(r"[^a-z0-9]+", "-", self.word.lower()).strip("-")


def of_plan(plan: Plan) -> list[Term]:
    """The terms that the page of a run may use."""
    left = (
        *(() if plan.tail else OF_TAILS),
        *(() if _has_models(plan) else OF_MODELS),
        *(() if any(problem.ranks > 1 for problem in plan.problems) else OF_RANKS),
    )
    own = (term for term in TERMS if term not in left)
    disturbed = f"{definition(plan)} {RULE}"
    return [replace(t, definition=disturbed) if t.word == "disturbed" else t for t in own]


def of_texts(texts: Iterable[str], heads: Iterable[str]) -> list[Term]:
    """The terms that sentences link to, or that headings of tables have."""
    said = " ".join(texts).lower()
    headed = [of_head(head) for head in heads]
    return [term for term in TERMS if term in headed or (term.linked and term.word in said)]


def of_head(head: str) -> Term | None:
    """The term that a heading of a table stands for; None without a definition."""
    return _BY_HEAD.get(re.sub(r" \d+", " N", head))


def _has_models(plan: Plan) -> bool:
    return any(problem.model for problem in plan.problems)


OF_TAILS: Final = (
    *(
        Term(
            f"p{percent}",
            f"Milliseconds that {percent} % of the single calls do not exceed. In brackets is the "
            "95 % interval.",
            (head,),
        )
        for percent, head in zip(PERCENTS, tails.HEADS, strict=True)
    ),
    Term(tails.OF_SESSIONS, "The smallest and the largest p99 of a session, in milliseconds."),
    Term("slowest ms", "Milliseconds of the slowest of these calls."),
    Term("calls", "Number of single calls of all sessions."),
    Term("in disturbed rounds", "How many of these calls were in disturbed rounds."),
)
"""Terms of a run with --tail alone."""
OF_RANKS: Final = tuple(Term(word, ranks.MEANINGS[word]) for word in ranks.MEANINGS)
"""Terms of a run with problems of several ranks alone."""
OF_MODELS: Final = (
    Term("model", "The model and its step; its attention layers take the implementation."),
    Term(
        in_models.SHARE,
        "The time of attention over the time of the step, median over the sessions, from steps "
        "with clocks at both ends of each attention call. In parentheses is the spread.",
    ),
    Term(
        in_models.BOUND,
        "What a free attention saves of the baseline's step, and the speed-up that this is: "
        "Amdahl's law with the baseline's share of attention.",
    ),
    Term(
        in_models.BY_ATTENTION,
        "Attention of the baseline minus its own, over the step of the baseline.",
    ),
    Term(in_models.MEASURED, "1 minus the ratio of the whole steps, with its 95 % interval."),
    Term(
        in_models.BESIDE,
        "Whether the whole interval of the measured saving is more or less than any session's "
        "saving by attention, by more than delta.",
    ),
)
"""Terms of a run with steps of models alone."""
TERMS: Final = (
    Term(
        "problem",
        "Batch b, heads h, length t, head dimension d, mask, data type and device of one "
        "measurement. --problem takes the same words.",
    ),
    Term("problems", "The problems that a row summarizes."),
    Term("implementation", "A function that computes attention, as --impl takes it."),
    Term("threads", "Number of CPU threads that the implementation may use."),
    Term(
        "disturbed",
        f"{DEFINITION} {RULE}",
        ("disturbed rounds",),
        linked=True,
    ),
    Term(
        "noise floor",
        "The relative difference that identical code stays below in 95 % of runs, measured with a "
        "twin of the baseline. A smaller difference is not shown to be one.",
        ("floor",),
        linked=True,
    ),
    Term("round", "One pass over the implementations of a problem; each is timed once."),
    Term("sessions", "Number of separate processes that took times."),
    Term("samples", "Number of timed rounds of all sessions. A sample may be many calls."),
    Term(
        "median ms",
        "Milliseconds of one call: the median of the session medians.",
        ("ms", "ms in run N", "its ms"),
    ),
    Term("spread ms", "The smallest and the largest session median, in milliseconds."),
    Term(
        "peak MiB",
        "The most bytes that one call holds at a time beside its inputs, in MiB.",
        ("MiB above the inputs",),
    ),
    Term(
        "us per token",
        "Microseconds of one call over its new tokens, the queries of all batch rows.",
        ("Time per new token",),
    ),
    Term("resident MiB", "Growth of the resident memory of the process by one call, in MiB."),
    Term(
        "share of attainable",
        "The reached rate over the rate that this machine can reach for the same work: the lower "
        "of its measured compute and bandwidth ceilings.",
    ),
    Term(
        "share of the gate",
        "The rounding error over the error that the gate allows. Below 1 the output agrees.",
        ("share of the bound",),
    ),
    Term("first call ms", "Milliseconds of the first call, which may compile or allocate."),
    Term("prepare ms", "Milliseconds of set-up before the first call; they are not timed again."),
    Term("compilations", "Number of compilations before the timed calls."),
    Term(
        "compile ms",
        "Milliseconds that torch spent on compilations. Sessions load the code that the check "
        "compiled.",
    ),
    Term(
        "page faults per call",
        "Minor page faults of one call: pages that the system mapped without reading a disk.",
    ),
    Term("host ms", "Milliseconds that the host takes to launch one call on an idle GPU."),
    Term(
        "mJ per call",
        "Millijoules of one call, of all that ran on the processor package or the GPU meanwhile.",
    ),
    Term(
        "kernel",
        "The kernels that do the work of one call, as torch's profiler saw them in the check. "
        f"Same kernel: {kernels.MEANING[0].lower()}{kernels.MEANING[1:]}",
    ),
    Term("clock", "The clock that took the times, and notes on how the calls differ."),
    Term(launches.HOST_BOUND, launches.MEANING, linked=True),
    Term(
        "ratio",
        "The time over the time of the baseline, paired within each session. Below 1 is faster. "
        "In brackets is the 95 % confidence interval.",
        ("ratio [95 %]",),
    ),
    Term(
        "verdict",
        "The conclusion from the interval: faster, slower, same, inconclusive or not judged.",
    ),
    Term("reason", "Why there is no time or no verdict, or what restricts the verdict."),
    Term("against", "The baseline: the implementation that the ratio divides by."),
    Term("more sessions", "Estimated number of further sessions that would give a verdict."),
    Term("ratio with disturbed", "The same ratio from all rounds, disturbed ones included."),
    Term("RMS error", "Root mean square of the error over that of the exact output."),
    Term("what it computes", "The function that it computes, where that is not attention."),
    Term("relative error", "RMS of the error over RMS of the float64 reference."),
    Term("frontier", "Yes if no other is as fast and as small, and better in one of the two."),
    Term("first exponent", "The power of the length that the time grows by at the shortest pair."),
    Term("last exponent", "The power of the length that the time grows by at the longest pair."),
    Term("time follows", "Sums of powers of the length T that the times do not contradict."),
    Term(
        "forecast",
        "Whether the held-out times lie within their predicted intervals: hit, miss or too wide.",
    ),
    Term(
        "held out",
        "The longest lengths: predicted from the shorter ones, with interval, and measured.",
        ("held out: predicted and measured",),
    ),
    Term("bytes above the inputs at length T", "A polynomial in T that gives the measured bytes."),
    Term("longest that fits", "The length at which inputs and peak fill the whole memory."),
    Term("resident / requested", "Growth of resident memory over the requested bytes."),
    Term("meaning", "The polynomial's terms as numbers of tensors."),
    Term("tried", "The longest measured length, and forecasts of longer ones."),
    Term("changes to", "The implementation that is faster above the crossing."),
    Term("from", "The implementation that is faster below the crossing."),
    Term("at", "The size at which the two times are equal, interpolated."),
    Term("95 %", "The confidence interval of that size."),
    Term("on", "The problems or the device that the row is about."),
    Term("leads", "Yes if the fastest of all changes at that size."),
    Term("measured between", "The two measured sizes around the crossing."),
    Term("chance of no change", "The probability that the order does not change."),
    Term("note", "What restricts the row."),
    Term("at best", "The largest share of the attainable rate over the problems."),
    Term("at worst", "The smallest share of the attainable rate over the problems."),
    Term("there", "The problem with the share beside it."),
    Term("run", "The later of the two runs."),
    Term("after", "The earlier of the two runs."),
    Term(
        "bitwise equal",
        "Whether repeated calls gave equal bits.",
        ("bitwise equal over N repeats",),
    ),
    Term(
        "independent of its batch",
        "Whether a row's output has equal bits in a batch of 1 and of 8.",
        (INDEPENDENT,),
    ),
    Term(
        "worst row", "RMS of the error over RMS of the reference, for the worst row of any tensor."
    ),
    Term("cosine", "Cosine of the angle between output and reference; 1 is the same direction."),
    Term("second call", "Whether a second call on the same inputs gave the same bits."),
    Term(
        "scale off by",
        "In half precision: relative error of the scale, from the error along its derivative.",
    ),
    Term("hard inputs", "Number of small problems with large scores, outliers and the like."),
    Term("repeat", "The command that measures the row again; and one that profiles it."),
    *OF_TAILS,
    *OF_MODELS,
    *OF_RANKS,
)
_BY_HEAD: Final = {head: term for term in TERMS for head in (term.word, *term.heads)}
