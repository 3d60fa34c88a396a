"""The task `ChooseReadings`: how a callable of another convention is called, found by trials.

A reading states what a mask parameter means and in which layout tensors are. Each reading is tried
on small problems with the features of those that the run has. The first one that is right on most
of them is used.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from inspect import ismodule
from typing import Final

import torch
from torch import Tensor

from impls import reference
from impls.interface import Implementation, Limits, Problem, implementation
from impls.interface.limits import EVERY_MASK
from impls.interface.reading import Reading
from suites.agreement.small_problems import SmallProblems, kind_of, sizes_of
from suites.engine.call_limits import limited_memory, preparing
from suites.engine.messages import Begin, ReadingsChosen
from suites.engine.outcome import fault_of, resolve
from suites.engine.pipe import Sender, one_line
from suites.engine.protocol import ChooseReadings
from suites.measure.affinity import on_all_cpus
from suites.measure.compilers import compilers
from suites.measure.inputs import bind, make_inputs
from suites.process_state.state import ProcessState

MOST_KINDS: Final = 8
"""Small problems that readings are tried on, at most; the masks of the run come first."""
RIGHT: Final = 0.05
"""Relative RMS error up to which a reading is right: half precision stays below a hundredth, and
another mask or layout gives about 1."""
APPROXIMATE: Final = 0.5
"""The same for an approximation, whose own error may be some per cent."""
ENTRIES: Final = 1 << 24
"""Score entries, over all heads, up to which a reading is tried at the problem's own size."""
MEMORY: Final = 4 << 30
"""Bytes that a trial may add."""
TRIALS_S: Final = 20.0
"""Seconds after which no further reading of a slow function is tried."""
_SEVERAL: Final = "it returned several outputs"
CURE: Final = "if it computes another function, state its reference= (CONTRIBUTING.md)"
ARRAYS: Final = "its file uses numpy and no torch: convert q, k, v and out in a function of them"
MIXED: Final = "Expected all tensors to be on the same device"
"""torch's message where an operator gets tensors of two devices."""
ON_DEVICE: Final = "make its tensors on q.device"
NAMED: Final = 2
"""Faults that a message about a doubt names."""


@dataclass(frozen=True, slots=True)
class _Trials:
    """The results of one reading.

    faults  of each problem; "" where it is right
    raised  whether every call raised
    """

    reading: Reading
    faults: dict[Problem, str]
    raised: bool

    @property
    def right(self) -> int:
        """On how many problems it is right."""
        return sum(not fault for fault in self.faults.values())

    @property
    def is_of_no_reading(self) -> bool:
        """Whether the fault is the same in every reading: a name that the file does not define."""
        return any(fault.startswith("NameError") for fault in self.faults.values())


def choose_readings(task: ChooseReadings, sender: Sender) -> None:
    """Send the chosen readings of the implementation and of the attention inside it."""
    sender.send(Begin(problem=None, implementation=task.implementation))
    before = ProcessState()
    each = resolve(task.implementation, task.files)
    part = each.inner or each
    with preparing(sender) if compilers(part) else contextlib.nullcontext():
        made = _chosen(part, tuple(_kinds(part, task.problems)), task.seed)
    if before.changes():
        before.restore()  # the check finds what changes it
    sender.send(made)


def _chosen(part: Implementation, kinds: Sequence[Problem], seed: int) -> ReadingsChosen:
    if part.takes_group:  # it follows the contract
        return ReadingsChosen(readings={})
    trials = list(_tried(part, kinds, seed))
    if not trials:
        return ReadingsChosen(readings={})
    best = max(trials, key=lambda each: (each.right, not each.raised))
    if not best.right:
        return ReadingsChosen(
            readings=_by_name(part, best),
            doubt=_doubt(part, trials),
            cannot_be_called=all(trial.raised for trial in trials),
        )
    chosen = part.reading(best.reading)
    limits = chosen.limits
    if not part.states_limits:
        right = [problem for problem, fault in best.faults.items() if not fault]
        limits = tuple(_narrowed(each, chosen.fixed, right) for each in limits)
    return ReadingsChosen(readings=_by_name(part, best), limits=limits)


def _by_name(part: Implementation, trials: _Trials) -> dict[str, Reading]:
    return {part.name: trials.reading} if part.convention is not None else {}


def _kinds(part: Implementation, problems: Iterable[Problem]) -> Iterator[Problem]:
    """Small problems with the masks, lengths and heads of these, and no other features."""
    found: dict[Problem, None] = {}
    for problem in problems:
        plain = replace(
            problem.attention,
            training=False,
            layout="bhtd",
            value_dim=None,
            softcap=None,
            sink=False,
            bias=type(problem.bias)(),
            scale=problem.scale if "scale" in part.fixed else None,
        )
        if not part.refusals(plain):
            found.setdefault(plain)
    by_kind = {kind_of(each, part): each for each in reversed(found)}
    yield from list(by_kind.values())[::-1][:MOST_KINDS]


