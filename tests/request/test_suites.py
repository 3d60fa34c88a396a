"""The suites on a CPU and on GPUs."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from impls.interface import Problem
from suites.records.plan import Entry
from suites.request.planning import plan_of, requested
from suites.request.suites import SUITES
from suites.request.suites.suite import BFLOAT16_FROM, Gpu

QUICK, SCALING, PEERS = (SUITES[name].problems for name in ("quick", "scaling", "peers"))
BOTH = ("cuda", "cpu")
H100 = Gpu((9, 0), 80 << 30)


def on_cuda(problems: tuple[Problem, ...]) -> list[Problem]:
    return [problem for problem in problems if problem.device == "cuda"]


def test_quick_on_a_cpu_has_float32_and_short_lengths() -> None:
    full = [f"b1 h4 t{t} d64 full fp32 cpu" for t in (128, 256, 512, 1024, 2048)]
    window = [f"b1 h4 t{t} d64 window:128 fp32 cpu" for t in (256, 512, 1024, 2048)]
    heads = [f"b1 h{h} t512 d64 full fp32 cpu" for h in (1, 8)]
    assert list(map(str, QUICK(("cpu",)))) == [*full, *window, *heads]


def test_scaling_on_a_cpu_has_float32_and_every_combination() -> None:
    expected = {
        f"b1 h{h} t{2**power} d64 {mask} fp32{train} cpu"
        for h, power in product((1, 4, 8, 16), range(7, 15))
        for mask, train in product(("full", "causal", "window:256"), ("", " train"))
    }
    found = list(map(str, SCALING(("cpu",))))
    assert set(found) == expected
    assert len(found) == len(expected)
    assert [str(p) for p in SCALING(BOTH, H100) if p.device == "cpu"] == found


def test_quick_on_a_gpu_asks_the_same_questions_at_sizes_of_a_gpu() -> None:
    causal = [f"b1 h16 t{t} d128 causal bf16 cuda" for t in (512, 1024, 2048, 4096, 8192)]
    window = [f"b1 h16 t{t} d128 window:512 bf16 cuda" for t in (1024, 2048, 4096, 8192)]
    heads = [f"b1 h{h} t2048 d128 causal bf16 cuda" for h in (4, 32)]
    assert list(map(str, QUICK(BOTH, H100))) == [*causal, *window, *heads]


def test_scaling_on_a_gpu_has_longer_lengths_and_training() -> None:
    found = on_cuda(SCALING(BOTH, H100))
    assert {problem.query_length for problem in found} == {2**power for power in range(9, 16)}
    assert {problem.training for problem in found} == {False, True}
    assert {(problem.dtype, problem.head_dim) for problem in found} == {("bfloat16", 128)}


@pytest.mark.parametrize(
    ("capability", "dtype"),
    [((7, 5), "float16"), ((7, 9), "float16"), (BFLOAT16_FROM, "bfloat16"), ((12, 0), "bfloat16")],
)
def test_a_gpu_without_bfloat16_gets_float16(capability: tuple[int, int], dtype: str) -> None:
    for problems in (QUICK, SCALING):
        found = on_cuda(problems(BOTH, Gpu(capability)))
        assert {problem.dtype for problem in found} == {dtype}


def test_the_memory_of_a_gpu_bounds_the_largest_size() -> None:
    whole, small = (on_cuda(SCALING(BOTH, Gpu((8, 0), memory))) for memory in (None, 1 << 30))
    left_out = set(whole) - set(small)
    assert left_out
    assert min(p.fewest_bytes for p in left_out) > max(p.fewest_bytes for p in small)
    assert max(p.fewest_bytes for p in small) < 1 << 30


def test_peers_has_what_models_ask_for_and_its_longest_problems_last() -> None:
    found = PEERS(("cpu",))
    assert {str(each.mask) for each in found} == {
        *("full", "causal", "window:64", "window:256", "window:1024"),
    }
    assert any(each.query_heads > each.key_heads and each.query_length > 1 for each in found)
    assert any(each.query_length == 1 and each.key_length >= 4096 for each in found)
    assert {each.dtype for each in found} == {"float32", "bfloat16"}
    assert {each.training for each in found} == {False, True}
    square = [each for each in found if each.query_length > 1]
    assert [each.query_length for each in square] == sorted(each.query_length for each in square)


@pytest.mark.parametrize("reach", [64, 256, 1024])
def test_every_window_of_peers_hides_keys_that_a_causal_mask_shows(reach: int) -> None:
    for devices in (("cpu",), BOTH):
        own = [each for each in PEERS(devices, H100) if str(each.mask) == f"window:{reach}"]
        assert own
        assert min(each.key_length for each in own) >= 2 * reach


def test_peers_on_a_gpu_asks_the_same_questions_in_16_bits() -> None:
    cpu, gpu = PEERS(("cpu",)), PEERS(BOTH, H100)
    assert {(each.device, each.head_dim) for each in gpu} == {("cuda", 128)}
    assert {str(each.mask) for each in gpu} == {str(each.mask) for each in cpu}
    assert {each.query_length == 1 for each in gpu} == {True, False}
    assert {each.training for each in gpu} == {True, False}
    assert any(each.query_heads > each.key_heads for each in gpu)
    assert {each.dtype for each in PEERS(BOTH, Gpu((7, 5)))} == {"float16"}
    small = PEERS(BOTH, Gpu((8, 0), 1 << 28))
    assert set(small) < set(gpu)


def test_peers_has_a_budget_of_ten_minutes_and_intervals() -> None:
    suite = SUITES["peers"]
    assert suite.budget_s == 600
    assert suite.sessions >= 3  # with two, an interval is five times as wide


def test_the_plan_has_the_dtype_and_the_sizes_of_its_device() -> None:
    old = {"device": "cuda", "capability": [7, 5], "memory_bytes": 16 << 30}
    machine: dict[str, Any] = {"devices": [old, {"device": "cpu"}]}
    entries = (Entry(name="mine"),)
    plan = plan_of(requested(SUITES["quick"], {}), machine, entries, 2)
    assert {(problem.dtype, problem.device) for problem in plan.problems} == {("float16", "cuda")}
    typed = plan_of(requested(SUITES["quick"], {"--dtype": "float32"}), machine, entries, 2)
    assert {problem.dtype for problem in typed.problems} == {"float32"}
