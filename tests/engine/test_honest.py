"""The implementations of `impls` pass the process-state check in timed sessions and checks."""

from __future__ import annotations

import os
from typing import Any

import pytest

import impls
from impls.interface import Implementation, Problem
from suites.engine.check import check
from suites.engine.messages import Made, Message
from suites.engine.pipe import Sender
from suites.engine.protocol import Check, Measure
from suites.engine.timed_rounds import measure
from suites.records.record import CHECK, Record
from suites.records.settings import Settings

KNOWN = impls.load()
HONEST = impls.select([n for n, each in KNOWN.items() if isinstance(each, Implementation)], KNOWN)
PROBLEMS = ("b2 h2 t33 d16 causal fp32 train cpu", "b1 h4/2 t48 d16 window:9 bf16 cpu")
SETTINGS = Settings(sessions=1, memory_limit=1 << 40, threads=(2,))


@pytest.fixture(autouse=True)
def _no_process_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(status: int) -> None:
        raise AssertionError(f"the process would have ended with status {status}")

    monkeypatch.setattr(os, "_exit", ended)


class Log(Sender):
    """Keeps the records instead of sending messages."""

    def __init__(self) -> None:
        super().__init__(-1)
        self.records: list[Record] = []

    def send(self, message: Message) -> None:
        if isinstance(message, Made):
            self.records.append(message.record)


def able(problem: Problem) -> list[Implementation]:
    return [each for each in HONEST if not each.refusals(problem)]


def on_problem(session: int, problem: Problem, chosen: list[Implementation]) -> dict[str, Any]:
    """The fields of every task on a problem."""
    return {
        "session": session,
        "problem": problem,
        "implementations": tuple(map(str, chosen)),
        "files": {str(x): {p.name: p.file for p in (x, x.inner) if p} for x in chosen},
        "seed": 3,
        "settings": SETTINGS,
    }


def assert_no_fault(log: Log, chosen: list[Implementation]) -> None:
    assert sorted(record.implementation for record in log.records) == sorted(map(str, chosen))
    assert [f"{each.implementation}: {each.reason}" for each in log.records if each.reason] == []


@pytest.mark.parametrize("text", PROBLEMS)
def test_every_implementation_is_timed_without_a_fault(text: str) -> None:
    problem, log = Problem.parse(text), Log()
    chosen = able(problem)
    assert len(chosen) > 3
    task = on_problem(1, problem, chosen)
    measure(Measure(**task, round_budget_ms=5.0, threads=2, twin_of=str(chosen[0])), log)
    assert_no_fault(log, chosen)


def test_a_check_leaves_the_process_state_unchanged() -> None:
    problem, log = Problem.parse("b1 h2 t32/64 d16 full fp32 cpu"), Log()
    chosen = impls.select(["sdpa_flash", "chunked"], KNOWN)
    check(Check(**on_problem(CHECK, problem, chosen)), log)
    assert_no_fault(log, chosen)
