"""The step `memory`: a known allocation, and one problem first and second in a process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from impls.interface import Problem
from suites.calibrate.device.figure import Figure, Target
from suites.calibrate.protocol import ask
from suites.engine.catalogue import open_catalogue
from suites.engine.local_pool import LocalPool
from suites.engine.local_session import Session
from suites.engine.messages import InstrumentsRead, Made, Message
from suites.engine.protocol import Check, ReadInstruments
from suites.records.plan import Entry
from suites.records.record import CHECK, Record
from suites.records.settings import Settings

KNOWN_BYTES: Final = (3 << 20) + 40
"""No multiple of the blocks of an allocator: a reading in blocks would differ."""
PROBLEM: Final = "b1 h4 t128 d64 causal train"
"""In float32: the first backward pass makes cuBLAS workspaces, which must not be counted."""
NAME: Final = "naive"
SEED: Final = 5
LIMIT_S, LIMIT_BYTES = 30.0, 8 << 30


def figures(target: Target) -> Iterator[Figure]:
    """Bytes read of a known allocation; peak and kept bytes of two checks of the same problem."""
    with LocalPool(LIMIT_S, LIMIT_BYTES) as pool:
        _, (entry,) = open_catalogue([NAME], threads=1, pool=pool)
        _, session = pool.take(CHECK, 1)
        with session:
            task = ReadInstruments(known_bytes=KNOWN_BYTES, device=target.device)
            yield _allocation(ask(session, task, InstrumentsRead).read_bytes)
            yield from _same(*(_checked(session, entry, target.device) for _ in range(2)))


def _allocation(read_bytes: int) -> Figure:
    return Figure(
        name="known allocation",
        value=read_bytes,
        unit="bytes read",
        expected=f"{KNOWN_BYTES}",
        reason="a tensor of so many bytes was allocated",
        holds=read_bytes == KNOWN_BYTES,
    )


def _same(first: Record, second: Record) -> Iterator[Figure]:
    for each, which in ((first, "first"), (second, "second")):
        yield Figure(
            name=f"kept by the {which} check",
            value=each.kept_bytes if each.status == "ok" else f"{each.status}: {each.reason}",
            unit="bytes" if each.status == "ok" else "",
            expected="0",
            reason=f"{NAME} keeps no tensors; a workspace of a library was counted",
            holds=each.kept_bytes == 0,
        )
    yield Figure(
        name=f"peak of {NAME}, first and second in a process",
        value=f"{first.peak_bytes} and {second.peak_bytes}",
        unit="bytes",
        expected="equal",
        reason="a call needs the same memory at any time of a process",
        holds=first.peak_bytes is not None and first.peak_bytes == second.peak_bytes,
    )


def _checked(session: Session, entry: Entry, device: str) -> Record:
    """The record of one check."""
    heard: list[Message] = []
    task = Check(
        session=CHECK,
        problem=Problem.parse(f"{PROBLEM} {device}"),
        implementations=(entry.name,),
        files={entry.name: entry.files},
        seed=SEED,
        settings=Settings(sessions=0, memory_limit=LIMIT_BYTES, threads=(1,)),
    )
    ending = session.ask(task, heard.append)
    found = next((each.record for each in heard if isinstance(each, Made)), None)
    if found is None:
        raise RuntimeError(f"the check of {entry.name} gave no record: {ending}")
    return found
