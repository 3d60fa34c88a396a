"""The task `Check`: agreement and memory of implementations on one problem."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch

from suites.agreement.checker import Checker
from suites.agreement.hard_checks import HardFindings
from suites.engine.call_limits import limited_memory, preparing
from suites.engine.messages import Begin, Rest, Risk
from suites.engine.outcome import clear_caches, recorded, resolve_in
from suites.engine.pipe import Sender
from suites.engine.protocol import Check
from suites.engine.ranks.readings import in_check, peak_bytes, ranks_of
from suites.measure import compilers, memory
from suites.measure.allocator import give_back
from suites.measure.memory import Usage
from suites.measure.unseen import unseen
from suites.records.kernels import UNSEEN, fallback
from suites.records.on_rank import OnRank
from suites.records.record import CHECK, Record


def check(task: Check, sender: Sender) -> None:
    """Send a record of agreement and memory for every implementation."""
    problem = task.problem
    memory.self_check()
    checker = Checker(
        problem,
        task.seed,
        partial(_limited, task.settings.memory_limit, problem.device),
        _checked_hard_inputs(),
        risks=lambda reason: sender.send(Risk(reason=reason)),
        announced=partial(preparing, sender),
        one_size=task.one_size,
        files=task.inputs,
    )
    for name in task.implementations:
        recorded(task, name, sender, partial(_check_one, task, name, sender, checker))


def _check_one(task: Check, name: str, sender: Sender, checker: Checker) -> Record:
    each = resolve_in(task, name)
    sender.send(Rest())
    checker.prepare(each)
    memory.settle(task.problem.device, getattr(torch, task.problem.dtype))
    sender.send(Begin(problem=task.problem, implementation=name))
    clear_caches(each)
    compilers.forget()
    found = checker.check(each)
    usage = found.usage
    on_ranks: tuple[OnRank, ...] = ()
    if (ranks := ranks_of(each)) and not found.fault:
        on_ranks = in_check(ranks, task.problem, task.seed)
        usage = Usage(peak_bytes(on_ranks), None)
    elif reason := unseen(each) or usage.unseen:
        usage = Usage(None, None, usage.resident_bytes, reason)
    named = found.operator or found.kernels or found.fault or each.takes_group
    return Record(
        session=CHECK,
        problem=task.problem,
        implementation=name,
        status="wrong" if found.fault else "ok",
        cause="wrong_output" if found.fault else "",
        reason=found.reason,
        slip=found.cause.slip if found.cause else "",
        cure=found.cause.cure if found.cause else "",
        agreement=found.agreement,
        peak_bytes=usage.peak_bytes,
        kept_bytes=usage.kept_bytes,
        resident_bytes=usage.resident_bytes,
        unseen=usage.unseen,
        operator=found.operator,
        kernels=found.kernels,
        fallback=fallback(found.operator, found.kernels),
        notes=(*each.remarks(task.problem), *found.notes, *([] if named else [UNSEEN])),
        mask_bytes=each.convention.mask_bytes(task.problem) if each.convention else None,
        on_ranks=on_ranks,
        spent_ms=found.call_ms,
        calls_ms=found.calls_ms,
    )


@contextmanager
def _limited(limit: int, device: str) -> Iterator[None]:
    """Limit the memory of a call; memory that earlier calls freed is not counted against it."""
    give_back(limit // 4)
    with limited_memory(limit, device):
        yield


@functools.cache
def _checked_hard_inputs() -> HardFindings:
    """Results on hard inputs, kept for the whole process."""
    return {}
