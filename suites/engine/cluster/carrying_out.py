"""One session of a run on this node: a conductor whose store sends what it keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from suites.engine.catalogue import open_catalogue
from suites.engine.cluster.jobs import Begins, DoSession, Kept, News
from suites.engine.conductor import Conductor
from suites.engine.pools import Pool
from suites.records.facts import SessionFacts
from suites.records.plan import Plan
from suites.records.record import Record
from suites.records.store import Run, Store

OF_ONE_DEVICE: Final = ("uuid", "chosen")
"""Facts of a GPU that differ between two of one model."""
SAME_KIND: Final = ("cpu", "cores", "versions", "allocator", "devices")
"""Facts in which all nodes of a run agree."""
Send = Callable[[News], None]


class Sending(Store):
    """A store in memory that sends the records and facts that it is given."""

    _send: Send | None = None

    def forward(self, send: Send) -> None:
        """Send what is kept from now on."""
        self._send = send

    def add(self, run: str, *made: Record) -> None:
        """Keep records, and send them."""
        super().add(run, *made)
        if self._send is not None and made:
            self._send(Kept(records=made))

    def note(self, run: str, facts: SessionFacts) -> None:
        """Keep facts of a session's process, and send them."""
        super().note(run, facts)
        if self._send is not None:
            self._send(facts)


class _Silent:
    """Listens to a run and shows nothing: the store sends its records."""

    def phase(self, text: str, total: int) -> None:
        """A phase begins."""

    def record(self, record: Record) -> None:
        """A record was stored."""


def carry_out(work: DoSession, plan: Plan, pool: Pool, send: Send) -> None:
    """Carry out one session, and send its records and facts when they are made.

    plan  that of the run with the paths of this node
    """
    run = replace(work.run, plan=plan, facts=(), unread=())
    store = Sending.open("sqlite://")
    store.begin(run)
    store.add(run.name, *work.records)
    store.forward(send)
    Conductor(
        run=run,
        store=store,
        listener=_Silent(),
        pool=pool,
        begins=lambda problem, left: send(Begins(problem=problem, left=left)),
        only=work.session,
        at_once=work.at_once,
    ).conduct()


def expect_same(run: Run) -> None:
    """Raise ValueError where this machine is not of the kind that the run was planned on."""
    plan = run.plan
    machine, _ = open_catalogue(
        [], threads=max(plan.threads), allocator=plan.allocator, cuda_device=plan.cuda_device
    )
    for fact in SAME_KIND:
        theirs, ours = _comparable(run.machine.get(fact)), _comparable(machine.get(fact))
        if theirs != ours:
            raise ValueError(f"run {run.name!r} began with {fact} {theirs}, here it is {ours}")


def _comparable(value: Any) -> Any:
    """A fact without what identifies one device."""
    if isinstance(value, Mapping):
        kept = {name: each for name, each in value.items() if name not in OF_ONE_DEVICE}
        return {name: _comparable(each) for name, each in kept.items()}
    return [_comparable(each) for each in value] if isinstance(value, (list, tuple)) else value
