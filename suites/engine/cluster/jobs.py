"""Jobs of nodes and what they send back. Both sides run the same files, so pickle carries them."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cloudpickle

from impls.interface import Problem
from suites.engine.time_left import TimeLeft
from suites.records.facts import SessionFacts
from suites.records.plan import Plan
from suites.records.record import Record
from suites.records.store import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class MakePlan:
    """Make the plan of a request on this machine.

    request  a Request of suites.request.planning, whose files are those of the job
    """

    request: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class DoSession:
    """Carry out the check, or one timed session, of a run.

    records   of the run so far; what has a record is not measured again
    session   its number; 0 is the check
    at_once   timed sessions that go on at the same time on other nodes, this one included
    verifies  whether the machine is compared with that of the run first
    """

    run: Run
    records: tuple[Record, ...] = ()
    session: int
    at_once: int = 1
    verifies: bool = False


Work = MakePlan | DoSession


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Work with the user's files that it needs.

    files  the bytes of each file by its relative path on the node
    """

    work: Work
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plan with the machine it is for."""

    plan: Plan
    machine: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Why a job makes no sense on this machine, for people."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Begins:
    """A problem is about to be checked or timed."""

    problem: Problem
    left: TimeLeft


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Records that were made, and are stored together."""

    records: tuple[Record, ...]


News = Planned | Refused | Begins | Kept | SessionFacts
"""What a job sends. Records and facts are sent when they are made."""


def encoded(value: Job | News) -> bytes:
    """The bytes of a job or of news; functions of suites that are no module's are included."""
    return bytes(cloudpickle.dumps(value))


def decoded(data: bytes) -> Any:
    """The value that `encoded` wrote. The data come from the same user's cluster."""
    return pickle.loads(data)  # noqa: S301 - a cluster runs what its user sends
