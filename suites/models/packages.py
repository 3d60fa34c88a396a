"""The packages that models need, and the extra that has them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from impls.interface import Problem
from suites.models.kinds import KINDS

EXTRA: Final = "pip install attnbench[models]"


class MissingPackageError(ValueError):
    """A package that a model needs is not installed, or is too old."""


def expect_installed(problem: Problem) -> None:
    """Raise MissingPackageError where the package of a known model is not installed.

    It is not imported.
    """
    if problem.model_name not in KINDS:
        return
    package = KINDS[problem.model_name].class_.partition(".")[0]
    if find_spec(package) is None:
        raise MissingPackageError(f"model:{problem.model_name} needs {package}: {EXTRA}")


def expect_interface(problem: Problem) -> None:
    """Raise MissingPackageError for a transformers whose attention cannot be replaced."""
    kind = KINDS.get(problem.model_name)
    if kind is None or not kind.class_.startswith("transformers."):
        return
    try:
        from transformers import AttentionInterface, AttentionMaskInterface  # noqa: F401, PLC0415 - only whether they exist
    except ImportError as error:
        raise MissingPackageError(
            f"model:{problem.model_name} needs a newer transformers, with AttentionInterface and "
            f"AttentionMaskInterface ({error}): {EXTRA}"
        ) from None
