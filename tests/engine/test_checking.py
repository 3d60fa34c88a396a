"""The time of an implementation in the check."""

from __future__ import annotations

import pytest

import impls
from impls.interface import Implementation, Problem
from suites.agreement.checker import Checker
from suites.engine.check import check
from suites.engine.messages import Begin, Message
from suites.engine.pipe import Sender
from suites.engine.protocol import Check
from suites.measure import memory
from suites.records.record import CHECK
from suites.records.settings import Settings


class Log(Sender):
    """Keeps the kinds of messages, and whatever else is appended."""

    def __init__(self) -> None:
        super().__init__(-1)
        self.events: list[str] = []

    def send(self, message: Message) -> None:
        self.events.append(message.kind)


def test_workspaces_and_references_are_made_before_an_implementation_is_at_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log, each = Log(), impls.load()["naive"]
    assert isinstance(each, Implementation)
    settle, prepare, checks = memory.settle, Checker.prepare, Checker.check
    for owner, name, own in (
        (memory, "settle", settle),
        (Checker, "prepare", prepare),
        (Checker, "check", checks),
    ):

        def noted(*arguments: object, name: str = name, own: object = own) -> object:
            log.events.append(name)
            return own(*arguments)  # type: ignore[operator] # each of the three

        monkeypatch.setattr(owner, name, noted)
    task = Check(
        session=CHECK,
        problem=Problem.parse("b1 h1 t16 d8 full"),
        implementations=("naive",),
        files={"naive": {"naive": each.file}},
        seed=3,
        settings=Settings(sessions=1, memory_limit=1 << 40, threads=(1,)),
    )
    check(task, log)
    begin = Begin(problem=task.problem, implementation="naive").kind
    last = len(log.events) - 1 - log.events[::-1].index(begin)
    assert log.events.index("prepare") < last
    assert log.events.index("settle") < last < log.events.index("check")
