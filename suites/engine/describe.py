"""Tasks that describe: implementations and machine as data, and the facts of a session."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import torch

import impls
from impls.interface import Implementation, Missing
from suites.engine.messages import Begin, InputsDescribed, Listed, Refused, Surveyed
from suites.engine.outcome import resolve
from suites.engine.pipe import Sender, one_line
from suites.engine.protocol import (
    DescribeInputs,
    ImportLibraries,
    ListImplementations,
    Survey,
)
from suites.measure import (
    cache,
    ceilings,
    input_files,
    machine,
    nvidia,
    nvidia_facts,
    precision,
    timing,
    warm_up,
)
from suites.process_state.state import SHARED, ProcessState
from suites.records.facts import SessionFacts, WarmUp
from suites.records.plan import Entry

LONGEST: Final = 2000
"""Characters of a refusal, a missing module or a description: paths are long."""
RECORDED: Final = (
    "OMP_NUM_THREADS",
    "OMP_PROC_BIND",
    "OMP_PLACES",
    "TORCH_DISABLE_NATIVE_JIT",
    "MALLOC_MMAP_MAX_",
    "MALLOC_MMAP_THRESHOLD_",
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_TOP_PAD_",
    "CUDA_VISIBLE_DEVICES",
    "CUDA_DEVICE_ORDER",
    "CUDA_LAUNCH_BLOCKING",
    "CUDA_MODULE_LOADING",
    "CUBLAS_WORKSPACE_CONFIG",
    "NVIDIA_TF32_OVERRIDE",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "PYTORCH_ALLOC_CONF",
    "PYTORCH_CUDA_ALLOC_CONF",
    "PYTORCH_NO_CUDA_MEMORY_CACHING",
)
"""Variables that the engine sets for a session, and those of allocators and of CUDA."""

Found = dict[str, Implementation | Missing]


def list_implementations(task: ListImplementations, sender: Sender) -> None:
    """Send the machine with every implementation that the specs select, or why there is none.

    Libraries are found by their metadata. Importing them is a task of its own.
    """
    try:
        found = _entries(task, sender)
    except ValueError as error:
        sender.send(Refused(reason=one_line(str(error), LONGEST)))
        return
    here = machine.describe(
        cores=task.cores, threads=torch.get_num_threads(), cuda_device=task.cuda_device
    )
    positions, entries = zip(*found, strict=True) if found else ((), ())
    sender.send(Listed(machine=here, entries=entries, positions=positions))


def describe_inputs(task: DescribeInputs, sender: Sender) -> None:
    """Send the problems and hashes of files with tensors, or why one of them cannot be used."""
    try:
        files = tuple(input_files.described(path, task.device, task.dtypes) for path in task.paths)
    except ValueError as error:
        sender.send(Refused(reason=one_line(str(error), LONGEST)))
        return
    sender.send(InputsDescribed(files=files))


def import_libraries(task: ImportLibraries, sender: Sender) -> None:
    """Import what an implementation needs beside torch, or send why that fails."""
    sender.send(Begin(problem=None, implementation=task.implementation))
    before = ProcessState()
    try:
        resolve(task.implementation, task.files)
    except ImportError as error:
        sender.send(Refused(reason=one_line(str(error), LONGEST)))
    if changes := before.changes():
        raise RuntimeError(f"importing its library {changes}; {SHARED}")  # ends the process


def survey(task: Survey, sender: Sender) -> None:
    """Send the facts of this process, once, before any time is taken."""
    warmed = _warmed() if task.warms_up else None
    found = tuple(
        ceiling
        for device in task.devices
        for ceiling in ceilings.measure(device, task.dtypes, budget_ms=task.budget_ms)
    )
    facts = SessionFacts(
        session=task.session,
        process=task.process,
        ceilings=found,
        threads=torch.get_num_threads(),
        affinity=tuple(cpus_of_threads()),
        products=precision.describe(),
        clock_resolution_ms=timing.resolution_ms(),
        last_level_cache_bytes=cache.last_level_bytes(),
        garbage_collection="off in samples" if gc.isenabled() else "off",
        environment={name: os.environ[name] for name in RECORDED if name in os.environ},
        nvidia=nvidia_facts.facts(_uuid()) if "cuda" in task.devices else {},
        warm_up=warmed,
    )
    sender.send(Surveyed(facts=facts))


def _warmed() -> WarmUp:
    def temperature_c() -> int | None:
        state = nvidia.read(uuid)
        return None if state is None else state.temperature_c

    uuid = _uuid()
    return warm_up.warm_up(torch.cuda, temperature_c)


def _uuid() -> str:
    """Of the NVIDIA device that is used."""
    return str(torch.cuda.get_device_properties(torch.cuda.current_device()).uuid)


def cpus_of_threads() -> list[int]:
    """The CPUs that the threads of this process may run on; empty where the system has no list."""
    threads = Path("/proc/self/task")
    if not (threads.exists() and hasattr(os, "sched_getaffinity")):
        return []
    found: set[int] = set()
    for each in threads.iterdir():
        with contextlib.suppress(OSError):  # a thread that ended meanwhile
            found |= os.sched_getaffinity(int(each.name))
    return sorted(found)


def _fingerprint(path: str) -> str:
    """The fingerprint of a file. Raises ValueError for one that was deleted after its import."""
    try:
        return impls.fingerprint(path)
    except FileNotFoundError:
        raise ValueError(
            f"no file {path!r}; expected it to stay where it was imported from"
        ) from None


def entry_of(each: Implementation) -> Entry:
    """An implementation as data."""
    parts = [each, *([each.inner] if each.inner else [])]
    lines = (each.function.__doc__ or "").strip().splitlines()
    return Entry(
        name=str(each),
        files={part.name: str(Path(part.file).resolve()) for part in parts},
        hashes={part.name: _fingerprint(part.file) for part in parts},
        limits=each.limits,
        inner_limits=each.inner.limits if each.inner else (),
        choices={name: list(map(str, values)) for name, values in each.choices.items()},
        panel=each.panel,
        description=one_line(lines[0], LONGEST) if lines else "",
        states_limits=each.states_limits,
        needs_trial=any(not part.states_limits or part.convention is not None for part in parts),
        library=", ".join(str(part.library) for part in parts if part.library is not None),
        slow_start=any(part.slow_start for part in parts),
        apart=each.apart,
        ran_on=each.ran_on,
    )


def _entries(task: ListImplementations, sender: Sender) -> list[tuple[int, Entry]]:
    """Every entry after the position of its spec."""
    known: Found = {}
    for path in impls.own_files():
        known |= _load(path, task.without, sender, known)
    every = [each.name for each in known.values() if isinstance(each, Implementation)]
    specified = (impls.EVERY,) if task.specs is None else task.specs
    specs = [name for spec in specified for name in (every if spec == impls.EVERY else [spec])]
    found: dict[str, tuple[int, Entry]] = {}
    for position, spec in enumerate(specs):
        sender.send(Begin(problem=None, implementation=spec))
        with _unchanged(spec, ValueError):
            chosen = impls.select([impls.name_and_spec(spec)[1]], known)
        for entry in _selected(spec, chosen, known):
            other = found.setdefault(entry.name, (position, entry))[1]
            if (other.spec or entry.spec) and other is not entry:
                raise ValueError(f"{spec}: the name {entry.name!r} is given twice; choose another")
    missing = [
        Entry(
            name=each.name,
            missing=one_line(each.reason, LONGEST),
            limits=each.limits,
            ran_on=each.ran_on,
        )
        for each in known.values()
        if isinstance(each, Missing) and impls.EVERY in specified
    ]
    return [*found.values(), *((len(specs), each) for each in missing)]


def _selected(spec: str, chosen: list[Implementation], known: Found) -> list[Entry]:
    """The entries of a spec. Raises ValueError for a name that is not free."""
    name = impls.name_and_spec(spec)[0]
    if name:
        _expect_usable(name, spec, chosen, known)
    return [_named(entry_of(each), name) for each in chosen]


def _named(entry: Entry, name: str) -> Entry:
    """An entry under the name that the run gives it; "" leaves it."""
    return replace(entry, name=name, spec=entry.name) if name not in ("", entry.name) else entry


def _expect_usable(name: str, spec: str, chosen: list[Implementation], known: Found) -> None:
    """Raise ValueError for a name that `impls/` uses, or that several implementations would get."""
    if len(chosen) > 1:
        raise ValueError(
            f"{spec} names {len(chosen)} implementations: {', '.join(map(str, chosen))}; expected "
            "one"
        )
    other = known.get(name)
    is_ours = isinstance(other, Missing) or (other and Path(other.file).parent == impls.FOLDER)
    if is_ours and name != str(chosen[0]):
        raise ValueError(f"{spec}: {name!r} is the name of an implementation; choose another")


def _load(path: Path, without: dict[str, str], sender: Sender, known: Found) -> Found:
    """What a file of `impls/` defines. Raises ValueError for a name that is used twice."""
    sender.send(Begin(problem=None, implementation=str(path)))
    if str(path) in without:
        return {path.stem: Missing(path.stem, without[str(path)])}
    with _unchanged(str(path), RuntimeError):  # ends the process, not the run
        found = impls.load([path])
    for name in found.keys() & known.keys():
        other = known[name]
        where = other.file if isinstance(other, Implementation) else "impls"
        raise ValueError(f"the name {name!r} is used in {where} and in {path}; rename one")
    return found


@contextmanager
def _unchanged(file: str, error: type[Exception]) -> Iterator[None]:
    """Raise this error when importing a file changes process state that others depend on."""
    before = ProcessState()
    yield
    if changes := before.changes():
        raise error(f"{file}: importing it {changes}; {SHARED}")
