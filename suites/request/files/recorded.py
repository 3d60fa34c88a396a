"""A recorded workload as a suite: its calls as cases, and its step."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from suites.records import workload
from suites.records.cases import OTHER_MASK, Case, Step, Unexpressed
from suites.records.lengths import measured, spread, weight
from suites.records.workload import Header, Recorded, Unrecorded, Workload
from suites.request.axes import values_of
from suites.request.files.listed import sessions_for
from suites.request.suites.suite import Gpu, Suite

ROUND_BUDGET_MS, LEAST_ROUND_BUDGET_MS = 1500.0, 250.0
"""Savings are sums of differences, which takes more rounds than a ratio."""
ROUNDS_MS: Final = 6000.0
"""Budget of the rounds of all problems in a session: many problems have less each."""
WORKLOAD_BUDGET_S: Final = 5 * 60.0
"""The default of --budget: a person waits for the answer."""
LONGEST_WORD: Final = 20
"""Characters of a word in a label: padding has two numbers for each row of the batch."""
MOST_MASKS: Final = 2
"""Measured masks of batches that have the same shape and another padding or other documents."""


def suite_of(path: Path) -> Suite:
    """The suite of a recorded script.

    Raises ValueError for a file that `workload.read` refuses, and where no call is measurable.
    """
    found = workload.read(path)
    if not found.calls:
        raise ValueError(f"{path} has no call that can be measured: {_reasons(found.others)}")
    step = _step(found)
    every = _merged(_case(each, found.header, step) for each in found.calls)
    few = _distinguished(list(_merged(_of_few_masks(every))))
    cases = tuple(sorted(few, key=lambda case: -weight(case)))
    return Suite(
        name="workload",
        asks="Where does my script spend its time in attention, and what would another save?",
        description=f"the attention calls of {found.header.command}",
        cases=lambda devices, gpu: cases,  # noqa: ARG005 - recorded on one device
        sessions=sessions_for(count := len(measured(cases))),
        round_budget_ms=min(ROUND_BUDGET_MS, max(LEAST_ROUND_BUDGET_MS, ROUNDS_MS / count)),
        budget_s=WORKLOAD_BUDGET_S,
        script_threads=_threads(found.calls),
        panels=("attention",),
        steps=(step,),
        baselines=(names := _baselines(cases)),
        compared=tuple(name for name in names if name.startswith("sdpa")),  # torch has them
        origin=str(path),
    )


def moved(suite: Suite, text: str) -> Suite:
    """The suite on another device, without the times that were recorded elsewhere.

    text  of --device

    Raises ValueError for more than one device, and for an unknown one.
    """
    devices = {fields["device"] for fields in values_of("--device", text)}
    if len(devices) > 1:
        raise ValueError(f"--device is {text!r} beside --workload; expected one device")
    device = devices.pop()
    cases = suite.cases((device,), Gpu())
    if all(case.problem.device == device for case in cases):
        return suite
    here = tuple(_moved(case, device) for case in cases)
    steps = tuple(replace(step, took_ms=()) for step in suite.steps)
    return replace(suite, cases=lambda devices, gpu: here, steps=steps)  # noqa: ARG005 - one device


def _moved(case: Case, device: str) -> Case:
    if case.problem.device == device:
        return case
    words = filter(None, (case.scaled, f"recorded on {case.problem.device}"))
    problem = replace(case.problem, device=device)
    return replace(case, problem=problem, took_ms=None, scaled=", ".join(words))


def _step(found: Workload) -> Step:
    header = found.header
    others = (
        Unexpressed(
            reason=each.unexpressed,
            count=each.count / header.steps,
            took_ms=each.took_ms / header.steps,
            place=each.place,
        )
        for each in found.others
        if each.count
    )
    return Step(name=_name(header), took_ms=header.step_ms, unexpressed=tuple(others))


def _name(header: Header) -> str:
    """The script without its folder and arguments: `step of train.py`."""
    words = shlex.split(header.command)
    module = words[words.index("-m") + 1 :] if "-m" in words else words[-1:]
    script = next((word for word in words if word.endswith(".py")), (*module, "it")[0])
    return f"{'step of ' if header.steps > 1 else ''}{Path(script).name}"


def _case(call: Recorded, header: Header, step: Step) -> Case:
    """A call as a case. Its time is unknown where the backward pass of a training was not seen."""
    backward = 0.0 if call.backward_ms is None else call.backward_ms
    unseen = call.problem.training and call.backward_ms is None
    return Case(
        problem=call.problem,
        label=" < ".join(each.rpartition("/")[2] for each in call.place.split(" < ")),
        source=call.place,
        step=step.name,
        count=call.count / header.steps,
        took_ms=None if unseen or not call.count else (call.took_ms + backward) / call.count,
        by=call.by,
    )


def _merged(cases: Iterable[Case]) -> Iterator[Case]:
    """One case for each problem, place and function; a request drops equal cases."""
    alike: dict[tuple[object, ...], list[Case]] = {}
    for case in cases:
        alike.setdefault((case.problem, case.source, case.by, case.scaled), []).append(case)
    for own in alike.values():
        count = sum(case.count for case in own)
        times = [case.took_ms for case in own]
        took = [case.count * t for case, t in zip(own, times, strict=True) if t is not None]
        mean = sum(took) / count if len(took) == len(own) else None
        yield replace(own[0], count=count, took_ms=mean)


def _of_few_masks(cases: Iterable[Case]) -> Iterator[Case]:
    """The cases with a few paddings and documents for each shape: others use the nearest of them.

    Every batch has its own padding, so that hundreds of problems would differ in little else.
    """
    alike: dict[tuple[object, ...], list[Case]] = {}
    for case in cases:
        mask = case.problem.mask
        ragged = isinstance(mask.padding, tuple), mask.documents is not None
        band = (mask.left, mask.right) if any(ragged) else mask
        alike.setdefault((case.problem.without("mask"), band, *ragged), []).append(case)
    for own in alike.values():
        yield from _of_few(own)


def _of_few(cases: Sequence[Case]) -> Iterator[Case]:
    visible: Counter[int] = Counter()
    for case in cases:
        visible[max(1, case.problem.visible_pairs)] += weight(case)  # type: ignore[assignment] # milliseconds
    kept = spread(visible, MOST_MASKS)
    first = {max(1, case.problem.visible_pairs): case.problem for case in reversed(cases)}
    for case in cases:
        own = max(1, case.problem.visible_pairs)
        size = min(kept, key=lambda each: abs(each - own))
        problem = case.problem if len(cases) <= MOST_MASKS else first[size]
        if problem == case.problem:
            yield case
        else:
            part = f"{OTHER_MASK}, of {size / own:.2f} times its pairs"
            yield replace(case, problem=problem, scaled=part)


def _distinguished(cases: Sequence[Case]) -> Iterator[Case]:
    """The cases with the words that tell problems of one place apart in their labels."""
    alike: dict[str, list[Case]] = {}
    for case in cases:
        alike.setdefault(case.label, []).append(case)
    for label, own in alike.items():
        words = [str(case.problem).split() for case in own]
        shared = set.intersection(*map(set, words))
        for case, each in zip(own, words, strict=True):
            apart = [_short(word) for word in each if word not in shared]
            yield replace(case, label=f"{label}, {' '.join(apart)}" if apart else label)


def _short(word: str) -> str:
    return word if len(word) <= LONGEST_WORD else f"{word[: LONGEST_WORD - 1]}…"


def _threads(calls: Sequence[Recorded]) -> int:
    """The number of OpenMP threads of most of the time."""
    times: Counter[int] = Counter()
    for each in calls:
        times[each.threads] += each.took_ms  # type: ignore[assignment] # milliseconds
    return max(1, max(times, key=lambda threads: times[threads]))


def _baselines(cases: Sequence[Case]) -> tuple[str, ...]:
    """The implementations that call the functions of the script, the longest time first."""
    times: dict[str, float] = {}
    for case in cases:
        name = workload.measured_by(case.by)
        times[name] = times.get(name, 0.0) + weight(case)
    return tuple(sorted(filter(None, times), key=lambda name: -times[name]))


def _reasons(others: Sequence[Unrecorded]) -> str:
    counts: Counter[str] = Counter()
    for each in others:
        counts[each.unexpressed] += each.count
    return ", ".join(f"{reason} ({count} calls)" for reason, count in counts.items())
