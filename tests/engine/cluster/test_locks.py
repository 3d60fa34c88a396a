from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from suites.engine.cluster.locks import measuring


def is_free(path: Path, how: int) -> bool:
    """Whether another holder would get this lock now."""
    if not path.exists():
        return True
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def test_a_cpu_that_is_measured_is_held_alone(tmp_path: Path) -> None:
    machine = tmp_path / "attnbench-machine.lock"
    with measuring({"cpu"}, str(tmp_path)):
        assert not is_free(machine, fcntl.LOCK_SH)
    assert is_free(machine, fcntl.LOCK_EX)


def test_gpus_share_the_machine_and_are_held_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-one")
    with measuring({"cuda"}, str(tmp_path)):
        assert is_free(tmp_path / "attnbench-machine.lock", fcntl.LOCK_SH)
        assert not is_free(tmp_path / "attnbench-machine.lock", fcntl.LOCK_EX)
        assert not is_free(tmp_path / "attnbench-gpu-GPU-one.lock", fcntl.LOCK_SH)
        assert is_free(tmp_path / "attnbench-gpu-GPU-two.lock", fcntl.LOCK_EX)
    assert is_free(tmp_path / "attnbench-gpu-GPU-one.lock", fcntl.LOCK_EX)


def test_cpu_and_gpu_together_hold_the_machine_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-one")
    with measuring({"cpu", "cuda"}, str(tmp_path)):
        assert not is_free(tmp_path / "attnbench-machine.lock", fcntl.LOCK_SH)
