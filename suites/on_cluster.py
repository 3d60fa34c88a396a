"""Carries out a request on the nodes of a Ray cluster: one run for each kind of machine."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from impls import expect_known, fingerprint
from suites.conducting import (
    Conducted,
    Live,
    StoppedError,
    expect_inputs,
    expect_saveable_in,
    finished,
    how_to_finish,
)
from suites.engine.cluster.jobs import Begins, Job, MakePlan, Planned, Refused
from suites.engine.cluster.luggage import Luggage
from suites.engine.cluster.nodes import Node, chosen, kind_of
from suites.engine.cluster.pool import Cluster, Done, Lost
from suites.engine.cluster.schedule import LOOK_EVERY_S, OnKind, Schedule
from suites.engine.conductor import Listener
from suites.records.database import StoreError, expect_url
from suites.records.groups import group_of, name_on
from suites.records.groups import kind_of as kind_in_name
from suites.records.store import Run, Store, now
from suites.request import problems
from suites.request.planning import Request
from suites.versions import revisions

if TYPE_CHECKING:
    from suites.engine.cluster.ray_cluster import RayCluster

RAY: Final = "ray"
ENGINES: Final = ("local", RAY)
INSTALL: Final = 'python -m pip install -c constraints.txt -e ".[cluster]"'
SILENT: Final = {"RAY_DEDUP_LOGS": "1", "RAY_DEDUP_LOGS_SKIP_REGEX": "^"}
"""Variables that Ray reads when it is imported: it prints the log of a node that died to standard
output, and skips lines that match."""
_NAMES: Final = 5
"""Names that are tried for a run: another run may begin in the same second."""


@dataclass(frozen=True, slots=True)
class OnRay:
    """Where a run is carried out.

    address  HOST:PORT of the cluster; "" is Ray's own default
    on       kinds of machine; empty: all
    """

    address: str = ""
    on: tuple[str, ...] = ()

    def connected(self) -> RayCluster:
        """The cluster. Raises ValueError without Ray, and without a cluster."""
        os.environ.update(SILENT)
        try:
            from suites.engine.cluster.ray_cluster import RayCluster  # noqa: PLC0415 - an extra
        except ModuleNotFoundError as error:
            if error.name != "ray":
                raise
            raise ValueError(f"--engine ray without Ray; install it with: {INSTALL}") from None
        return RayCluster.connect(self.address)

    @property
    def options(self) -> str:
        """The options that name it, behind a command."""
        address = f" --address {shlex.quote(self.address)}" if self.address else ""
        return f" --engine ray{address}"


def engine_of(name: str, address: str, on: str) -> OnRay | None:
    """Where a command line has its run carried out; None: on this machine.

    name, address, on  of --engine, --address and --on

    Raises ValueError for another engine, and for options of a cluster without one.
    """
    if name not in ENGINES:
        raise ValueError(f"--engine is {name!r}; expected {' or '.join(ENGINES)}")
    if name == RAY:
        return OnRay(address, tuple(filter(None, (each.strip() for each in on.split(",")))))
    for option, value in {"--address": address, "--on": on}.items():
        if value:
            raise ValueError(f"{option} without --engine ray; it is of a cluster")
    return None


def begin(
    request: Request,
    url: str,
    command: str,
    live: Live,
    lines: Listener | None,
    save: str,
    engine: OnRay,
) -> list[Conducted]:
    """Plan a run for each kind of machine, store the plans, and carry them out.

    The arguments are those of suites.conducting.begin. Raises ValueError for what makes no sense on
    one of the kinds, before anything is stored.
    """
    expect_url(url)
    expect_known(request.specs or ())
    problems.expect_model_files(request.problems)
    _expect_travelling(request)
    with engine.connected() as cluster:
        kinds = chosen(cluster.nodes(), engine.on)
        planned = _planned(request, kinds, cluster)
        store = Store.open(url)
        expect_saveable_in(store, save)
        runs = _begun(store, command, planned)
        every = [
            OnKind(runs[kind], kinds[kind], [], verified={kinds[kind][0].key}) for kind in kinds
        ]
        _conducted(every, cluster, store, live, lines, engine)
    return _finished(store, every, save)


def resume(
    name: str, url: str, live: Live, lines: Listener | None, save: str, engine: OnRay
) -> list[Conducted]:
    """Carry out the plan of a stored run, minus its records, on nodes of its kind of machine."""
    store = Store.open(url, create=False)
    expect_saveable_in(store, save)
    run = store.run(name)
    expect_inputs(run.plan)
    _expect_files(run)
    kind = _kind_of(run)
    if engine.on and set(engine.on) != {kind}:
        raise ValueError(f"--on {','.join(engine.on)}: run {run.name!r} is of {kind}; leave it out")
    with engine.connected() as cluster:
        nodes = chosen(cluster.nodes(), (kind,))[kind]
        found = OnKind(run, nodes, store.records(run.name))
        _conducted([found], cluster, store, live, lines, engine)
    return [finished(store, run.name, found.records, save)]


def _expect_travelling(request: Request) -> None:
    """Raise ValueError for what does not travel to a node."""
    if request.settings.get("cuda_device"):
        raise ValueError("--cuda-device beside --engine ray: Ray gives each session its GPU")
    if request.pythons:
        raise ValueError("--python beside --engine ray: nodes use the Python that Ray runs in")


def _planned(
    request: Request, kinds: dict[str, list[Node]], cluster: Cluster
) -> dict[str, Planned]:
    """The plan of each kind, made on its first node, with the paths of this machine."""
    placed = revisions.placed(request)
    if placed.processes:
        spec = next(iter(placed.processes))
        raise ValueError(f"{spec}: it imports files beside it, which do not travel to a node")
    luggage = Luggage()
    specs = placed.request.specs
    sent = replace(
        placed.request,
        specs=None if specs is None else tuple(map(luggage.with_files, specs)),
        against=placed.request.against and luggage.with_files(placed.request.against),
        inputs=tuple(luggage.place(path) for path in placed.request.inputs),
    )
    job = Job(work=MakePlan(request=sent), files=luggage.packed())
    found = _answers(job, kinds, cluster)
    plans = {}
    for kind, made in found.items():
        plan = luggage.received(made.plan)
        plan = replace(plan, entries=placed.described(plan.entries))
        plans[kind] = replace(made, plan=plan)
    return plans


def _answers(job: Job, kinds: dict[str, list[Node]], cluster: Cluster) -> dict[str, Planned]:
    """The plan that the first node of each kind makes.

    A node that is lost meanwhile leaves `kinds`; the next one of its kind makes the plan. Raises
    ValueError for a job that makes no plan, and where no node of a kind is left.
    """
    jobs = {cluster.begin(nodes[0], job): kind for kind, nodes in kinds.items()}
    found: dict[str, Planned] = {}
    left = set(jobs)
    while left:
        for each, event in cluster.events(LOOK_EVERY_S):
            kind = jobs[each]
            if isinstance(event, Planned):
                found[kind] = event
            elif isinstance(event, Refused):
                raise ValueError(f"{event.reason} (on {kinds[kind][0].host}, {kind})")  # noqa: TRY004 - one line for users
            elif isinstance(event, Lost):
                lost = kinds[kind].pop(0)
                if not kinds[kind]:
                    raise ValueError(f"{event.reason} (on {lost.host}, {kind}); no node is left")
                left.discard(each)
                again = cluster.begin(kinds[kind][0], job)
                jobs[again] = kind
                left.add(again)
            elif isinstance(event, Done):
                left.discard(each)
    return {kind: found[kind] for kind in kinds}


def _begun(store: Store, command: str, planned: dict[str, Planned]) -> dict[str, Run]:
    """The stored runs by kind, NAME@KIND."""
    suite = next(iter(planned.values())).plan.suite
    for left in reversed(range(_NAMES)):
        base = _unused(store, suite)
        runs = {
            kind: Run(
                name=name_on(base, kind),
                started=now(),
                command=command,
                plan=made.plan,
                machine=made.machine,
            )
            for kind, made in planned.items()
        }
        try:
            for run in runs.values():
                store.begin(run)
        except StoreError:
            if not left or runs[next(iter(runs))].name not in _names(store):
                raise
        else:
            return runs
    raise RuntimeError("no name was tried")


def _unused(store: Store, suite: str) -> str:
    """A name for runs of this moment, which no run has before its kind."""
    name = store.unused_name(suite)
    taken = {group_of(each) or each for each in _names(store)}
    numbered = (f"{name}-{number}" for number in range(2, len(taken) + 3))
    return name if name not in taken else next(each for each in numbered if each not in taken)


def _names(store: Store) -> list[str]:
    return [run.name for run in store.runs()]


def _conducted(
    every: list[OnKind],
    cluster: Cluster,
    store: Store,
    live: Live,
    lines: Listener | None,
    engine: OnRay,
) -> None:
    """Carry out runs. Raises StoppedError when stopped by hand, or without nodes for the rest."""

    def show(begins: Begins) -> None:
        live.problem(begins.problem, begins.left)

    try:
        with live:
            stuck = Schedule(cluster, store, every, lines or live, show).conduct()
    except KeyboardInterrupt:
        unfinished = [each for each in every if store.run(each.run.name).ended is None]
        raise StoppedError(_how_to_finish(unfinished or every, store, engine)) from None
    if stuck:
        why = "; ".join(f"no node is left ({each.ended[-1]})" for each in stuck if each.ended)
        raise StoppedError(f"{why}: {_how_to_finish(stuck, store, engine)}")


def _how_to_finish(every: Iterable[OnKind], store: Store, engine: OnRay) -> str:
    return "; ".join(f"{how_to_finish(each.run, store)}{engine.options}" for each in every)


def _finished(store: Store, every: Sequence[OnKind], save: str) -> list[Conducted]:
    """The finished runs; a saved name stands for all of them."""
    if len(every) == 1:
        return [finished(store, every[0].run.name, every[0].records, save)]
    found = [finished(store, each.run.name, each.records, "") for each in every]
    replaced = store.save(save, group_of(found[0].run.name)) if save else ""
    return [found[0]._replace(replaced=replaced), *found[1:]]


def _kind_of(run: Run) -> str:
    """The kind of machine of a run: the end of its name, or that of its machine."""
    if named := kind_in_name(run.name):
        return named
    gpus = [each["name"] for each in run.machine.get("devices") or () if "uuid" in each]
    return kind_of(str(run.machine.get("cpu", "")), gpus)


def _expect_files(run: Run) -> None:
    """Raise ValueError for a file here that has changed; one of the nodes alone stays there."""
    for entry in run.plan.entries:
        for name, path in entry.files.items():
            if Path(path).is_file() and fingerprint(path) != entry.hashes[name]:
                raise ValueError(
                    f"{path} has changed since run {run.name!r} began; its records would not "
                    "belong together: start a new run"
                )
