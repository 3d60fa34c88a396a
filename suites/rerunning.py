"""Measures the plan of a run once more: that of a stored run, or that of a bundle."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import psutil

from impls import FOLDER, fingerprint
from suites.conducting import (
    Conducted,
    Live,
    conducted,
    expect_inputs,
    expect_saveable_in,
    finished,
    pool_of,
)
from suites.engine.catalogue import cores, open_catalogue, with_libraries, with_readings
from suites.engine.conductor import Listener
from suites.engine.local_pool import LocalPool
from suites.records.bundles.layout import INSTALLED, is_bundle
from suites.records.bundles.reading import Bundle
from suites.records.plan import Entry, Plan
from suites.records.record import CHECK, Record
from suites.records.store import Run, Store, now
from suites.request import baselines
from suites.request.planning import MEMORY_SHARE, device_memory_limit, usual_memory_limit
from suites.request.problems import capability

_DIGITS: Final = 8
"""Digits of a bundle's hash in the name of the folder that it is unpacked to."""


def source(name: str, url: str, folder: Path) -> tuple[Run, list[Path]]:
    """The run of that name, and the files with code that came with it.

    url     of the store, for a name that is no bundle
    folder  bundles are unpacked below it, and stay there
    """
    if not is_bundle(name):
        return Store.open(url, create=False).run(name), []
    found = Bundle.read(Path(name))
    return found.unpack(folder / f"{found.run.name}-{found.digest[:_DIGITS]}")


def differences(of: Run) -> list[str]:
    """A line for each file, number of threads and limit that is another one here."""
    plan, here = of.plan, fitting(of.plan)
    every = {
        (name, file, entry.hashes[name])
        for entry in plan.entries
        for name, file in entry.files.items()
    }
    found = [_of_file(*each) for each in sorted(every)]
    if here.threads != plan.threads:
        there, own = (",".join(map(str, each.threads)) for each in (plan, here))
        found.append(f"threads: {there} in the run, {own} here: it has {cores()} CPUs")
    if here.memory_limit < plan.memory_limit:
        there, own = (f"{each.memory_limit / 2**30:.3g} GiB" for each in (plan, here))
        found.append(f"memory limit: {there} in the run, {own} here: 80 % of what is available")
    if plan.cuda_device:
        found.append(
            f"NVIDIA device: {plan.cuda_device} in the run, the first visible one here: another "
            "one is chosen with CUDA_VISIBLE_DEVICES"
        )
    return [line for line in found if line]


def rerun(
    of: Run, url: str, command: str, live: Live, lines: Listener | None, save: str = ""
) -> Conducted:
    """Measure the plan of a run on this machine, as a new run of a store; see `conducting.begin`.

    The problems, seed, sessions and settings are those of the plan. An implementation that is not
    here is missing. A problem of a device that is not here is refused.
    """
    expect_inputs(of.plan)
    asked = fitting(of.plan)
    with pool_of(asked) as pool:
        plan, machine = _planned(asked, pool)
        store = Store.open(url)
        expect_saveable_in(store, save)
        name = store.unused_name(plan.suite)
        run = Run(name=name, started=now(), command=command, plan=plan, machine=machine)
        store.begin(run)
        store.add(name, *_settled(plan, machine))
        records = conducted(run, store, pool, live, lines)
    return finished(store, name, records, save)


def fitting(plan: Plan) -> Plan:
    """The plan with no more threads than CPUs here, and a memory limit that fits this machine.

    Its NVIDIA device is the first one that is visible: a device of another machine has no meaning.
    """
    threads = tuple(sorted({min(each, cores()) for each in plan.threads}))
    limit = _memory_limit(plan.memory_limit)
    return replace(plan, threads=threads, memory_limit=limit, cuda_device="")


def _memory_limit(limit: int) -> int:
    """The limit of a plan, unless this machine has too little memory for it."""
    whole = int(psutil.virtual_memory().total * MEMORY_SHARE)
    return limit if limit <= whole else usual_memory_limit()


def spec_of(entry: Entry) -> str:
    """An implementation as --impl takes it here. Raises ValueError for a file that is not here."""
    spec = entry.defined
    for name, file in entry.files.items():
        if Path(file).parent != FOLDER:
            place = f"{_place(file)}:{name.rpartition('.')[2]}"
            spec = _with_place(spec, name, place)
    return f"{entry.name}={spec}" if entry.spec else spec


def _with_place(spec: str, name: str, place: str) -> str:
    """The spec with a name, once and as a whole word, replaced by its file and function."""
    found = re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", spec)
    return f"{spec[: found.start()]}{place}{spec[found.end() :]}" if found else spec


