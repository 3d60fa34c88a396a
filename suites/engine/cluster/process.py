"""The process of a node that carries out a job, and what Ray calls there.

Imports only the standard library: a node that lacks a dependency says so from its process.
"""

from __future__ import annotations

import os
import platform
import re
import select
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import IO, Any, Final

ROOT: Final = Path(__file__).resolve().parents[3]
HEADER: Final = struct.Struct(">Q")
"""Precedes each frame of a pipe: its bytes."""
LOOK_EVERY_S: Final = 0.2
"""Ray interrupts a task between two instructions of Python, not within a read."""
OF_RAY: Final = ("OMP_NUM_THREADS",)
"""Variables that Ray sets in its processes. Sessions set their own."""
GPU_FOLDER: Final = Path("/proc/driver/nvidia/gpus")


class NodeProcessError(RuntimeError):
    """The process of a job ended before its job was done; the message has its last line."""


def look() -> dict[str, Any]:
    """Facts of the machine, without torch: CPU, GPUs, host, versions of Python and torch."""
    return {
        "host": socket.gethostname(),
        "cpu": _cpu(),
        "gpus": _gpus(),
        "python": platform.python_version(),
        "torch": _torch(),
    }


def carry_out(job: bytes, slots: int, gpus: tuple[str, ...] = ()) -> Iterator[bytes]:
    """Start a process for a job, and pass on the frames that it writes.

    job    a pickled Job
    slots  jobs that this node carries out at once, each with its part of the CPUs
    gpus   the indices of the GPUs of this job

    The process ends when this does: it reads the end of its standard input. Raises
    NodeProcessError when it ends before its last frame, which is empty.
    """
    part = f"{int(gpus[0]) % slots}/{slots}" if gpus and slots > 1 and gpus[0].isdecimal() else ""
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603 - our own module under our own Python
            [sys.executable, "-P", "-m", "suites.on_node", part],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=_environment(os.environ),
            start_new_session=True,
        )
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a process without its pipes")
        try:
            write(process.stdin, job)
            process.wait()  # it forks, so that Ray does not kill it before it has cleaned up
            yield from _frames(process.stdout)
        except (BrokenPipeError, EOFError):
            raise NodeProcessError(_last_line(errors)) from None
        finally:
            process.stdin.close()
            process.stdout.close()


def write(stream: IO[bytes], frame: bytes) -> None:
    """Write one frame."""
    stream.write(HEADER.pack(len(frame)) + frame)
    stream.flush()


def read(stream: IO[bytes]) -> bytes:
    """Read one frame. Raises EOFError where the stream ends."""
    return _exactly(stream, HEADER.unpack(_exactly(stream, HEADER.size))[0])


def _exactly(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data


def _frames(stream: IO[bytes]) -> Iterator[bytes]:
    """The frames of a pipe until an empty one. Raises EOFError where it ends before that."""
    descriptor, data = stream.fileno(), bytearray()
    while True:
        while not select.select([descriptor], [], [], LOOK_EVERY_S)[0]:
            pass
        more = os.read(descriptor, 1 << 20)
        if not more:
            raise EOFError
        data += more
        while len(data) >= HEADER.size:
            end = HEADER.size + HEADER.unpack(data[: HEADER.size])[0]
            if len(data) < end:
                break
            frame = bytes(data[HEADER.size : end])
            del data[:end]
            if not frame:
                return
            yield frame


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """That of the job: this program is found first."""
    kept = {name: value for name, value in environ.items() if name not in OF_RAY}
    path = os.pathsep.join(filter(None, (str(ROOT), kept.get("PYTHONPATH", ""))))
    return {**kept, "PYTHONPATH": path}


def _last_line(errors: IO[bytes]) -> str:
    errors.seek(0)
    lines = [line for line in errors.read().decode(errors="replace").splitlines() if line.strip()]
    last = f"; its last line: {lines[-1].strip()}" if lines else ""
    return f"the process of a job ended before the job was done{last}"


def _cpu() -> str:
    """The model of the CPU, as the system states it."""
    try:
        found = re.search(
            r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE
        )
    except OSError:
        found = None
    return found[1].strip() if found else platform.machine()


def _gpus() -> list[str]:
    """The models of the NVIDIA devices, as the driver states them."""
    found = []
    for file in sorted(GPU_FOLDER.glob("*/information")):
        model = re.search(r"^Model:\s*(.+)$", file.read_text(), re.MULTILINE)
        found.append(model[1].strip() if model else "NVIDIA GPU")
    return found


def _torch() -> str:
    """The version of torch; empty where it is not installed."""
    try:
        return metadata.version("torch")
    except metadata.PackageNotFoundError:
        return ""
