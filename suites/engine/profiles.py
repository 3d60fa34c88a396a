"""The task `TakeProfile`: the profile of one implementation on one problem."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

import torch
from torch import Tensor

from suites.engine.call_limits import limited_memory, preparing, quiet
from suites.engine.gauge import page_faults
from suites.engine.messages import ProfileTaken
from suites.engine.outcome import clear_caches, recorded, resolve_in
from suites.engine.pipe import Sender
from suites.engine.protocol import TakeProfile
from suites.engine.timed_model import surrounded
from suites.measure import compilers, memory, perf_counters, timing
from suites.measure.devices import device
from suites.measure.inputs import call_of, make_inputs
from suites.measure.preparing import Preparation
from suites.measure.profiler import snapshot
from suites.measure.profiler.model_layers import LayerFrames
from suites.measure.profiler.profiling import Profiled, profiled
from suites.measure.profiler.source_lines import CALL, Frames
from suites.measure.unseen import unseen
from suites.models.steps import ModelSteps, Step
from suites.records.kernels import UNSEEN
from suites.records.profile import MemoryProfile, Profile

FAULT_CALLS: Final = 5
"""Plain calls over which page faults are averaged, at most."""
COUNTED_MS: Final = 500.0
"""Time of plain calls over which hardware counters are averaged."""
MOST_COUNTED: Final = 1000
"""Calls of them at most."""


def take_profile(task: TakeProfile, sender: Sender) -> None:
    """Send the profile of the implementation; the record of its failure where it fails."""
    (name,) = task.implementations
    compilers.forget()
    compilers.name_kernels()
    with compilers.cold(), quiet(), surrounded(task.problem):
        recorded(task, name, sender, partial(_take, task, name, sender))


def _take(task: TakeProfile, name: str, sender: Sender) -> None:
    """Set the implementation up, warm it up, and profile its call."""
    each, problem = resolve_in(task, name), task.problem
    clear_caches(each)
    clock = device(problem.device, cold=False).clock
    preparation = Preparation(each, partial(preparing, sender))
    subject = (_step if problem.model else _call)(task, preparation)
    memory.settle(problem.device, getattr(torch, problem.dtype))
    with limited_memory(task.settings.memory_limit, problem.device):
        call, prepared = subject.prepared()
        with preparation.first(problem, problem):
            made, usage = memory.measure(call, problem.device, subject.held, prepared)
        del made
        timing.warm_up(call, clock)
        compile_ms = compilers.compile_ms()
        found = profiled(call, problem, clock, usage.kept_bytes or 0, frames=subject.frames)
        snapshots = _write_snapshot(task, call)
        calls = counted_calls(median(found.plain_ms))
        faults = _page_faults(call, min(calls, FAULT_CALLS))
        counters = perf_counters.read(call, calls)
    reason = unseen(each) or usage.unseen
    trace = _write_trace(task, found)
    sender.send(
        ProfileTaken(
            profile=Profile(
                implementation=name,
                problem=problem,
                threads=task.threads,
                plain_ms=found.plain_ms,
                profiled_ms=found.profiled_ms,
                compile_ms=compile_ms or None,
                in_model=found.in_model,
                nodes=found.nodes,
                memory=None if reason else _with_system(found.memory, faults, usage),
                kernels=found.kernels,
                counters=counters,
                no_lines=found.no_lines,
                unseen="" if found.kernels else UNSEEN,
                files=(trace, *snapshots),
            )
        )
    )


class _Subject(NamedTuple):
    """A call, or a step of a model, before it is profiled.

    held      tensors that it gets
    prepared  makes the call; returns it with the bytes that its preparation keeps
    """

    held: Sequence[Tensor]
    frames: Frames
    prepared: Callable[[], tuple[Step, int]]


def _call(task: TakeProfile, preparation: Preparation) -> _Subject:
    """The call of a problem."""
    problem, each = task.problem, preparation.implementation
    inputs = make_inputs(problem, purpose="profile", session=task.session, seed=task.seed)
    held = [x for x in (inputs.q, inputs.k, inputs.v, inputs.grad) if x is not None]

    def prepared() -> tuple[Step, int]:
        prepare = partial(preparation.bound, problem)
        kept = memory.kept_by(prepare, problem.device) if each.prepares else 0
        return call_of(preparation.bind(problem, inputs), inputs), kept

    return _Subject(held, CALL, prepared)


def _step(task: TakeProfile, preparation: Preparation) -> _Subject:
    """The step of the model of a problem; its layers prepare the implementation."""
    steps, frames = ModelSteps(task.problem, task.seed), LayerFrames()
    given = steps.given(task.session)
    model = steps.within(preparation.implementation, frames.around).model
    return _Subject(given.tensors, frames, lambda: (steps.step(model, given), 0))


def counted_calls(call_ms: float) -> int:
    """Plain calls over which counters are averaged; one where a call is long."""
    return max(1, round(COUNTED_MS / max(call_ms, COUNTED_MS / MOST_COUNTED)))


def _page_faults(call: timing.Call, calls: int) -> float:
    """Minor page faults of plain calls, mean."""
    before = page_faults()
    for _ in range(calls):
        call()
    return (page_faults() - before) / calls


def _with_system(found: MemoryProfile, faults: float, usage: memory.Usage) -> MemoryProfile:
    return replace(found, page_faults=faults, resident_bytes=usage.resident_bytes)


def _write_trace(task: TakeProfile, found: Profiled) -> str:
    """The name of the trace that is written for chrome://tracing and ui.perfetto.dev."""
    file = _file(task, ".trace.json")
    found.results.save(str(file))
    return file.name


def _write_snapshot(task: TakeProfile, call: timing.Call) -> tuple[str, ...]:
    """The name of the memory snapshot that is written; none where there is no snapshot."""
    file = _file(task, snapshot.ENDING)
    written = task.problem.device == "cuda" and snapshot.write(call, file, torch.cuda)
    return (file.name,) if written else ()


def _file(task: TakeProfile, ending: str) -> Path:
    """A file of this profile, in a folder that exists."""
    file = Path(task.folder) / f"{task.stem}{ending}"
    file.parent.mkdir(parents=True, exist_ok=True)
    return file
