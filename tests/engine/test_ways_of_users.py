"""Files that use reentrant checkpoints or garbage-collection hooks are checked and timed."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

import pytest

import impls
from impls.interface import Implementation, Problem
from suites.engine.check import check
from suites.engine.messages import Made, Message
from suites.engine.pipe import Sender
from suites.engine.protocol import Check, Measure
from suites.engine.timed_rounds import measure
from suites.measure.gradients import BY_BACKWARD
from suites.records.record import CHECK, Record
from suites.records.settings import Settings

REENTRANT = """
import torch
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.checkpoint import checkpoint


def mine(q, k, v):
    return checkpoint(scaled_dot_product_attention, q, k, v, use_reentrant=True)
"""
WITH_HOOK = """
import gc

from torch.nn.functional import scaled_dot_product_attention

COLLECTED = []


def note(phase, info):
    COLLECTED.append(phase)


gc.callbacks.append(note)


def mine(q, k, v):
    return scaled_dot_product_attention(q, k, v)
"""
HOOK_IN_CALL = """
import gc

from torch.nn.functional import scaled_dot_product_attention


def note(phase, info):
    pass


def mine(q, k, v):
    if note not in gc.callbacks:
        gc.callbacks.append(note)
    return scaled_dot_product_attention(q, k, v)
"""
WRONG = """
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.checkpoint import checkpoint


def almost(q, k, v):
    return scaled_dot_product_attention(q, k, 1.01 * v)


def mine(q, k, v):
    return checkpoint(almost, q, k, v, use_reentrant=True)
"""


pytestmark = pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
"""torch's warning on a reentrant checkpoint in a forward call; tests turn warnings into errors."""


class Log(Sender):
    """Keeps the records instead of sending messages."""

    def __init__(self) -> None:
        super().__init__(-1)
        self.records: list[Record] = []

    def send(self, message: Message) -> None:
        if isinstance(message, Made):
            self.records.append(message.record)


@pytest.fixture(autouse=True)
def _hooks_and_process_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gc, "callbacks", list(gc.callbacks))

    def ended(status: int) -> None:
        raise AssertionError(f"the process would have ended with status {status}")

    monkeypatch.setattr(os, "_exit", ended)


def checked_and_timed(path: Path, text: str, problem: str) -> list[Record]:
    path.write_text(text)
    each = impls.load([path])["mine"]
    assert isinstance(each, Implementation)
    task: dict[str, Any] = {
        "problem": Problem.parse(problem),
        "implementations": ("mine",),
        "files": {"mine": {"mine": each.file}},
        "seed": 3,
        "settings": Settings(sessions=1, memory_limit=1 << 40, threads=(1,)),
    }
    log = Log()
    check(Check(session=CHECK, **task), log)
    if log.records[0].status == "ok":
        measure(Measure(session=1, **task, round_budget_ms=5.0, threads=1, twin_of="mine"), log)
    return log.records


@pytest.mark.parametrize("problem", ["b2 h2 t64 d16 full train", "b2 h2 t64 d16 full"])
def test_a_reentrant_checkpoint_is_timed_and_its_records_state_backward(
    problem: str, tmp_path: Path
) -> None:
    records = checked_and_timed(tmp_path / "mine.py", REENTRANT, problem)
    assert [(each.status, each.reason) for each in records] == [("ok", "")] * 2
    assert len(records[1].times_ms) > 0
    notes = [BY_BACKWARD] if "train" in problem else []
    for each in records:
        assert [note for note in each.notes if note == BY_BACKWARD] == notes


def test_a_wrong_value_within_a_reentrant_checkpoint_is_found(tmp_path: Path) -> None:
    (record,) = checked_and_timed(tmp_path / "mine.py", WRONG, "b2 h2 t64 d16 full train")
    assert record.status == "wrong"
    assert "out is wrong" in record.reason


@pytest.mark.parametrize("text", [WITH_HOOK, HOOK_IN_CALL])
def test_a_file_that_appends_to_the_callbacks_of_garbage_collection_is_timed(
    text: str, tmp_path: Path
) -> None:
    records = checked_and_timed(tmp_path / "mine.py", text, "b2 h2 t64 d16 full train")
    assert [(each.status, each.reason) for each in records] == [("ok", "")] * 2
