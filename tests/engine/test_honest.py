"""The implementations of `impls` pass the process-state check in timed sessions and checks."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

import impls
from impls.interface import Implementation, Problem
from suites.engine import tasks, timed
from tests.engine.test_timed import Log, task

KNOWN = impls.load()
HONEST = impls.select([n for n, each in KNOWN.items() if isinstance(each, Implementation)], KNOWN)
TEXTS = ("b2 h2 t33 d16 causal fp32 train cpu", "b1 h4/2 t48 d16 window:9 bf16 cpu")


@pytest.fixture(autouse=True)
def _no_process_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(status: int) -> None:
        raise AssertionError(f"the process was to end with status {status}")

    monkeypatch.setattr(os, "_exit", ended)


def asked(text: str, **changes: Any) -> dict[str, Any]:
    names = [str(each) for each in HONEST if not each.refusals(Problem.parse(text))]
    files = {
        str(each): {p.name: p.file for p in (each, each.inner) if p}
        for each in HONEST
        if str(each) in names
    }
    return task(*names, problem=text, files=files, **changes)


def faults_of(does: Callable[[dict[str, Any], Log], None], wanted: dict[str, Any]) -> list[str]:
    log = Log()
    does(wanted, log)
    assert sorted(log.records) == sorted(wanted["implementations"])
    return [f"{name}: {made.reason}" for name, made in log.records.items() if made.reason]


@pytest.mark.parametrize("text", TEXTS)
def test_every_implementation_is_timed_without_a_fault(text: str) -> None:
    wanted = asked(text, round_budget_ms=5.0)
    assert len(wanted["implementations"]) > 3
    assert faults_of(timed.measure, wanted) == []


def test_a_check_leaves_the_process_as_it_was() -> None:
    names = ("sdpa_flash", "chunked")
    files = {name: {name: str(impls.FOLDER / f"{name.partition('_')[0]}.py")} for name in names}
    wanted = task(*names, problem="b1 h2 t32/64 d16 full fp32 cpu", files=files, session=0)
    assert faults_of(tasks.check, wanted) == []
