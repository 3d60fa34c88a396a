"""Times of several implementations on one problem, taken in interleaved rounds."""

from __future__ import annotations

import functools
import resource
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from statistics import fmean, median
from typing import Any, Final

from impls.interface import Implementation, Problem
from suites.agreement.checker import Checker
from suites.engine.answering import Task, forget, keep, resolve, send_fault
from suites.engine.guard import limited_memory, quiet
from suites.engine.messages import Sender
from suites.measure import ceilings, timing
from suites.measure.devices import Device, device
from suites.measure.inputs import Inputs, bind, call_of, change, make_inputs
from suites.measure.interference import Probe, Snapshot, disturbance, snapshot, waited_between
from suites.measure.rounds import Arm, Moment, rounds_within, run_rounds
from suites.records.record import Conditions, Record

TWIN: Final = "twin of "
BEYOND: Final = 1.5
"""Beyond this part of what the ceilings allow a time is not believed before a second check."""


def measure(task: Task, sender: Sender) -> None:
    """Send a record with times for every implementation named.

    twin_of      which of them gets an arm more, the same once again; "" for none
    expected_ms  what a call took in the check, by implementation
    ceilings     what this session's machine can do, as `survey` told
    """
    bench = Bench(task, sender, Problem.parse(task["problem"]))
    for name in task["implementations"]:
        keep(task, name, sender, partial(bench.set_up, name))
    bench.take_times()
    for name in bench.arms:
        keep(task, name, sender, partial(bench.record, name))


@dataclass(slots=True)
class _SetUp:
    """What setting an implementation up has found.

    spent_ms  wall time of its calls so far
    beside    figures beside the times
    alone     its one sample, where it was taken apart from the rounds
    """

    implementation: Implementation
    first_call_ms: float
    spent_ms: float
    beside: dict[str, Any]
    alone: Arm | None = None


