"""Implementations as data, and the CPUs of a session."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from typing import Any

from impls.interface.implementation import from_function
from suites.engine import describe
from suites.records.codec import from_json, to_json
from suites.records.plan import Entry


def documented(q: Any, k: Any, v: Any) -> Any:
    """A \ud800 lone surrogate,\x1b[31m and a code of terminals.

    More.
    """


def test_a_description_is_one_line_that_can_be_sent() -> None:
    made = replace(from_function(documented), file=__file__)
    found = describe.entry_of(made)
    assert found.description == "A lone surrogate, and a code of terminals."
    assert from_json(Entry, to_json(found)) == found


def test_the_cpus_of_a_session_are_those_of_all_its_threads() -> None:
    every = os.sched_getaffinity(0)
    done, bound = threading.Event(), threading.Event()

    def elsewhere() -> None:
        os.sched_setaffinity(0, {max(every)})
        bound.set()
        done.wait(60)

    other = threading.Thread(target=elsewhere)
    other.start()
    bound.wait(60)
    os.sched_setaffinity(0, {min(every)})
    try:
        assert {min(every), max(every)} <= set(describe.cpus_of_threads())
    finally:
        os.sched_setaffinity(0, every)
        done.set()
        other.join()
