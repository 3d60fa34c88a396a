"""The task `Measure` of a process that follows: its samples are taken in the rounds of another."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from suites.engine.call_limits import quiet
from suites.engine.gauge import page_faults
from suites.engine.outcome import send_failure
from suites.engine.pipe import Sender
from suites.engine.protocol import Measure
from suites.engine.timed_model import surrounded
from suites.engine.timed_rounds import Bench
from suites.engine.together.following import Steps
from suites.engine.together.link import connected
from suites.engine.together.steps import Took
from suites.engine.turns import WatchedTurns
from suites.measure import compilers
from suites.measure.rounds import Arm, take
from suites.process_state.state import ProcessState
from suites.records.record import Conditions


def follow(task: Measure, sender: Sender) -> None:
    """Send a record with times for every implementation; none for the twin of the baseline."""
    compilers.forget()
    with surrounded(task.problem), connected(task.meeting) as link, ExitStack() as stack:
        own = sender.without_records() if task.role == "twin" else sender
        Steps(link, FollowingBench(Bench(task, own), stack)).follow()


@dataclass(slots=True)
class FollowingBench:
    """The steps of one problem in a process that follows.

    stack  ends with the task
    """

    bench: Bench
    stack: ExitStack
    _turns: WatchedTurns | None = None
    _names: list[str] = field(default_factory=list)
    _refreshed: int = 0

    def set_up(self) -> list[Arm]:
        """Set all implementations up; the arms of those that did not fail."""
        self.bench.set_all_up()
        return self._in_rounds()

    def capture(self, *, graphs: bool) -> list[Arm]:
        """Choose the sampler of all arms, as the process that leads did."""
        capturing = self.bench.capturing
        if self.bench.problem.device == "cuda":
            capturing.task = replace(capturing.task, sampler="graph" if graphs else "events")
        self.bench.capture()
        self.stack.enter_context(quiet())
        return self._in_rounds()

    def take(self, arm: Arm, refreshed: int) -> Took:
        """A sample, without milliseconds when the implementation failed."""
        turns = self._turns or self._taking_turns()
        try:
            turns.announce(self._names.index(arm.name))
            for _ in range(refreshed - self._refreshed):
                self.bench.inputs.refresh()
            self._refreshed = refreshed
            with self.bench.limited():
                take(arm, page_faults)
            turns.pause()
        except BaseException as error:
            if turns.latest is None:
                raise
            self._fail(turns.latest, error, turns.before)
            return Took(ms=None)
        waited = self.bench.others.waits.drain()
        return Took(
            ms=arm.times_ms[-1],
            waited_ms=waited.run_delay_ms,
            switches=waited.involuntary_switches,
            wall_ms=waited.wall_ms,
        )

    def start_over(self, names: tuple[str, ...]) -> list[Arm]:
        """Delete all samples; the arms of these names."""
        self._turns = None
        self.bench.arms |= {name: self.bench.arms[name].again() for name in names}
        return self._in_rounds()

    def finish(self, conditions: Conditions | None) -> None:
        """Make the records."""
        self.stack.close()
        self.bench.conditions = conditions
        self.bench.capturing.release()
        if self.bench.task.role != "twin":
            self.bench.make_records()

    def _in_rounds(self) -> list[Arm]:
        self._names = self.bench.names_in_rounds()
        return [self.bench.arms[name] for name in self._names]

    def _taking_turns(self) -> WatchedTurns:
        task = self.bench.task
        before = ProcessState(self.bench.inputs.watched, alone=task.alone)
        self._turns = WatchedTurns(self.bench.sender, task.problem, self._names, before)
        return self._turns

    def _fail(self, name: str, error: BaseException, before: ProcessState) -> None:
        """Send the record of an exception; the process that leads starts the rounds over."""
        send_failure(self.bench.task, name, self.bench.sender, error, before)
        del self.bench.arms[name]
        self._turns = None
