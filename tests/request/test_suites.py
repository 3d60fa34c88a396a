"""The suites on a CPU and on GPUs."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from impls.interface import Problem
from suites.records.plan import Entry
from suites.request.planning import plan_of, requested
from suites.request.suites import BFLOAT16_FROM, SUITES, Gpu

QUICK, SCALING = SUITES["quick"].problems, SUITES["scaling"].problems
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


def test_the_plan_has_the_dtype_and_the_sizes_of_its_device() -> None:
    old = {"device": "cuda", "capability": [7, 5], "memory_bytes": 16 << 30}
    machine: dict[str, Any] = {"devices": [old, {"device": "cpu"}]}
    entries = (Entry(name="mine"),)
    plan = plan_of(requested(SUITES["quick"], {}), machine, entries, 2)
    assert {(problem.dtype, problem.device) for problem in plan.problems} == {("float16", "cuda")}
    typed = plan_of(requested(SUITES["quick"], {"--dtype": "float32"}), machine, entries, 2)
    assert {problem.dtype for problem in typed.problems} == {"float32"}
