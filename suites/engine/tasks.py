"""What a session can be asked: to describe implementations, to check them, to time them.

Here stands the one broad `except` of the program: whatever an implementation does becomes a record.
"""

from __future__ import annotations

import functools
import os
import resource
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any, Final

import torch

import impls
from impls.interface import Implementation, Missing, Problem
from suites.agreement.checker import Checker
from suites.engine.guard import limited_memory, quiet
from suites.engine.messages import Sender
from suites.measure import machine, memory, rounds, timing
from suites.measure.inputs import call_of, make_inputs
from suites.records import plan, record
from suites.records.plan import Entry
from suites.records.record import CHECK, Record, Status

Task = dict[str, Any]


def catalogue(task: Task, sender: Sender) -> None:
    """Answer with the machine, every implementation found, and those that the specs select.

    specs    what was asked for; None selects all
    without  files that ended an earlier catalogue, by path, with the reason
    """
    known: dict[str, Implementation | Missing] = {}
    try:
        for path in impls.own_files():
            known |= _load(path, task["without"], sender, known)
        specs = task["specs"]
        if specs is None:
            specs = [name for name, each in known.items() if isinstance(each, Implementation)]
        for spec in specs:
            sender.send("begin", problem="", implementation=spec)
            impls.select([spec], known)
        selected = impls.select(specs, known)
    except ValueError as error:
        sender.send("refused", reason=str(error))
        return
    missing = [
        Entry(name=m.name, missing=m.reason) for m in known.values() if isinstance(m, Missing)
    ]
    entries = [*map(_entry, selected), *(missing if task["specs"] is None else ())]
    sender.send(
        "catalogue",
        machine=machine.describe(cores=task["cores"], threads=torch.get_num_threads()),
        entries=[plan.entry_to_json(each) for each in entries],
    )


def check(task: Task, sender: Sender) -> None:
    """Send a record of agreement and memory for every implementation named."""
    problem = Problem.parse(task["problem"])
    memory.self_check()
    memory.settle(problem.device, getattr(torch, problem.dtype))
    limit = partial(limited_memory, task["memory_limit"], problem.device)
    checker = Checker(problem, task["seed"], limit)
    for name in task["implementations"]:

        def answer(name: str = name) -> Record:
            each = _resolve(name, task["files"][name])
            sender.send("rest")
            checker.prepare(each)
            sender.send("begin", problem=task["problem"], implementation=name)
            _forget(each)
            found = checker.check(each)
            return Record(
                session=CHECK,
                problem=task["problem"],
                implementation=name,
                status="wrong" if found.fault else "ok",
                reason=found.fault,
                agreement=found.agreement,
                peak_bytes=found.usage.peak_bytes,
                kept_bytes=found.usage.kept_bytes,
                resident_bytes=found.usage.resident_bytes,
                operator=found.operator,
                spent_ms=found.call_ms,
            )

        _keep(task, name, sender, answer)


def measure(task: Task, sender: Sender) -> None:
    """Send a record with times for every implementation named, measured in interleaved rounds."""
    problem = Problem.parse(task["problem"])
    inputs = make_inputs(problem, purpose="time", session=task["session"], seed=task["seed"])
    clock = timing.clock_for(problem.device)
    arms: dict[str, rounds.Arm] = {}
    first_ms: dict[str, float] = {}

    for name in task["implementations"]:

        def set_up(name: str = name) -> None:
            mask = problem.mask.resolved(problem.batch, problem.key_length)
            each = _resolve(name, task["files"][name])
            _forget(each)
            function = each.bound(mask=mask, scale=problem.softmax_scale)
            call = call_of(function, inputs)
            with limited_memory(task["memory_limit"], problem.device):
                first_ms[name] = timing.sample(call, 1, clock)
                before = _page_faults()
                expected_ms = task["expected_ms"][name]
                if timing.LEAD_IN_BELOW_MS < expected_ms <= timing.LONG_MS:
                    arm = rounds.Arm(name, call, expected_ms)  # its first call has warmed it
                else:
                    arm = rounds.Arm(name, call, timing.warm_up(call, clock))
            if arm.call_ms > timing.LONG_MS:  # its one warming call is its one sample
                arm.times_ms, arm.faults = [arm.call_ms], [_page_faults() - before]
            arms[name] = arm

        _keep(task, name, sender, set_up)
    taken = _time(task, sender, [arm for arm in arms.values() if not arm.times_ms], clock)
    for arm in (*taken, *(arm for arm in arms.values() if arm.call_ms > timing.LONG_MS)):
        sender.send("record", record=record.to_json(_timed(task, arm, first_ms[arm.name])))


TASKS: Final[dict[str, Callable[[Task, Sender], None]]] = {
    "catalogue": catalogue,
    "check": check,
    "measure": measure,
}


