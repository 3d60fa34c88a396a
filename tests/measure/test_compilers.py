"""The time of compiling by torch's clocks, and compiling without code from earlier."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from suites.measure import compilers

FOLDER = "TORCHINDUCTOR_CACHE_DIR"


def test_the_phases_that_contain_all_others_are_added(monkeypatch: pytest.MonkeyPatch) -> None:
    utils = ModuleType("torch._dynamo.utils")
    spent_ns = {"entire_frame_compile": 5e9, "entire_backward_compile": 2e9, "code_gen": 3e9}
    utils.cumulative_time_spent_ns = spent_ns  # type: ignore[attr-defined] # as torch's module
    monkeypatch.setitem(sys.modules, "torch._dynamo.utils", utils)
    assert compilers.compile_ms() == 7000.0
    spent_ns.clear()
    assert compilers.compile_ms() == 0.0


def test_without_the_compiler_no_time_was_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch._dynamo.utils", raising=False)
    assert compilers.compile_ms() == 0.0


def test_cold_compiling_has_an_empty_folder_and_puts_the_former_one_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(FOLDER, "/of/the/run")
    with compilers.cold():
        folder = Path(os.environ[FOLDER])
        assert list(folder.iterdir()) == []
    assert os.environ[FOLDER] == "/of/the/run"
    assert not folder.exists()


def test_cold_compiling_leaves_no_variable_that_was_not_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(FOLDER, raising=False)
    with compilers.cold():
        assert FOLDER in os.environ
    assert FOLDER not in os.environ
