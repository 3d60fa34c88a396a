"""The program on a cluster of three nodes, each started as a user starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from suites.records.record import Record
from suites.records.store import Run, Store

ROOT = Path(__file__).resolve().parents[2]
STAGED = "working_dir_files"
"""Part of the path of the program's copy on a node."""
MINE = """
import torch.nn.functional as F


def mine(q, k, v, is_causal=False):
    return F.scaled_dot_product_attention(q, k, v, is_causal=is_causal)
"""


@dataclass(frozen=True)
class Nodes:
    """Nodes of two kinds: two are `alpha`, one is `beta`."""

    address: str
    program: subprocess.Popen[str]

    def do(self, word: str) -> None:
        """Kill a node, or add one."""
        assert self.program.stdin
        assert self.program.stdout
        self.program.stdin.write(f"{word}\n")
        self.program.stdin.flush()
        assert self.program.stdout.readline().strip() == word

    def started(self, folder: Path, *words: str) -> subprocess.Popen[str]:
        """The program, started with `run --engine ray`."""
        return started(folder, "--engine", "ray", "--address", self.address, *words)

    def ended(self, folder: Path, *words: str) -> tuple[int, str, str]:
        """Its exit status and what it printed."""
        return ended(self.started(folder, *words))


def started(folder: Path, *words: str) -> subprocess.Popen[str]:
    """The program, started with `run`."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "run_bench.py"), "run", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(program: subprocess.Popen[str]) -> tuple[int, str, str]:
    """The exit status of a program and what it printed."""
    printed, said = program.communicate(timeout=600)
    return program.returncode, printed, said


def line_of(stream: IO[str] | None) -> str:
    """The next line of a program's output."""
    assert stream
    return stream.readline()


def stored(folder: Path) -> dict[str, tuple[Run, list[Record]]]:
    """The runs of the store below a folder, each with its records."""
    store = Store.open(f"sqlite:///{folder / 'results' / 'bench.db'}", create=False)
    try:
        return {
            each.name: (store.run(each.name), store.records(each.name)) for each in store.runs()
        }
    finally:
        store.close()


def on_nodes() -> list[int]:
    """The processes of jobs on nodes, and of their sessions."""
    found = []
    for process in psutil.process_iter():
        try:
            command, path = process.cmdline(), process.environ().get("PYTHONPATH", "")
        except psutil.Error:
            continue
        if {"suites.on_node", "suites.session"} & set(command) and STAGED in path:
            found.append(process.pid)
    return [pid for pid in found if pid != os.getpid()]
