"""The limit of memory that a call may add on a GPU."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest
import torch

from impls.interface import Problem
from suites.engine.call_limits import limited_memory
from suites.engine.forecast import Forecast, foreseen
from suites.records.plan import Entry, Plan
from suites.request.planning import device_memory_limit
from tests.stand_in.device import stand_in

MIB: Final = 1 << 20
GIB: Final = 1 << 30
ON_GPU: Final = Problem.parse("b1 h16 t4096 d64 full bf16 cuda")


def plan(**changes: Any) -> Plan:
    fields: dict[str, Any] = {
        "suite": "x",
        "problems": (ON_GPU,),
        "entries": (Entry(name="a"),),
        "sessions": 1,
        "seed": 0,
        "round_budget_ms": 400,
        "memory_limit": 2 * GIB,
        "threads": (2,),
    }
    return Plan(**{**fields, **changes})


def machine(*sizes: int) -> dict[str, Any]:
    gpus = [{"device": "cuda", "memory_bytes": size} for size in sizes]
    return {"memory_bytes": 128 * GIB, "devices": [*gpus, {"device": "cpu", "name": "x"}]}


def test_a_call_may_add_its_limit_to_what_the_device_holds() -> None:
    with stand_in(memory_bytes=64 * MIB) as cuda:
        held = torch.empty(16 * MIB, dtype=torch.uint8, device="cuda")
        with limited_memory(8 * MIB, "cuda"):
            made = torch.empty(8 * MIB, dtype=torch.uint8, device="cuda")
        assert cuda.fraction == 1.0
        assert held.shape != made.shape


def test_a_call_beyond_its_limit_is_out_of_memory_and_the_limit_is_named() -> None:
    with stand_in(memory_bytes=64 * MIB) as cuda:
        with (
            pytest.raises(torch.OutOfMemoryError) as raised,
            limited_memory(8 * MIB, "cuda"),
        ):
            torch.empty(9 * MIB, dtype=torch.uint8, device="cuda")
        assert raised.value.__notes__ == ["one call may add 0.01 GiB: --memory-limit"]
        assert cuda.fraction == 1.0


def test_an_error_of_the_device_is_not_replaced_by_that_of_lifting_the_limit() -> None:
    first = torch.AcceleratorError("the first")
    with stand_in() as cuda:
        with pytest.raises(torch.AcceleratorError) as raised, limited_memory(8 * MIB, "cuda"):
            raise first
        assert cuda.fraction < 1
    assert raised.value is first


def test_the_default_limit_is_of_the_device_not_of_the_host() -> None:
    assert device_memory_limit(None, machine(40 * GIB)) == 32 * GIB
    assert device_memory_limit(None, machine(80 * GIB, 40 * GIB)) == 32 * GIB
    assert device_memory_limit(3 * GIB, machine(40 * GIB)) == 3 * GIB
    assert device_memory_limit(None, machine()) is None


def test_problems_have_the_limit_of_their_device() -> None:
    both = plan(device_memory_limit=64 * GIB)
    assert (both.memory_limit_on("cpu"), both.memory_limit_on("cuda")) == (2 * GIB, 64 * GIB)
    assert plan().memory_limit_on("cuda") == 2 * GIB


def test_inputs_are_held_against_the_memory_of_their_device() -> None:
    large = replace(ON_GPU, query_length=1 << 20, key_length=1 << 20)
    pair = large, "a"
    assert foreseen(Forecast(()), pair, plan(device_memory_limit=64 * GIB)) is None
    found = foreseen(Forecast(()), pair, plan(device_memory_limit=8 * GIB))
    assert found is not None
    assert found.cause == "foreseen_memory"
    assert "the limit is 8.0 GiB (--memory-limit)" in found.reason
