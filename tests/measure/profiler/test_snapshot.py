"""The snapshot of the CUDA allocator, on the stand-in."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from suites.measure.profiler import snapshot
from tests.stand_in.device import stand_in


def test_a_snapshot_holds_the_allocations_of_one_call(tmp_path: Path) -> None:
    file = tmp_path / f"x{snapshot.ENDING}"
    with stand_in() as cuda:
        x = torch.ones(64, 64, device="cuda")
        assert snapshot.write(lambda: x + x, file, torch.cuda)
        assert cuda.history is None
    (trace,) = pickle.loads(file.read_bytes())["device_traces"]  # noqa: S301 - written above
    assert ("alloc", x.nbytes) in [(each["action"], each["size"]) for each in trace]
    assert trace[-1]["action"] == "free_completed"


def test_an_allocator_without_snapshots_writes_none(tmp_path: Path) -> None:
    file = tmp_path / "x.pickle"
    with stand_in() as cuda:
        cuda.allocator = "cudaMallocAsync"
        assert not snapshot.write(lambda: torch.ones(1, device="cuda"), file, torch.cuda)
    assert not file.exists()


def test_after_a_call_that_raises_nothing_more_is_recorded(tmp_path: Path) -> None:
    def call() -> None:
        raise ValueError("planted")

    with stand_in() as cuda:
        with pytest.raises(ValueError, match="planted"):
            snapshot.write(call, tmp_path / "x.pickle", torch.cuda)
        assert cuda.history is None
