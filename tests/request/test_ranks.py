"""More ranks than cores or devices are refused in one line."""

from __future__ import annotations

from typing import Any

import pytest

from impls.interface import Problem
from suites.request.ranks import expect_places

CPU: dict[str, Any] = {"devices": [{"device": "cpu"}]}
TWO_GPUS: dict[str, Any] = {
    "devices": [{"device": "cuda"}, {"device": "cpu"}],
    "other_devices": [{"name": "another", "index": 1}],
}


def test_more_ranks_than_cores_are_refused() -> None:
    expected = (
        "ranks4 needs 4 cores for 1 thread each, this machine has 2; `check` takes more ranks "
        "than cores"
    )
    with pytest.raises(ValueError, match=expected):
        expect_places([Problem(), Problem(ranks=4)], CPU, 2)


def test_more_ranks_than_nvidia_devices_are_refused() -> None:
    expect_places([Problem(ranks=2, device="cuda")], TWO_GPUS, 1)
    expected = "ranks4 on cuda needs 4 NVIDIA devices, this machine has 2"
    with pytest.raises(ValueError, match=expected):
        expect_places([Problem(ranks=4, device="cuda")], TWO_GPUS, 64)


def test_ranks_with_a_core_each_are_accepted() -> None:
    expect_places([Problem(ranks=2), Problem(ranks=4)], CPU, 4)
