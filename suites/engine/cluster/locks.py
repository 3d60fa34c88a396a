"""Locks of a machine: whatever measures the same CPUs or GPU does so one after another."""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from suites.engine.visible_devices import VARIABLE


@contextmanager
def measuring(devices: Iterable[str], folder: str = "") -> Iterator[None]:
    """Wait until nothing else measures these devices of the machine, and hold them.

    devices  kinds of device: one with `cpu` holds the machine; GPUs alone share it and hold the
             visible GPUs
    folder   of the lock files; by default the folder for temporary files

    The system releases the locks when the process ends, whatever ends it.
    """
    kinds = set(devices)
    place = Path(folder or tempfile.gettempdir())
    with ExitStack() as held:
        alone = "cuda" not in kinds or "cpu" in kinds
        held.enter_context(_locked(place / "attnbench-machine.lock", alone=alone))
        for gpu in _visible() if "cuda" in kinds else ():
            held.enter_context(_locked(place / f"attnbench-gpu-{gpu}.lock", alone=True))
        yield


def _visible() -> list[str]:
    """The UUIDs of the visible GPUs where the driver states them, else their names here."""
    named = [each.strip() for each in os.environ.get(VARIABLE, "0").split(",") if each.strip()]
    uuids = _uuids()
    return sorted({uuids.get(each, each) for each in named})


def _uuids() -> dict[str, str]:
    """UUIDs by index. Both orders agree where all GPUs are of one model."""
    files = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    found = (re.search(r"^GPU UUID:\s*(\S+)", file.read_text(), re.MULTILINE) for file in files)
    return {str(index): uuid[1] for index, uuid in enumerate(found) if uuid}


@contextmanager
def _locked(path: Path, *, alone: bool) -> Iterator[None]:
    """Hold a lock file. It stays when it is released: another process may wait for it."""
    descriptor = _opened(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    """A lock file that every user of the machine can open.

    A kernel with protected_regular refuses O_CREAT for a file of another user.
    """
    try:
        return os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)