def _place(file: str) -> str:
    """The path of a file, or the dotted name of an installed module."""
    if file.startswith(INSTALLED):
        return ".".join(Path(file.removeprefix(INSTALLED)).with_suffix("").parts)
    if not Path(file).is_file():
        raise ValueError(f"its file {file} is not here")
    return file


def _planned(plan: Plan, pool: LocalPool) -> tuple[Plan, dict[str, Any]]:
    """The plan with the implementations as they are here, and this machine."""
    machine, entries = _described(plan, pool)
    names = {entry.name for entry in entries}
    made = replace(
        plan,
        entries=entries,
        capability=capability(machine),
        device_memory_limit=_device_memory_limit(plan, machine),
        baselines=plan.baselines
        or baselines.by_device(entries, plan.problems, capability(machine)),
        named=tuple(name for name in plan.named if name in names),
    )
    made = with_libraries(made, pool)
    here = _devices(machine)
    possible = tuple(problem for problem in plan.problems if problem.device in here)
    if possible:  # trials need a device
        made = with_readings(replace(made, problems=possible), pool)
    return replace(made, problems=plan.problems), machine


def _device_memory_limit(plan: Plan, machine: Mapping[str, Any]) -> int | None:
    """The limit of a plan on GPUs, unless those of this machine have too little memory for it."""
    usual = device_memory_limit(None, machine)
    limits = [each for each in (plan.device_memory_limit, usual) if each is not None]
    return None if usual is None else min(limits)


def _devices(machine: Mapping[str, Any]) -> list[str]:
    """The kinds of device of a machine."""
    return [each["device"] for each in machine["devices"]]


def _described(plan: Plan, pool: LocalPool) -> tuple[dict[str, Any], tuple[Entry, ...]]:
    """This machine, and the implementations of a plan; those that are not here are missing."""
    threads = max(plan.threads)
    missing = {e.name: why for e in plan.entries if (why := _fault(e, threads, pool))}
    here = {spec_of(entry): entry for entry in plan.entries if entry.name not in missing}
    machine, listed = open_catalogue(
        list(here), threads=threads, pool=pool, processes=_processes(here.values())
    )
    found = _as_planned(listed, here.values())
    lost = (
        Entry(
            name=entry.name,
            panel=entry.panel,
            missing=missing[entry.name],
            ran_on=entry.ran_on,
        )
        for entry in plan.entries
        if entry.name in missing
    )
    order = {entry.name: place for place, entry in enumerate(plan.entries)}
    every = sorted((*found, *lost), key=lambda each: order.get(each.name, len(order)))
    return machine, tuple(every)


def _processes(entries: Iterable[Entry]) -> dict[str, str]:
    """By spec: the process of an implementation that cannot share one with other versions of it."""
    return {spec_of(each): each.process for each in entries if each.process and each.revision}


def _as_planned(listed: Iterable[Entry], planned: Iterable[Entry]) -> Iterator[Entry]:
    """The entries as they are here, with the processes and the revisions of the plan.

    A file whose bytes differ from those of the plan has no known revision.
    """
    known = {entry.name: entry for entry in planned}
    for each in listed:
        if (of := known.get(each.name)) is None:
            yield each
            continue
        revision = of.revision if of.hashes == each.hashes else None
        yield replace(each, process=of.process, apart=of.apart, revision=revision)


def _fault(entry: Entry, threads: int, pool: LocalPool) -> str:
    """Why an implementation cannot be used here; empty when it can."""
    try:
        specs, processes = [spec_of(entry)], _processes([entry])
        open_catalogue(specs, threads=threads, pool=pool, processes=processes)
    except ValueError as error:
        return str(error)
    return ""


def _settled(plan: Plan, machine: Mapping[str, Any]) -> Iterator[Record]:
    """The records known before anything runs, problems of devices that are not here among them."""
    here = _devices(machine)
    yield from (record for record in plan.settled() if record.problem.device in here)
    for problem in plan.problems:
        if problem.device not in here:
            reason = f"this machine has no {problem.device}; it has {', '.join(here)}"
            yield from (
                Record(
                    session=CHECK,
                    problem=problem,
                    implementation=entry.name,
                    status="refused",
                    cause="limits",
                    reason=reason,
                )
                for entry in plan.entries
            )


def _of_file(name: str, file: str, hashed: str) -> str:
    """How a file differs from that of the run; empty when it does not, and for installed ones."""
    if file.startswith(INSTALLED):
        return ""
    if not Path(file).is_file():
        return f"{name}: its file {file} is not here, so it is not measured"
    found = fingerprint(file)
    if found == hashed:
        return ""
    return f"{name}: the hash of {Path(file).name} is {hashed} in the run and {found} here"
