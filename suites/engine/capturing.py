"""One sampler for all arms of a problem: CUDA graphs where each can be captured, else events."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from suites.engine.messages import Rest, Uncapturable
from suites.engine.outcome import recorded
from suites.engine.pipe import Sender, one_line
from suites.engine.protocol import Measure
from suites.measure.device_errors import ends_cuda, surfaced
from suites.measure.graph import GRAPH_BELOW_MS, Graphs, GraphSampler, NotCapturableError
from suites.measure.rounds import Arm
from suites.process_state.watched import Watched

CAUSE: Final = "cannot be captured as a CUDA graph, so that all calls are timed by events"


@dataclass(slots=True)
class Capturing:
    """The CUDA graphs of one problem, from the first capture to the end of its rounds.

    watched       state that a capture must leave unchanged: the inputs
    uncapturable  why an implementation cannot be captured, by name; where there is one, all use
                  events
    """

    task: Measure
    sender: Sender
    watched: Watched
    uncapturable: dict[str, str] = field(default_factory=dict)
    _graphs: Graphs | None = None

    def __post_init__(self) -> None:
        self.uncapturable |= self.task.uncapturable

    def capture(self, arms: Sequence[Arm], graphs: Callable[[], Graphs | None]) -> list[str]:
        """Give every arm the sampler of its graph, or none of them; the names that failed.

        graphs  makes the graphs of the problem; None on a device without

        Nothing that an arm reads may be freed between its capture and `release`: no cache is
        emptied meanwhile. Ends the process after a capture that failed.
        """
        if not self._wanted(arms):
            return []
        self._graphs = graphs()
        if self._graphs is None:
            return []
        found: dict[str, GraphSampler] = {}
        failed = []
        for arm in arms:
            work = partial(self._captured, self._graphs, arm, found)
            if not recorded(self.task, arm.name, self.sender, work, self.watched):
                failed.append(arm.name)
            if self.uncapturable:
                self.release()
                return failed
        for arm in arms:
            if sampler := found.get(arm.name):
                arm.sampler, arm.together = sampler, sampler.size
        return failed

    def release(self) -> None:
        """Delete the graphs: from now on caches may be emptied."""
        if self._graphs is not None:
            self._graphs.release()
            self._graphs = None

    def notes(self, name: str) -> tuple[str, ...]:
        """Notes of the record of an implementation: why it cannot be captured."""
        why = self.uncapturable.get(name)
        return (f"{CAUSE}: {why}",) if why else ()

    def _wanted(self, arms: Sequence[Arm]) -> bool:
        """Whether graphs are tried: as session 1 decided, or when the fastest call is short.

        Not for a model, whose library calls the host between its kernels, and not for a group,
        whose kernels run in other processes.
        """
        problem = self.task.problem
        in_parts = bool(problem.model) or problem.ranks > 1
        if self.uncapturable or self.task.settings.tail or not arms or in_parts:
            return False
        if self.task.sampler:
            return self.task.sampler == "graph"
        return min(arm.call_ms for arm in arms) < GRAPH_BELOW_MS

    def _captured(self, graphs: Graphs, arm: Arm, found: dict[str, GraphSampler]) -> None:
        try:
            found[arm.name] = graphs.sampler(arm.calls, arm.call_ms)
        except NotCapturableError as error:
            if ends_cuda(failed := surfaced(error)):
                raise failed from error  # a kernel failed: a fault, and no refusal of the capture
            self.uncapturable[arm.name] = reason = one_line(str(error))
            if error.started:
                self._end(arm.name, reason)

    def _end(self, name: str, reason: str) -> None:
        """End the process: torch and libraries are undefined after a capture that failed."""
        self.sender.send(Rest())  # no implementation has a fault
        self.sender.send(Uncapturable(implementation=name, reason=reason))
        os._exit(0)
