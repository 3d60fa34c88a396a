"""Checks of impostors: by a single probe, or by all of them."""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Final

from impls.interface import Implementation, Problem
from suites.agreement.checker import Checker
from suites.agreement.hard_inputs import PLAIN
from suites.agreement.hard_numbers import NUMBERS
from tests.agreement.impostors import Rejection, found_in

SEED: Final = 7
NEEDS: Final = {"perturbation": "repeatability", "outputs_stay_valid": "mask_readout"}
"""The probe that makes the further calls which another probe examines."""


def verdict(checker: Checker, implementation: Implementation) -> str:
    """The fault, or the exception that its record would name."""
    try:
        return checker.check(implementation).fault
    except (RuntimeError, TypeError) as error:
        return f"{type(error).__name__}: {error}"


@cache
def probe_alone(rejection: Rejection) -> Checker:
    """A checker with the rejection's probe alone, on its hard input or the problem itself."""
    probes = tuple(filter(None, (NEEDS.get(rejection.by), rejection.by)))
    labels = (rejection.on,) if rejection.on else ()
    if rejection.on in NUMBERS:  # its numbers overwrite those of the plain one
        labels = (PLAIN, *labels)
    return Checker(Problem.parse(rejection.problem), SEED, probes=probes, labels=labels)


@cache
def all_probes(problem: str) -> Checker:
    """A checker with everything; its reference values serve all impostors."""
    return Checker(Problem.parse(problem), SEED)


def cells(*modules: ModuleType) -> list[tuple[Implementation, Rejection]]:
    """Every rejection of these files' impostors."""
    return [(each.implementation, cell) for each in found_in(*modules) for cell in each.rejections]
