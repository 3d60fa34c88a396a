"""How the states of answers are named and explained."""

from __future__ import annotations

from typing import Final

from reports.rows.answers import Ending, State

RUN_ENDED: Final = "the run ended before it"
"""The reason of what was not reached, where no record has one."""
NO_TIMES: Final = "No time was taken in this run."

STATUS_WORDS: Final[dict[State, str]] = {
    "ok": "agrees",
    "wrong": "wrong",
    "crashed": "crashed",
    "failed": "failed",
    "out_of_memory": "out of memory",
    "timed_out": "timed out",
    "refused": "refused",
    "missing": "missing",
    "not_reached": "not reached",
}
"""Every state, in the order they are shown in."""
SHORT_WORDS: Final[dict[State, str]] = {
    **STATUS_WORDS,
    "out_of_memory": "oom",
    "timed_out": "timeout",
    "refused": "-",
    "not_reached": "…",
}
MEANINGS: Final[dict[State, str]] = {
    "wrong": "its output differs from the reference, so it is not timed",
    "crashed": "its process ended",
    "failed": "it raised an error",
    "out_of_memory": "it needs more memory than there is or was allowed",
    "timed_out": "it takes longer than was allowed",
    "refused": "the problem is outside its declared limits",
    "missing": "it cannot be imported here",
    "not_reached": "the run or its budget (--budget) ended before it",
}


def reason(cause: Ending, text: str) -> str:
    """The reason of a state: the record's, or that the run ended."""
    return RUN_ENDED if cause == "run_ended" else text