def _tried(part: Implementation, kinds: Sequence[Problem], seed: int) -> Iterator[_Trials]:
    """Trials of every reading that differs on these problems, until one is right on all."""
    if not kinds:
        return
    if part.convention is None:
        yield _try(part, Reading(), kinds, seed)
        return
    seen: set[object] = set()
    several = False
    start = time.perf_counter()
    for reading in part.convention.readings():
        each = replace(reading, first=several)
        key = (each.layout, *(_call_of(part.reading(each), kind) for kind in kinds))
        if key in seen:
            continue
        seen.add(key)
        found = _try(part.reading(each), each, kinds, seed)
        if _SEVERAL in found.faults.values():
            several, each = True, replace(each, first=True)
            found = _try(part.reading(each), each, kinds, seed)
        yield found
        is_late = time.perf_counter() - start > TRIALS_S
        if found.right == len(kinds) or found.is_of_no_reading or is_late:
            return


def _call_of(part: Implementation, problem: Problem) -> object:
    """What distinguishes the calls of two readings on a problem."""
    convention = part.convention
    if convention is None:
        return "contract"
    reading = convention.reading
    dense = (reading.meaning, reading.mask_dims) if convention.uses_dense(problem) else ()
    return dense, reading.window if problem.mask.kind == "window" else ""


def _try(tried: Implementation, reading: Reading, kinds: Sequence[Problem], seed: int) -> _Trials:
    """The results of one reading."""
    results = {problem: _result(tried, problem, seed) for problem in kinds}
    faults = {problem: fault for problem, (fault, _) in results.items()}
    return _Trials(reading, faults, all(raised for _, raised in results.values()))


def _result(part: Implementation, problem: Problem, seed: int) -> tuple[str, bool]:
    """The fault on a small problem of this kind, and whether the call raised at every length."""
    first: tuple[str, bool] | None = None
    for size in _sizes(part, problem):
        fault, raised = fault_of(partial(_compared, part, size, seed))
        if not raised:
            return fault, False
        first = first or (f"{fault} (on {size})", True)
    return first or ("", False)


def _sizes(part: Implementation, problem: Problem) -> Iterator[Problem]:
    """Small problems of this kind, then larger ones, and the problem itself if it is affordable."""
    found: dict[Problem, None] = {}
    for sizes in sizes_of(problem, part):
        each = SmallProblems(problem, sizes).base
        if each.visible_pairs * each.query_heads <= ENTRIES:
            found.setdefault(each)
    yield from found


def _compared(part: Implementation, problem: Problem, seed: int) -> str:
    """The fault of one call by its relative error; raises what the call raises."""
    inputs = make_inputs(problem, purpose="reading", seed=seed)
    with torch.no_grad(), limited_memory(MEMORY, problem.device), on_all_cpus():
        out = bind(part, problem, inputs)(inputs.q, inputs.k, inputs.v)
    if isinstance(out, (tuple, list)) and out and isinstance(out[0], Tensor):
        return _SEVERAL
    if not isinstance(out, Tensor):
        return f"it returned {type(out).__name__}, expected a tensor"
    shape = (*inputs.q.shape[:3], inputs.v.shape[3])
    if out.shape != shape:
        return f"out has shape {list(out.shape)}, expected {list(shape)}"
    wide = (x.double() for x in (inputs.q, inputs.k, inputs.v))
    definition = implementation()(part.reference or reference.attention)
    wanted = bind(definition, problem, inputs)(*wide)
    error = float((out.double() - wanted).square().mean().sqrt() / wanted.square().mean().sqrt())
    allowed = APPROXIMATE if part.approximates else RIGHT
    return "" if error <= allowed else f"out is off by {error:.0%}"


def _narrowed(limits: Limits, fixed: frozenset[str], right: Sequence[Problem]) -> Limits:
    """The limits with the mask and the scale that a function without a parameter computes.

    right  the problems on which it is right
    """
    if "mask" in fixed:
        kinds = {problem.mask.kind for problem in right}
        limits = replace(limits, masks=tuple(kind for kind in EVERY_MASK if kind in kinds))
    if "scale" in fixed:
        limits = replace(limits, own_scale=any(problem.scale is not None for problem in right))
    return limits


def _doubt(part: Implementation, trials: Sequence[_Trials]) -> str:
    """What the likeliest readings gave, each fault once, as one line."""
    returned = [trial for trial in trials if not trial.raised]
    found: dict[str, str] = {}
    for trial in returned or trials:
        found.setdefault(one_line(_fault_of(trial)), _said(part, trial))
    if returned:
        start, cure = "no reading of its parameters is right on a small problem", f"; {CURE}"
    elif any(MIXED in fault for fault in found):
        start, cure = "it cannot be called", f"; {ON_DEVICE}"
    else:
        start, cure = "it cannot be called", f"; {ARRAYS}" if _takes_arrays(part) else ""
    if len(found) == 1:
        return f"{start}: {next(iter(found))}{cure}"
    named = [f"{said}: {fault}" for fault, said in list(found.items())[:NAMED]]
    others = len(found) - len(named)
    return f"{start}: {'; '.join(named)}{f'; {others} more' if others > 0 else ''}{cure}"


def _takes_arrays(part: Implementation) -> bool:
    """Whether its module imports numpy and not torch."""
    imported = {each.__name__ for each in vars(sys.modules[part.module]).values() if ismodule(each)}
    return "numpy" in imported and not any(name.split(".")[0] == "torch" for name in imported)


def _fault_of(trial: _Trials) -> str:
    return next(iter(trial.faults.values()))


def _said(part: Implementation, trial: _Trials) -> str:
    problem = next(iter(trial.faults))
    convention = part.reading(trial.reading).convention
    said = "; ".join(convention.said(problem)) if convention is not None else "called with a Mask"
    return said or "called with q, k and v"
