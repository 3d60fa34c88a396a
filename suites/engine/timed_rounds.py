"""The task `Measure`: times of implementations on one problem, taken in interleaved rounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from random import Random
from statistics import fmean, median
from typing import Final

from torch import Tensor

from impls.interface import Implementation, Problem
from suites.engine.call_limits import limited_memory, preparing, quiet
from suites.engine.capturing import Capturing
from suites.engine.cross_checking import cross_checked
from suites.engine.gauge import Gauge, depends_on_host, page_faults, usual_probe
from suites.engine.layer_arms import TWIN, implementation_of
from suites.engine.neighbours import neighbour_ratios
from suites.engine.outcome import clear_caches, recorded, resolve_in, send_failure
from suites.engine.pipe import Sender
from suites.engine.protocol import Measure
from suites.engine.ranks.groups import groups
from suites.engine.ranks.readings import in_session, ranks_of
from suites.engine.ranks.sampler import RanksClock, RanksSampler
from suites.engine.second_checks import believed, wrong_when_timed
from suites.engine.set_up import SetUp, keeping, resident_bytes, set_up_fields
from suites.engine.timed_attention import TimedAttention
from suites.engine.timed_inputs import TimedInputs
from suites.engine.timed_model import ModelBatches, TimedModel, surrounded
from suites.engine.together.leading import Follower, Followers, LostArmError
from suites.engine.together.link import listening
from suites.engine.together.resting import rest
from suites.engine.turns import WatchedTurns
from suites.measure import compilers, timing
from suites.measure.affinity import unbound
from suites.measure.devices import Device, device
from suites.measure.gradients import GradientMode
from suites.measure.interference import Waits
from suites.measure.preparing import Preparation
from suites.measure.rounds import Arm, nested, run_rounds, schedule
from suites.process_state.state import ProcessState
from suites.records.on_rank import OnRank
from suites.records.record import Conditions, Record

HANDOVERS: Final = 30
"""Turns of each arm in another process that are paid beside the budget of the rounds: handing over
takes longer than a short call."""


def measure(task: Measure, sender: Sender) -> None:
    """Send a record with times for every implementation.

    Caches are emptied in the first phase only, by `set_up`: CUDA graphs read what they hold.
    """
    if not task.settings.keep_compiled:
        compilers.forget()
    with surrounded(task.problem), _others(task) as others:
        bench = Bench(task, sender, others)
        bench.set_all_up()
        others.set_up()
        others.capture(graphs=bench.capture())
        bench.take_times()
        bench.capturing.release()
        others.finish(bench.conditions)
        bench.make_records()


@contextmanager
def _others(task: Measure) -> Iterator[Followers]:
    """The processes that follow this one."""
    if not task.followers:
        yield Followers()
        return
    with listening(task.meeting, task.followers) as links:
        waits = Waits()
        yield Followers([Follower(link, waits) for link in links], waits)


@dataclass(slots=True)
class Bench:
    """One problem with its inputs, and the arms that are measured on it.

    others  processes that follow this one in its rounds
    """

    task: Measure
    sender: Sender
    others: Followers = field(default_factory=Followers)
    arms: dict[str, Arm] = field(default_factory=dict)
    twin: Arm | None = None
    conditions: Conditions | None = None
    neighbours: dict[str, float] = field(default_factory=dict)
    capturing: Capturing = field(init=False)
    _found: dict[str, SetUp] = field(default_factory=dict)
    _device: Device = field(init=False)
    _timed: TimedAttention | TimedModel = field(init=False)

    def __post_init__(self) -> None:
        self._device = device(self.problem.device, cold=self.task.settings.cache == "cold")
        kind = TimedModel if self.problem.model else TimedAttention
        self._timed = kind(self.task, self._device, self.limited)
        self.capturing = Capturing(self.task, self.sender, self.inputs.watched)

    @property
    def inputs(self) -> TimedInputs | ModelBatches:
        """The inputs of the calls."""
        return self._timed.inputs

    @property
    def problem(self) -> Problem:
        """The problem that is timed."""
        return self.task.problem

    def set_all_up(self) -> None:
        """Make an arm of every implementation that does not fail."""
        for name in self.task.implementations:
            work = partial(self.set_up, name)
            if not recorded(self.task, name, self.sender, work, self.inputs.watched):
                self.arms.pop(name, None)

    def make_records(self) -> None:
        """Send the records of all arms."""
        for name in self.arms:
            work = partial(self.record, name)
            recorded(self.task, name, self.sender, work, self.inputs.watched)

    def set_up(self, name: str) -> None:
        """Make an implementation an arm."""
        each = resolve_in(self.task, name)
        clear_caches(each)
        self.arms[name] = self.warmed(name, each)

    def warmed(self, name: str, each: Implementation) -> Arm:
        """An arm for an implementation: its first call apart, then warm."""
        preparation = Preparation(each, partial(preparing, self.sender))
        graphs, compile_ms = compilers.compilations(), compilers.compile_ms()
        mode = GradientMode()
        held = resident_bytes()
        with self.limited():
            calls = self._timed.calls(preparation, mode)
        latest: list[Tensor] = []
        clock, sampler = self._instruments(each)
        expected_ms = self.task.expected_ms.get(name, 0.0)
        with self.limited():
            with preparation.first(self.problem, self.problem):
                first_ms = timing.one_call_ms(calls[0], clock)
            before = page_faults()
            if meter := self._device.meter():
                meter.start()
            if timing.WARM_MS < expected_ms <= timing.LONG_MS:
                warm_ms, call_ms = [], expected_ms  # its first call warmed it up
            else:
                warm_ms = timing.warm_up(keeping(calls[-1], latest), clock)
                call_ms = median(warm_ms[len(warm_ms) // 2 :])
            warm_mj = meter.stop() if meter else None
            if call_ms <= timing.LONG_MS:
                call_ms = self._device.settled_ms(sampler, calls, call_ms)
            beside = (
                self._device.beside(calls[0], call_ms, under_load=self.task.settings.sustained)
                if self.task.session == 1 and not each.takes_group
                else {}
            )
        beside |= set_up_fields(preparation, self.problem, graphs, compile_ms)
        beside["set_up_bytes"] = resident_bytes() - held
        arm = Arm(
            name,
            calls,
            call_ms,
            sampler,
            sample_ms=0.0 if self.task.settings.tail else self._device.sample_ms,
            reads_all=self.task.meeting != "" and self.problem.device == "cpu",
        )
        waits = (self.others.waits.sampling,) if self.task.meeting else ()
        arm.sampling = nested(*self._device.samplings(arm), *waits)
        self._found[name] = SetUp(preparation, first_ms, [first_ms, *warm_ms], beside, mode)
        # By the forecast where that is clear, so that every session does the same.
        forecast = expected_ms > timing.LONG_MS and len(warm_ms) == 1
        if forecast or call_ms > timing.LONG_MS:  # its one warming call is its one sample
            arm.times_ms, arm.faults = [call_ms], [page_faults() - before]
            arm.energy_mj = [] if warm_mj is None else [warm_mj]
            self._found[name].alone = arm
            self._found[name].fault = self._timed.long_fault(self._found[name], latest)
        else:
            with self.limited():
                self._timed.add_beside(arm, preparation, mode)
        return arm

    def _instruments(self, each: Implementation) -> tuple[timing.Clock, timing.Sampler]:
        """The clock and the sampler of its calls; those of a group are timed within its ranks.

        Raises ValueError for cold caches of a group: those of its ranks are not emptied.
        """
        if not each.takes_group:
            return self._device.clock, self._device.sampler()
        if self.task.settings.cache == "cold":
            raise ValueError("--cache cold: caches of ranks are not emptied; expected hot")
        clock = RanksClock(groups())
        return clock, RanksSampler(clock)

    def _on_ranks(self, arm: Arm, found: SetUp) -> tuple[OnRank, ...]:
        """The times of every rank of a group; empty for one process."""
        ranks = ranks_of(found.implementation)
        inputs = self.inputs
        if ranks is None or not isinstance(arm.sampler, RanksSampler):
            return ()
        if not isinstance(inputs, TimedInputs):
            raise TypeError("a model around a group; its problem has no ranks")
        return in_session(ranks, self.problem, inputs.sets[0], arm.sampler.samples)

    def capture(self) -> bool:
        """Choose one sampler for all arms in the rounds; whether it is that of CUDA graphs."""
        arms = [self.arms[name] for name in self.names_in_rounds()]
        with quiet(), self.limited():
            failed = self.capturing.capture(arms, self._device.graphs)
        for name in failed:
            del self.arms[name]
        return any(arm.sampler.name == "graph" for arm in arms)

    def take_times(self) -> None:
        """Run the rounds; an arm that fails in them is recorded, and the others start over.

        Changing process state or inputs is a failure, too.
        """
        while (own := self._in_rounds()) or self.others.arms:
            names = [implementation_of(arm.name) for arm in own]
            before = ProcessState(self.inputs.watched, alone=self.task.alone)
            turns = WatchedTurns(self.sender, self.task.problem, names, before)
            try:
                with self._device.named(f"session {self.task.session} {self.problem}"):
                    self.conditions = self.run(own, turns.announce, turns.pause)
                self.neighbours = self._neighbour_ratios(own, turns.announce)
                turns.end()
            except LostArmError as lost:
                self.others.start_over(lost.arm)
                self.arms |= {name: self.arms[name].again() for name in self.names_in_rounds()}
            except BaseException as error:
                if turns.latest is None:
                    raise  # no implementation was at work: the fault is the engine's
                send_failure(self.task, turns.latest, self.sender, error, before)
                del self.arms[turns.latest]
                self.others.start_over()
                self.arms |= {name: self.arms[name].again() for name in self.names_in_rounds()}
            else:
                return

    def record(self, name: str) -> Record:
        """The record of an implementation; its output is checked again when it is too fast."""
        arm, found = self.arms[name], self._found[name]
        fault = found.fault
        if not found.alone and self._timed.are_compared(arm):
            fault = self._timed.last_fault(arm, found)
        if fault:
            return wrong_when_timed(self.task, name, fault)
        twin = self.twin if self.twin is not None and self.twin.name == TWIN + name else None
        paired = found.alone is None
        layer = self._timed.layers.arms.get(name)
        in_rounds = [each for each in (arm, twin, layer) if each and paired]
        on_ranks = self._on_ranks(arm, found)
        made = Record(
            session=self.task.session,
            problem=self.task.problem,
            implementation=name,
            status="ok",
            first_call_ms=found.first_call_ms,
            times_ms=tuple(arm.times_ms),
            twin_ms=tuple(twin.times_ms) if twin else (),
            again_ms=self._again_ms(name) if paired else (),
            in_layer_ms=self._timed.layers.times_ms(name) if paired else (),
            in_layer_faults=self._timed.layers.faults(name) if paired else None,
            in_model=self._timed.in_model(name),
            process=self.task.process,
            unbound=unbound() if self.task.meeting and self.problem.device == "cpu" else "",
            in_rounds=paired,
            conditions=self.conditions if paired else None,
            threads=self.task.threads,
            calls_per_sample=arm.count,
            clock=arm.sampler.name,
            inputs_from=self._timed.inputs_from(arm),
            **{"energy_mj": arm.call_mj, **found.beside},
            page_faults=None if on_ranks else fmean(arm.faults) / arm.count,
            on_ranks=on_ranks,
            neighbour_ratio=self.neighbours.get(name) if paired else None,
            unhidden=self._device.unhidden(arm.sampler),
            notes=(*found.mode.notes, *self.capturing.notes(name)),
            calls_ms=sum(found.took_ms) + sum(map(_spent_ms, in_rounds)),
        )
        made = believed(made, found.implementation, self.task, self.sender, self.limited)
        return cross_checked(made, arm, self.sender)

    def _again_ms(self, name: str) -> tuple[float, ...]:
        """The samples of this implementation in a process of its own; empty where it has none."""
        arms = [arm for arm in self.others.arms if arm.name == name]
        return tuple(arms[0].times_ms) if arms else ()

    def run(
        self,
        own: list[Arm],
        announce: Callable[[int], None],
        pause: Callable[[], None] = lambda: None,
    ) -> Conditions:
        """Rounds of these arms and those of other processes, as many as the budget pays for.

        announce  receives the index of one of these arms before any of its code runs
        pause     is called before the turn of another process
        """
        distant = self.others.arms

        def turn(index: int) -> None:
            if distant:
                rest()  # every turn begins alike: after a rest, whichever process had the last one
            announce(index) if index < len(own) else pause()

        def refresh() -> None:
            self.inputs.refresh()
            self.others.refreshed()

        seed = f"{self.task.seed}|{self.task.session}|{self.task.problem}"
        arms = [*own, *distant]
        planned = schedule(
            self.task.round_budget_ms
            + HANDOVERS * sum(arm.sampler.aside_ms(arm.count) for arm in distant),
            arms,
            single=self.task.settings.tail,
            refresh_ms=timing.one_call_ms(self.inputs.refresh, self._device.clock),
            fewest_short=self._device.fewest_rounds,
            fewest=self.task.fewest_rounds,
        )
        with quiet(), self.limited():
            return run_rounds(
                arms,
                planned,
                Random(seed),
                gauge=Gauge(
                    usual_probe(self.problem.device),
                    self._device,
                    partial(depends_on_host, self._device, own),
                    self.others.waits if distant else None,
                    in_ranks=self.problem.ranks > 1,
                ),
                refresh=refresh,
                announce=turn,
                page_faults=page_faults,
            )

    def _neighbour_ratios(
        self, arms: list[Arm], announce: Callable[[int], None]
    ) -> dict[str, float]:
        """How much each arm's calls slow a small product, compared with the baseline's calls."""
        if self.problem.device != "cpu":
            return {}
        own = [arm for arm in arms if implementation_of(arm.name) == arm.name]  # they come first
        baseline, after = self.task.twin_of, usual_probe(self.problem.device).once
        with quiet(collected=False), self.limited():
            return neighbour_ratios(own, baseline, after, announce, self.task.round_budget_ms)

    def _in_rounds(self) -> list[Arm]:
        """The arms that take part, with a new twin of the baseline; arms in a layer come last."""
        names = self.names_in_rounds()
        original = self.task.twin_of
        self.twin = None
        if original in names:
            self.twin = self.arms[original].again()
            self.twin.name = TWIN + original
        twins = [self.twin] if self.twin else []
        return [*(self.arms[name] for name in names), *twins, *self._timed.layers.fresh(names)]

    def names_in_rounds(self) -> list[str]:
        """The implementations whose samples are taken in rounds, not apart."""
        return [name for name in self.arms if self._found[name].alone is None]

    def limited(self) -> AbstractContextManager[None]:
        """The context of calls: a limit on the memory that one may add."""
        return limited_memory(self.task.settings.memory_limit, self.problem.device)


def _spent_ms(arm: Arm) -> float:
    """Wall time of an arm's samples and, at what a call took when warm, of its lead-in calls."""
    return sum(arm.times_ms) * arm.count + len(arm.times_ms) * len(arm.lead_ins) * arm.call_ms
