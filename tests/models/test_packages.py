"""Packages of models that are missing, or too old."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from impls.interface import Problem
from suites.models.packages import MissingPackageError, expect_installed, expect_interface

LLAMA = Problem.parse("b1 h2/1 t16 d8 causal model:llama")


def test_a_missing_package_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingPackageError, match=r"needs transformers: pip install .*\[models\]"):
        expect_installed(LLAMA)
    expect_installed(LLAMA.attention)


def test_a_library_without_the_interface_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", ModuleType("transformers"))
    with pytest.raises(MissingPackageError, match=r"needs a newer transformers, with AttentionI"):
        expect_interface(LLAMA)
    expect_interface(LLAMA.attention)
