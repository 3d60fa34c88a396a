from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from suites.measure import cache
from suites.measure.cache import Flush, flushed_bytes, last_level_bytes


def listed(root: Path, *caches: tuple[str, str]) -> Path:
    for number, (level, size) in enumerate(caches):
        index = root / f"index{number}"
        index.mkdir()
        (index / "level").write_text(f"{level}\n")
        (index / "size").write_text(f"{size}\n")
    return root


def test_the_last_level_is_the_highest_and_not_the_last_in_the_list(tmp_path: Path) -> None:
    listed(tmp_path, ("1", "32K"), ("3", "32768K"), ("1", "48K"), ("2", "65536K"))
    assert last_level_bytes(tmp_path) == 32 << 20


@pytest.mark.parametrize(
    ("size", "expected"), [("512K", 512 << 10), ("96M", 96 << 20), ("1G", 1 << 30), ("4096", 4096)]
)
def test_sizes_are_read_with_their_units(tmp_path: Path, size: str, expected: int) -> None:
    assert last_level_bytes(listed(tmp_path, ("3", size))) == expected


@pytest.mark.parametrize("caches", [(), (("3", ""),), (("3", "many"),), (("", "32K"),)])
def test_the_size_is_unknown_when_the_system_does_not_report_it(
    tmp_path: Path, caches: tuple[tuple[str, str], ...]
) -> None:
    assert last_level_bytes(listed(tmp_path, *caches)) is None
    assert last_level_bytes(tmp_path / "absent") is None


def test_a_cache_without_a_size_does_not_hide_the_others(tmp_path: Path) -> None:
    listed(tmp_path, ("2", "512K"), ("3", "32768K"))
    (tmp_path / "index1" / "size").unlink()
    assert last_level_bytes(tmp_path) == 512 << 10


def test_a_flush_is_four_times_the_cache_or_256_mib_when_unknown() -> None:
    assert flushed_bytes(32 << 20) == 128 << 20
    assert flushed_bytes(None) == 256 << 20


def test_each_flush_writes_the_same_buffer_and_reads_it() -> None:
    flush = Flush("cpu", 1 << 16)
    buffer = flush._buffer
    assert (flush.bytes, buffer.nbytes) == (1 << 18, 1 << 18)
    buffer.zero_()
    flush()
    assert flush._buffer is buffer
    assert buffer.min() == 1


@pytest.mark.parametrize(("l2_mib", "flushed_mib"), [(50, 256), (126, 504)])
def test_on_a_gpu_its_own_cache_counts(
    monkeypatch: pytest.MonkeyPatch, l2_mib: int, flushed_mib: int
) -> None:
    made: list[tuple[int, str]] = []

    def ones(size: int, *, dtype: torch.dtype, device: str) -> Any:
        made.append((size * dtype.itemsize, device))

    properties = SimpleNamespace(L2_cache_size=l2_mib << 20)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 3)
    monkeypatch.setattr(torch.cuda, "get_device_properties", {3: properties}.get)
    monkeypatch.setattr(torch, "ones", ones)
    assert Flush("cuda", 1 << 10).bytes == flushed_mib << 20
    assert made == [(flushed_mib << 20, "cuda")]


def test_the_code_says_where_its_flush_of_a_gpu_ran() -> None:
    assert "NVIDIA H200 on 2026-11-29" in " ".join((cache.__doc__ or "").split())
