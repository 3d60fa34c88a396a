"""A cluster as its driver uses it; tests have one without Ray."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from suites.engine.cluster.jobs import Job, News
from suites.engine.cluster.nodes import Node


@dataclass(frozen=True, slots=True)
class Done:
    """A job is done."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A job ended before it was done.

    reason  for people
    gone    whether its node has left the cluster, too
    """

    reason: str
    gone: bool


Event = News | Done | Lost


class Cluster(Protocol):
    """Nodes that carry out jobs."""

    def begin(self, node: Node, job: Job) -> Any:
        """Begin a job on a node; a value that identifies it in events."""

    def events(self, within_s: float) -> list[tuple[Any, Event]]:
        """What jobs sent within some seconds, in order; the last event of a job is Done or Lost."""

    def stop(self) -> None:
        """End all jobs."""