@dataclass(slots=True)
class Bench:
    """One problem with its inputs, and the arms that are measured on it."""

    task: Task
    sender: Sender
    problem: Problem
    arms: dict[str, Arm] = field(default_factory=dict)
    twin: Arm | None = None
    conditions: Conditions | None = None
    _found: dict[str, _SetUp] = field(default_factory=dict)
    _inputs: list[Inputs] = field(default_factory=list)
    _device: Device = field(init=False)

    def __post_init__(self) -> None:
        self._device = device(self.problem.device, cold=self.task["cache"] == "cold")
        self._inputs = [
            make_inputs(
                self.problem,
                purpose=f"time {index}",
                session=self.task["session"],
                seed=self.task["seed"],
            )
            for index in range(self._device.input_sets(self.problem))
        ]

    def set_up(self, name: str) -> None:
        """Make an implementation an arm."""
        each = resolve(name, self.task["files"][name])
        forget(each)
        self.arms[name] = self.warmed(name, each)

    def warmed(self, name: str, each: Implementation) -> Arm:
        """An arm for an implementation: its first call apart, then warm."""
        calls = [call_of(bind(each, self.problem, inputs), inputs) for inputs in self._inputs]
        expected_ms = self.task["expected_ms"].get(name, 0.0)
        with self._limited():
            first_ms = timing.one_call_ms(calls[0], self._device.clock)
            before = _page_faults()
            if timing.WARM_MS < expected_ms <= timing.LONG_MS:
                warm_ms, call_ms = [], expected_ms  # its first call has warmed it
            else:
                warm_ms = timing.warm_up(calls[-1], self._device.clock)
                call_ms = median(warm_ms[len(warm_ms) // 2 :])
            sampler = self._device.sampler(calls)
            beside = self._device.beside(calls[0], call_ms) if self.task["session"] == 1 else {}
        arm = Arm(name, calls, call_ms, sampler, sample_ms=self._device.sample_ms)
        self._found[name] = _SetUp(each, first_ms, first_ms + sum(warm_ms), beside)
        if call_ms > timing.LONG_MS:  # its one warming call is its one sample
            arm.times_ms, arm.faults = [call_ms], [_page_faults() - before]
            self._found[name].alone = arm
        return arm

    def take_times(self) -> None:
        """Run the rounds; an arm that fails in them is recorded, and the others start over."""
        while arms := self._in_rounds():
            names = [arm.name.removeprefix(TWIN) for arm in arms]
            turns = self.sender.turns(self.task["problem"], names)
            try:
                self.conditions = self.run(arms, turns.announce)
            except BaseException as error:
                if turns.latest is None:
                    raise  # nobody's turn had come: this is ours
                turn = names[turns.latest]
                send_fault(self.task, turn, self.sender, error)
                del self.arms[turn]
                self.arms |= {name: self.arms[name].again() for name in self._names_in_rounds()}
            else:
                return

    def record(self, name: str) -> Record:
        """What was learnt of an implementation; checked again when it is too good to be true."""
        arm, found = self.arms[name], self._found[name]
        twin = self.twin if self.twin is not None and self.twin.name == TWIN + name else None
        paired = found.alone is None
        made = Record(
            session=self.task["session"],
            problem=self.task["problem"],
            implementation=name,
            status="ok",
            first_call_ms=found.first_call_ms,
            times_ms=tuple(arm.times_ms),
            twin_ms=tuple(twin.times_ms) if twin else (),
            in_rounds=paired,
            conditions=self.conditions if paired else None,
            threads=self.task["threads"],
            calls_per_sample=arm.count,
            clock=arm.sampler.name,
            **found.beside,
            page_faults=fmean(arm.faults) / arm.count,
            calls_ms=found.spent_ms + sum(map(_spent_ms, (arm, *([twin] if twin else [])))),
        )
        return self._believed(made, found.implementation)

    def _believed(self, made: Record, each: Implementation) -> Record:
        """The record, its answer compared on fresh inputs when the time is beyond the machine."""
        limits = ceilings.from_json(self.task["ceilings"])
        share = ceilings.share(self.problem, median(made.times_ms), limits)
        if share is None or share <= BEYOND:
            return made
        checker = Checker(self.problem, self.task["seed"] + made.session, self._limited)
        fault = checker.check(each).fault
        if not fault:
            return replace(made, checked_again=True)
        return Record(
            session=made.session,
            problem=made.problem,
            implementation=made.implementation,
            status="wrong",
            reason=f"{share:.0%} of what this machine can do, and checked again: {fault}",
        )

    def run(self, arms: list[Arm], announce: Callable[[int], None]) -> Conditions:
        """Rounds of these arms, as many as the budget pays for."""
        seed = f"{self.task['seed']}|{self.task['session']}|{self.task['problem']}"
        count = rounds_within(self.task["round_budget_ms"], arms)
        with quiet(), self._limited():
            return run_rounds(
                arms,
                count,
                Random(seed),
                gauge=_Gauge(_probe(), self._device),
                refresh=self._refresh,
                announce=announce,
                page_faults=_page_faults,
            )

    def _in_rounds(self) -> list[Arm]:
        """The arms that take part, with a new twin of the baseline."""
        names = self._names_in_rounds()
        original = self.task["twin_of"]
        self.twin = None
        if original in names:
            self.twin = self.arms[original].again()
            self.twin.name = TWIN + original
        return [*(self.arms[name] for name in names), *([self.twin] if self.twin else [])]

    def _names_in_rounds(self) -> list[str]:
        return [name for name in self.arms if self._found[name].alone is None]

    def _refresh(self) -> None:
        for inputs in self._inputs:
            change(inputs)

    def _limited(self) -> AbstractContextManager[None]:
        return limited_memory(self.task["memory_limit"], self.problem.device)


@dataclass(slots=True)
class _Gauge:
    """The machine during some rounds: a probe before them, the scheduler's counters around them."""

    probe: Probe
    device: Device
    _probe_ms: float = 0.0
    _before: Snapshot | None = None

    def start(self) -> None:
        """They begin."""
        self._probe_ms = self.probe.read()
        self._before = snapshot()

    def stop(self) -> Moment:
        """They have ended."""
        after = snapshot()
        waited = waited_between(self._before or after, after)
        return Moment(
            probe_ms=self._probe_ms,
            run_delay_ms=waited.run_delay_ms,
            involuntary_switches=waited.involuntary_switches,
            disturbed=disturbance(waited, self._probe_ms, self.probe.usual_ms),
            device=self.device.state(),
        )


def _spent_ms(arm: Arm) -> float:
    """Wall time of an arm's samples and, at what a call took when warm, of its lead-in calls."""
    return sum(arm.times_ms) * arm.count + len(arm.times_ms) * arm.leads_in * arm.call_ms


def _page_faults() -> int:
    """Minor page faults of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


@functools.cache
def _probe() -> Probe:
    """One for the whole session: what is usual is learnt over its problems."""
    return Probe()
