"""How numbers, statuses and counts read: the same in the terminal, on charts and on the page."""

from __future__ import annotations

import math
import re
import shlex
import unicodedata
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from impls import FOLDER
from suites.records.plan import Entry, Plan

LONGEST_NAME: Final = 80
"""A name longer than that is abbreviated where it is one of many."""
MOST_PILED: Final = 3
"""Languages put so many accents on one letter; more reach into the lines around."""
LONGEST_TEXT: Final = 600
"""A text longer than that is folded, or abbreviated where it cannot be."""
MOST_SHARE: Final = 1000
"""A larger share of the gate says no more than that."""
UNREACHED: Final = "not_reached"
"""The state of a planned answer that nothing is known of: the run or its budget ended before it."""
RUN_ENDED: Final = "the run ended before it"
NO_TIMES: Final = "No time was taken in this run."

STATUS_WORDS: Final = {
    "ok": "agrees",
    "wrong": "wrong",
    "crashed": "crashed",
    "failed": "failed",
    "out_of_memory": "out of memory",
    "timed_out": "timed out",
    "refused": "refused",
    "missing": "missing",
    UNREACHED: "not reached",
}
"""Every state in words; after `ok` the gravest first, which is the order they are shown in."""
SHORT_WORDS: Final = {
    **STATUS_WORDS,
    "out_of_memory": "oom",
    "timed_out": "timeout",
    "refused": "-",
    UNREACHED: "…",
}
MEANINGS: Final = {
    "wrong": "its answer is not the reference's, so it is not timed",
    "crashed": "its process ended",
    "failed": "it raised an error",
    "out_of_memory": "it needs more memory than there is or was allowed",
    "timed_out": "it takes longer than was allowed",
    "refused": "the problem is outside its declared limits",
    "missing": "it cannot be imported here",
    UNREACHED: "the run or its budget (--budget) ended before it",
}


def known(value: Any) -> bool:
    """Whether something was measured: neither None nor a frame's empty cell."""
    return value is not None and value == value  # noqa: PLR0124 - NaN is unequal to itself


def three_digits(value: float) -> str:
    """A number with three significant digits and no exponent: 0.0123, 4.12, 412, 41200."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f}"


def milliseconds(value: float | None) -> str:
    """A time in milliseconds, without its unit; empty when not measured."""
    return three_digits(value) if value is not None and known(value) else ""


def mebibytes(value: float | None) -> str:
    """Bytes as MiB, without the unit; empty when not measured."""
    return three_digits(value / 2**20) if value is not None and known(value) else ""


def share(value: float | None) -> str:
    """The part of what the gate allows that was used: 0.12, >1000; empty for nothing compared."""
    if value is None or not known(value):
        return ""
    return f"{value:.2f}" if value <= MOST_SHARE else f">{MOST_SHARE}"


def attainable(share: float | None, *, checked_again: bool = False) -> str:
    """The part of the attainable that was reached; empty when not measured.

    Beyond the measured ceiling no number is worth showing: what was read came from nearer by.
    """
    if share is None or not known(share):
        return ""
    if share > 1:
        return "above the measured ceiling" + (", checked again" if checked_again else "")
    return f"{three_digits(100 * share)} %"


def number(value: float | None) -> str:
    """A count that may be an average: 0, 1.5, 412; empty when not measured."""
    return three_digits(value) if value is not None and known(value) else ""


def duration(seconds: float) -> str:
    """A time that people wait: 12 s, 20 min 17 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def counted(count: int, noun: str) -> str:
    """A count with its noun: 1 problem, 2 problems."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def printable(text: str) -> str:
    """The text on one line: line breaks become spaces, what a terminal would obey a mark.

    So does what hides or reorders the text around it, and accents piled upon accents.
    """
    line = re.sub(r"\s+", " ", text)
    if line.isascii() and line.isprintable():
        return line
    shown, piled = [], 0
    for each in line:
        piled = piled + 1 if unicodedata.category(each) in {"Mn", "Me"} else 0
        good = each.isprintable() and piled <= MOST_PILED
        shown.append(each if good else "\N{REPLACEMENT CHARACTER}")
    return "".join(shown)


def readable(text: str) -> str:
    """The same line by line: line breaks stay."""
    return "\n".join(map(printable, text.split("\n")))


def abbreviated(text: str, most: int = LONGEST_NAME) -> str:
    """The text on one line, without its middle where it has more than so many characters.

    Four digits of its hash stand in for the middle: two long texts never read alike.
    """
    line = printable(text)
    if len(line) <= most:
        return line
    mark = sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:4]
    tail = (most - 6) // 3
    return f"{line[: most - 6 - tail]}…{mark}…{line[-tail:]}"


def spread(low: float | None, high: float | None) -> str:
    """Two ends of a spread in milliseconds, as `4.10 to 4.31`; empty when not measured."""
    ends = (milliseconds(low), milliseconds(high))
    return " to ".join(ends) if all(ends) else ""


def moment(text: str | None) -> str:
    """A stored moment as people write it: 2026-01-02 03:04:05 UTC; empty without one."""
    return (text or "").replace("T", " ").replace("+00:00", " UTC")


def repeat_command(problem: str, entry: Entry) -> str:
    """The command that measures one implementation on one problem again."""
    asked = entry.name
    for name, file in entry.files.items():
        if Path(file).parent != FOLDER:  # a user's own: found by its path alone
            asked = asked.replace(name, f"{file}:{name}")
    return f"python run_bench.py run --problem {_quoted(problem)} --impl {_quoted(asked)}"


def labels(plan: Plan, *, threads: bool = True) -> list[str]:
    """What is not as usual in how a run was measured, which every title of its figures names.

    threads  with the largest number of them, where the figures are of one of several
    """
    some = threads and len(plan.threads) > 1
    return [
        *([f"cache {plan.cache}"] if plan.cache != "hot" else []),
        *([f"allocator {plan.allocator}"] if plan.allocator != "default" else []),
        *([counted(max(plan.threads), "thread")] if some else []),
    ]


def setting_options(plan: Plan, threads: int) -> str:
    """The options that measure under the settings of a plan again, after the command."""
    return "".join(
        (
            f" --threads {threads}",
            f" --cache {plan.cache}" if plan.cache != "hot" else "",
            f" --allocator {plan.allocator}" if plan.allocator != "default" else "",
        )
    )


def shared_words(problems: Iterable[str]) -> frozenset[str]:
    """The words that every one of several problems has; none when there is only one problem."""
    words = [set(problem.split()) for problem in problems]
    return frozenset(set.intersection(*words)) if len(words) > 1 else frozenset()


def without(problem: str, shared: frozenset[str]) -> str:
    """A problem without the words it shares with all others."""
    return " ".join(word for word in problem.split() if word not in shared) or problem


def _quoted(text: str) -> str:
    """In plain double quotes where a shell leaves that alone, else quoted as the shell needs."""
    return f'"{text}"' if re.fullmatch(r"[\w .,:;/+*()\[\]=~@-]*", text) else shlex.quote(text)
