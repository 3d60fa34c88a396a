"""`triton_flash` without a device: its limits, its ranges of columns, and Triton's interpreter."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import subprocess
import sys
from typing import Any

import pytest

import impls
from impls.interface import Implementation, Mask, Missing, Problem, library
from suites.measure.compilers import compilers

CUDA = (9, 0)
CASES = (
    "b1 h1 t40 d16 full train",
    "b1 h4/2 t33/50 d20 causal train bthd",
    "b1 h2 t50/33 d16 causal train bf16",
    "b1 h2 t70 d16 window:9 train",
    "b1 h2 t40/70 d32 window:9:8 fp16 train",
    "b2 h2 t1/70 d16 causal scale0.3",
    "[block_m=32,block_n=64] b1 h1 t70/100 d64 window:40:9 train",
)
HARD = ("b1 h2 t20 d16 causal bf16",)
"""Cases that are checked on hard inputs too, which takes many calls."""


def triton_flash() -> Implementation:
    """The implementation, also where Triton is not installed."""
    found = importlib.import_module("impls.triton_flash").triton_flash
    assert isinstance(found, Implementation)
    return found


@pytest.fixture(scope="module")
def findings() -> dict[str, str]:
    """The reason of each case; without Triton tests skip, or fail where it is required."""
    if importlib.util.find_spec("triton") is None:
        if "triton" in os.environ.get("ATTNBENCH_REQUIRE", ""):
            pytest.fail("ATTNBENCH_REQUIRE names triton: it is not installed")
        pytest.skip("triton is not installed")
    program = [sys.executable, "-m", "tests.impls.triton_interpreter", *CASES, "hard", *HARD]
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    child = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr
    found: dict[str, str] = json.loads(child.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("case", [*CASES, *HARD])
def test_it_agrees_in_the_interpreter(case: str, findings: dict[str, str]) -> None:
    assert findings[case] == ""


@pytest.mark.parametrize(
    ("text", "capability", "words"),
    [
        ("bf16 cpu", None, "device cpu: runs on cuda"),
        ("fp64 cuda", CUDA, "dtype float64: takes float16, bfloat16, float32"),
        ("bf16 d192 cuda", CUDA, "head dimension 192: takes 1 to 128"),
        ("bf16 causal+padding:0.5 cuda", CUDA, "mask causal+padding: takes full, causal, window"),
        ("bf16 alibi cuda", CUDA, "bias alibi: takes none"),
        ("bf16 softcap30 cuda", CUDA, "softcap 30.0"),
        ("bf16 sink cuda", CUDA, "sink: takes"),
        ("bf16 dv32 cuda", CUDA, "value dimension 32"),
        ("bf16 cuda", (7, 5), "CUDA capability 7.5: needs 8.0"),
    ],
)
def test_what_is_out_of_reach_is_refused_in_words(
    text: str, capability: tuple[int, int] | None, words: str
) -> None:
    (refusal,) = triton_flash().refusals(Problem.parse(text), capability)
    assert refusal.startswith(words)


@pytest.mark.parametrize("text", ["bf16 h32/8 causal train", "fp32 t9/5 window:9:3", "fp16 d20"])
def test_what_is_within_reach_is_not_refused(text: str) -> None:
    assert triton_flash().refusals(Problem.parse(f"{text} cuda"), CUDA) == ()


def test_it_says_that_it_never_ran_on_a_device() -> None:
    assert triton_flash().ran_on == ""


def test_it_is_known_to_compile() -> None:
    assert compilers(triton_flash()) == {"triton"}


def test_loading_the_file_does_not_import_triton() -> None:
    program = "import sys, impls; impls.load([impls.FOLDER / 'triton_flash.py']); "
    program += "sys.exit('triton' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_without_triton_it_is_missing_with_its_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "_version", lambda _: "")
    (found,) = impls.load([impls.FOLDER / "triton_flash.py"]).values()
    assert found == Missing(
        "triton_flash",
        "triton is not installed; install it with: python -m pip install triton",
        ran_on="",
    )
    assert found.limits == triton_flash().limits


MASKS = [(None, None), (None, 0), (9, 0), (9, 8), (1, 0), (40, 3), (None, 5), (7, None)]


@pytest.mark.parametrize(("left", "right"), MASKS)
@pytest.mark.parametrize(("rows", "columns"), [(65, 65), (33, 70), (70, 33), (1, 50), (50, 1)])
@pytest.mark.parametrize(("block", "step"), [(16, 8), (8, 16), (32, 32)])
def test_ranges_hold_what_a_block_sees(
    left: int | None, right: int | None, rows: int, columns: int, block: int, step: int
) -> None:
    module: Any = importlib.import_module("impls.triton_flash")
    offset = columns - rows
    before = module.UNLIMITED if left is None else left - 1 - offset
    after = module.UNLIMITED if right is None else right + offset
    mask = Mask(left, right)
    ranges = module._ranges(rows, columns, before, after, block, step).tolist()
    assert sorted(each[0] for each in ranges) == list(range(0, rows, block))
    for first, start, inner, outer, stop in ranges:
        own = range(first, min(first + block, rows))
        seen = [[mask.visible(0, row + offset, key) for key in range(columns)] for row in own]
        by_any = {key for key in range(columns) if any(row[key] for row in seen)}
        assert by_any <= set(range(start, stop))
        assert all(all(row[inner:outer]) for row in seen)
        assert start <= inner <= outer <= stop <= max(columns, start)
        assert (start % step, inner % step, outer % step) == (0, 0, 0)
