"""xformers on the stand-in, with an emulation of torch's kernels: its whole check."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from typing import Final

import pytest

from impls.interface import Implementation, Problem
from tests.contract.found import KNOWN

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("xformers") is None, reason="xformers is not installed"
)
FLASH, CUTLASS = ("fa2F", "fa2B"), ("cutlassF-pt", "cutlassB-pt")
CHECKED: Final = {
    "b2 h2 t33 d16 causal bf16 train cuda": FLASH,
    "b2 h2 t33/17 d16 window:9:3 fp16 train cuda": FLASH,
    "b2 h2 t33 d16 causal+documents:10/23 bf16 train cuda": FLASH,
    "b2 h4/2 t17/33 d16 causal bf16 cuda": FLASH,
    "b2 h4/2 t17 d16 documents:10/7 fp32 cuda": CUTLASS,
    "b2 h4/2 t1/33 d16 causal+padding:0.25 bf16 cuda": CUTLASS,
    "b2 h2 t33 d16 causal+padding:0.5 alibi bf16 train cuda": CUTLASS,
    "b2 h2 t17/33 d16 causal fp32 train cuda": CUTLASS,
    "b2 h2 t33 d16 window:9 fp32 train bthd cuda": CUTLASS,
}
"""Problems, and how the names of the forward and the backward kernel begin."""


@pytest.fixture(scope="module")
def found() -> dict[str, tuple[str, str]]:
    """Reason and operator by problem."""
    program = [sys.executable, "-m", "tests.stand_in.check_xformers", *CHECKED]
    made = subprocess.run(program, check=True, capture_output=True, text=True)
    findings: dict[str, tuple[str, str]] = json.loads(made.stdout.splitlines()[-1])
    return findings


@pytest.mark.parametrize("text", CHECKED)
def test_the_whole_check_passes(text: str, found: dict[str, tuple[str, str]]) -> None:
    each = KNOWN["xformers"]
    assert isinstance(each, Implementation)
    assert each.refusals(Problem.parse(text), (9, 0)) == ()
    assert found[text][0] == ""


@pytest.mark.parametrize("text", CHECKED)
def test_the_kernels_that_run_are_named(text: str, found: dict[str, tuple[str, str]]) -> None:
    names = found[text][1].split(", ")
    expected = CHECKED[text] if Problem.parse(text).training else CHECKED[text][:1]
    assert len(names) == len(expected)
    for name, begins in zip(names, expected, strict=True):
        assert name.startswith(begins)
        assert name.endswith("-pt")  # torch's own kernel
