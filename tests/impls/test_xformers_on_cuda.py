"""xformers on the stand-in, with an emulation of torch's kernels: its whole check."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from typing import Final

import pytest

import impls
from impls.interface import Problem
from tests.contract.found import KNOWN

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("xformers") is None, reason="xformers is not installed"
)
FLASH, CUTLASS = ("fa2F", "fa2B"), ("cutlassF-pt", "cutlassB-pt")
CHECKED: Final = {
    "xformers b2 h2 t33 d16 causal bf16 train cuda": FLASH,
    "xformers b2 h2 t33/17 d16 window:9:3 fp16 train cuda": FLASH,
    "xformers b2 h2 t33 d16 causal+documents:10/23 bf16 train cuda": FLASH,
    "xformers b2 h4/2 t17/33 d16 causal bf16 cuda": FLASH,
    "xformers b2 h4/2 t17 d16 documents:10/7 fp32 cuda": CUTLASS,
    "xformers b2 h4/2 t1/33 d16 causal+padding:0.25 bf16 cuda": CUTLASS,
    "xformers b2 h2 t33 d16 causal+padding:0.5 alibi bf16 train cuda": CUTLASS,
    "xformers b2 h2 t17/33 d16 causal fp32 train cuda": CUTLASS,
    "xformers b2 h2 t33 d16 window:9 fp32 train bthd cuda": CUTLASS,
    "xformers[operator=fa2] b2 h2 t33/17 d16 window:9:3 fp16 train cuda": FLASH,
    "xformers[operator=cutlass] b2 h2 t33 d16 causal bf16 train cuda": CUTLASS,
    "xformers[operator=cutlass] b2 h2 t33 d16 causal+documents:10/23 bf16 train cuda": CUTLASS,
    "xformers[operator=cutlass] b2 h4/2 t17/33 d16 window:9:3 bf16 cuda": CUTLASS,
}
"""Cases of check_xformers, and how the names of the forward and the backward kernel begin."""


@pytest.fixture(scope="module")
def found() -> dict[str, tuple[str, str]]:
    """Reason and operator by case."""
    program = [sys.executable, "-m", "tests.stand_in.check_xformers", *CHECKED]
    made = subprocess.run(program, check=True, capture_output=True, text=True)
    findings: dict[str, tuple[str, str]] = json.loads(made.stdout.splitlines()[-1])
    return findings


@pytest.mark.parametrize("case", CHECKED)
def test_the_whole_check_passes(case: str, found: dict[str, tuple[str, str]]) -> None:
    name, _, problem = case.partition(" ")
    (each,) = impls.select([name], KNOWN)
    assert each.refusals(Problem.parse(problem), (9, 0)) == ()
    assert found[case][0] == ""


@pytest.mark.parametrize("case", CHECKED)
def test_the_kernels_that_run_are_named(case: str, found: dict[str, tuple[str, str]]) -> None:
    names = found[case][1].split(", ")
    trains = Problem.parse(case.partition(" ")[2]).training
    expected = CHECKED[case] if trains else CHECKED[case][:1]
    assert len(names) == len(expected)
    for name, begins in zip(names, expected, strict=True):
        assert name.startswith(begins)
        assert name.endswith("-pt")  # torch's own kernel
