"""Warnings are errors, except in tests marked `gpu`."""

from __future__ import annotations

import warnings

import pytest


@pytest.mark.gpu
def test_a_test_that_is_marked_gpu_may_warn() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.warn("as cuBLAS does without CUBLAS_WORKSPACE_CONFIG", stacklevel=1)
    assert len(caught) == 1


def test_a_warning_of_any_other_test_is_an_error() -> None:
    with pytest.raises(UserWarning, match="any other"):
        warnings.warn("any other", stacklevel=1)
