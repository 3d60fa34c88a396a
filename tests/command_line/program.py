"""The program started by tests, in a process of its own or in this one, and files for it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import pytest

import run_bench

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "run_bench.py"
TINY = ("--seq", "64,96", "--heads", "4", "--head-dim", "16", "--mask", "full,causal")

RIGHT = """
import torch
from torch import Tensor

def mine(q, k, v, *, mask, scale):
    group = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
    positions = torch.arange(q.shape[2])[:, None] + k.shape[2] - q.shape[2]
    seen = mask.visible(0, positions, torch.arange(k.shape[2]))
    scores = (scale * (q @ k.transpose(-1, -2))).masked_fill(~seen, float("-inf"))
    return torch.softmax(scores, -1).nan_to_num() @ v
"""
WRONG = RIGHT.replace("def mine", "def ignores_the_mask").replace("~seen", "seen & ~seen")
SLOW = """
import time
import torch

def slow(q, k, v):
    time.sleep(0.02)
    group = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
    return torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, -1) @ v
"""


def start(
    *words: str, cwd: Path, program: Path = PROGRAM, timeout_s: float = 300
) -> subprocess.CompletedProcess[str]:
    """Run the program in a process of its own."""
    environment = {**os.environ, "COLUMNS": "120"}
    return subprocess.run(
        [sys.executable, str(program), *words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def run_here(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the program in this process: 5 s of CPU time less than `start`.

    Processes that it starts share the streams of pytest; their output is not in the result.
    """
    out, err = io.StringIO(), io.StringIO()
    with (
        chdir(cwd),
        mock.patch.dict(os.environ, COLUMNS="120"),
        mock.patch.object(sys, "argv", ["run_bench.py", *words]),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        run_bench.main()
    status = int(ended.value.code or 0)
    return subprocess.CompletedProcess(words, status, out.getvalue(), err.getvalue())


class Ended(NamedTuple):
    """How the program ended in this process."""

    status: object
    stdout: str
    stderr: str


def call(
    *words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], cwd: Path
) -> Ended:
    """Run the program in this process: much faster than `start` for what ends at once."""
    monkeypatch.chdir(cwd)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys, "argv", ["run_bench.py", *words])
    with pytest.raises(SystemExit) as ended:
        run_bench.main()
    return Ended(ended.value.code, *capsys.readouterr())
