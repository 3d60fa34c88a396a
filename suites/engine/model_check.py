"""The check of implementations within a model: its answers stay equal; memory of a step."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch

from impls.bridges.equal_calls import is_among
from impls.bridges.model_bridge import LayerRefusedError
from impls.interface import Problem
from suites.engine.call_limits import limited_memory, preparing
from suites.engine.messages import Begin, Made, Rest
from suites.engine.outcome import clear_caches, recorded, resolve_in
from suites.engine.pipe import Sender, one_line
from suites.engine.protocol import Check
from suites.engine.timed_model import surrounded
from suites.measure import compilers, memory
from suites.measure.preparing import Preparation
from suites.measure.unseen import unseen
from suites.models.packages import MissingPackageError
from suites.models.proof import Expected, expected, fault
from suites.models.steps import Given, ModelSteps
from suites.records.kernels import UNSEEN
from suites.records.record import CHECK, Agreement, Record

SEED = 1
"""Of the batch whose answers are compared."""


class OtherProblemError(ValueError):
    """A model whose layers make other calls than the problem states."""


def check(task: Check, sender: Sender) -> None:
    """Send a record of the proof and of memory for every implementation."""
    memory.self_check()
    sender.send(Rest())
    with surrounded(task.problem):
        try:
            steps = ModelSteps(task.problem, task.seed)
            given = steps.given(SEED)
            proof = expected(steps, given)
        except Exception as error:  # noqa: BLE001 - a user's model may raise anything
            for name in task.implementations:
                sender.send(Made(record=_unbuilt(task, name, error)))
            return
        for name in task.implementations:
            work = partial(_answered, task, name, sender, steps, given, proof)
            recorded(task, name, sender, work)


def _unbuilt(task: Check, name: str, error: Exception) -> Record:
    """The record of an implementation whose model cannot be built or called as it is stated."""
    missing = isinstance(error, MissingPackageError)
    kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
    said = f"{kind}{error}"
    if not said.startswith("model:"):
        said = f"model:{task.problem.model}: {said}"
    return Record(
        session=CHECK,
        problem=task.problem,
        implementation=name,
        status="missing" if missing else "failed",
        cause="not_importable" if missing else "exception",
        reason=one_line(said),
    )


def expect_stated(problem: Problem, seen: Sequence[Problem]) -> None:
    """Raise OtherProblemError where none of the calls that a model makes is the problem.

    Strides of q, k and v may differ.
    """
    if not is_among(problem, seen):
        every = dict.fromkeys(str(replace(each, layout="bhtd")) for each in seen)
        raise OtherProblemError(f"its layers make {' and '.join(every)}; state one of these")


def _answered(
    task: Check, name: str, sender: Sender, steps: ModelSteps, given: Given, proof: Expected
) -> Record:
    """The record of an implementation; of its refusal where it refuses a layer's problem."""
    try:
        return _check_one(task, name, sender, steps, given, proof)
    except OtherProblemError as error:
        return _unbuilt(task, name, error)
    except LayerRefusedError as refused:
        return Record(
            session=CHECK,
            problem=task.problem,
            implementation=name,
            status="refused",
            cause="limits",
            reason=str(refused),
        )


def _check_one(
    task: Check, name: str, sender: Sender, steps: ModelSteps, given: Given, proof: Expected
) -> Record:
    each, problem = resolve_in(task, name), task.problem
    sender.send(Rest())
    memory.settle(problem.device, getattr(torch, problem.dtype))
    sender.send(Begin(problem=problem, implementation=name))
    clear_caches(each)
    compilers.forget()
    preparation = Preparation(each, partial(preparing, sender))
    began_s = time.perf_counter()
    with steps.within(each) as bridge:
        step = steps.step(bridge.model, given)
        with (
            limited_memory(task.settings.memory_limit, problem.device),
            preparation.first(problem, problem),
        ):
            made, usage = memory.measure(step, problem.device, given.tensors)
    spent_ms = 1e3 * (time.perf_counter() - began_s)
    expect_stated(problem, bridge.problems)
    errors = proof.errors(made)
    wrong = fault(errors)
    reason = unseen(each) or usage.unseen
    return Record(
        session=CHECK,
        problem=problem,
        implementation=name,
        status="wrong" if wrong else "ok",
        cause="wrong_output" if wrong else "",
        reason=wrong,
        agreement=Agreement(tensors=errors),
        peak_bytes=None if reason else usage.peak_bytes,
        kept_bytes=None if reason else usage.kept_bytes,
        resident_bytes=usage.resident_bytes,
        unseen=reason,
        kernels=usage.kernels,
        notes=(*each.remarks(problem.attention), *([] if usage.kernels else [UNSEEN])),
        spent_ms=spent_ms,
        calls_ms=spent_ms,
    )