def _time(
    task: Task, sender: Sender, arms: list[rounds.Arm], clock: timing.Clock
) -> list[rounds.Arm]:
    """Run the rounds; an arm that fails in them is recorded, and the others start over."""
    random = Random(f"{task['seed']}|{task['session']}|{task['problem']}")
    turn = ""

    def announce(name: str) -> None:
        nonlocal turn
        turn = name
        sender.send("begin", problem=task["problem"], implementation=name)

    def take() -> None:
        device = Problem.parse(task["problem"]).device
        count = rounds.rounds_within(task["round_budget_ms"], arms)
        with quiet(), limited_memory(task["memory_limit"], device):
            rounds.run_rounds(
                arms, count, clock, random, announce=announce, page_faults=_page_faults
            )

    while arms:
        try:
            take()
        except BaseException as error:
            if not turn:
                raise  # nobody's turn had come: this is ours
            _send_fault(task, turn, sender, error)
            arms = [replace(arm, times_ms=[], faults=[]) for arm in arms if arm.name != turn]
        else:
            break
    return arms


def _page_faults() -> int:
    """Minor page faults of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def _timed(task: Task, arm: rounds.Arm, first_call_ms: float) -> Record:
    return Record(
        session=task["session"],
        problem=task["problem"],
        implementation=arm.name,
        status="ok",
        first_call_ms=first_call_ms,
        times_ms=tuple(arm.times_ms),
        calls_per_sample=arm.calls,
        page_faults=fmean(arm.faults) / arm.calls,
    )


def _keep(task: Task, name: str, sender: Sender, answer: Callable[[], Record | None]) -> None:
    """Let an implementation answer, and send the record of it, or of how it failed."""
    sender.send("begin", problem=task["problem"], implementation=name)
    try:
        made = answer()
    except BaseException as error:  # noqa: BLE001 - whatever it did becomes its record
        _send_fault(task, name, sender, error)
        return
    if made is not None:
        sender.send("record", record=record.to_json(made))


def _send_fault(task: Task, name: str, sender: Sender, error: BaseException) -> None:
    """The record of an exception. After running out of memory the process ends: it is not sound."""
    status, reason = _fault(error, task["memory_limit"])
    made = Record(
        session=task["session"],
        problem=task["problem"],
        implementation=name,
        status=status,
        reason=reason,
    )
    sender.send("record", record=record.to_json(made))
    if status == "out_of_memory":
        os._exit(0)


def _fault(error: BaseException, memory_limit: int) -> tuple[Status, str]:
    text = " ".join(str(error).split())[:300]
    if isinstance(error, torch.OutOfMemoryError):
        return "out_of_memory", text
    if isinstance(error, MemoryError) or "can't allocate memory" in text:
        limit = f"one call may add {memory_limit / 2**30:.2f} GiB (--memory-limit)"
        return "out_of_memory", f"{limit}: {text or type(error).__name__}"
    return "failed", f"{type(error).__name__}: {text}" if text else type(error).__name__


def _load(
    path: Path, without: dict[str, str], sender: Sender, known: dict[str, Implementation | Missing]
) -> dict[str, Implementation | Missing]:
    sender.send("begin", problem="", implementation=str(path))
    if str(path) in without:
        return {path.stem: Missing(path.stem, without[str(path)])}
    found = impls.load([path])
    for name in found.keys() & known.keys():
        other = known[name]
        where = other.file if isinstance(other, Implementation) else "impls"
        raise ValueError(f"the name {name!r} is used in {where} and in {path}; rename one")
    return found


def _resolve(name: str, files: dict[str, str]) -> Implementation:
    """The implementation printed as `name`, from the files that define it and its inner one."""
    known: dict[str, Implementation | Missing] = {
        defined: impls.load_file(Path(file), defined)[0] for defined, file in files.items()
    }
    return impls.select([name], known)[0]


def _forget(each: Implementation) -> None:
    """Empty the caches of its files, so that its first call on every problem includes set-up."""
    for part in filter(None, (each, each.inner)):
        for value in list(vars(sys.modules[part.function.__module__]).values()):
            if isinstance(value, functools._lru_cache_wrapper):  # noqa: SLF001 - the type's only name
                value.cache_clear()


def _entry(each: Implementation) -> Entry:
    parts = [each, *([each.inner] if each.inner else [])]
    lines = (each.function.__doc__ or "").strip().splitlines()
    return Entry(
        name=str(each),
        files={part.name: str(Path(part.file).resolve()) for part in parts},
        hashes={part.name: impls.fingerprint(part.file) for part in parts},
        limits=each.limits,
        inner_limits=each.inner.limits if each.inner else (),
        choices={name: list(map(str, values)) for name, values in each.choices.items()},
        layer=each.projections is not None,
        description=lines[0] if lines else "",
    )
