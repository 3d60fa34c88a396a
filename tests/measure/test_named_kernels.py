"""Names of the kernels that torch's compiler generates, in profiles."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from suites.measure import compilers

PRINT = "import torch._inductor.config as c; print(c.cpp.enable_kernel_profile)"


def test_a_compiler_that_is_loaded_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    config = SimpleNamespace(cpp=SimpleNamespace(enable_kernel_profile=False))
    monkeypatch.setitem(sys.modules, "torch._inductor.config", config)
    monkeypatch.setenv(compilers.NAMED_KERNELS, "0")
    compilers.name_kernels()
    assert config.cpp.enable_kernel_profile


def test_a_compiler_that_is_loaded_later_reads_the_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(compilers.NAMED_KERNELS, "0")
    monkeypatch.delitem(sys.modules, "torch._inductor.config", raising=False)
    compilers.name_kernels()
    command = [sys.executable, "-c", PRINT]
    found = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "True"
