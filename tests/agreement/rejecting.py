"""Checks of impostors: by a single probe, or by all of them."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Final

from impls.interface import Implementation, Problem
from suites.agreement.checker import Checker
from suites.agreement.hard_inputs import PLAIN
from suites.agreement.hard_numbers import NUMBERS
from tests.agreement import impostors
from tests.agreement.impostors import Rejection, found_in

SEED: Final = 7
MODULES: Final = tuple(
    import_module(f"{impostors.__name__}.{each.name}") for each in iter_modules(impostors.__path__)
)
"""The files of impostors."""
NEEDS: Final = {"perturbation": "repeatability", "outputs_stay_valid": "mask_readout"}
"""The probe that makes the further calls which another probe examines."""


KEPT: Final = ("_KEPT", "_kept", "_CALLS", "_SHAPES")
"""Names of what impostors remember."""


def verdict(checker: Checker, implementation: Implementation) -> str:
    """The fault, or the exception that its record would name. Earlier calls are forgotten."""
    for module in MODULES:
        for name in KEPT:
            getattr(module, name, set()).clear()
    try:
        return checker.check(implementation).fault
    except (RuntimeError, TypeError) as error:
        return f"{type(error).__name__}: {error}"


def probe_alone(rejection: Rejection) -> Checker:
    """A checker with the rejection's probe alone, on its hard input or the problem itself.

    Rejections of the same problem by the same probe share it, with its reference values.
    """
    probes = tuple(filter(None, (NEEDS.get(rejection.by), rejection.by)))
    labels = (*rejection.after, rejection.on) if rejection.on else ()
    if rejection.on in NUMBERS:  # its numbers overwrite those of the plain one
        labels = (PLAIN, *labels)
    return _limited(rejection.problem, probes, labels)


@cache
def _limited(problem: str, probes: tuple[str, ...], labels: tuple[str, ...]) -> Checker:
    """A checker with these probes, and hard inputs of these labels, alone."""
    return Checker(Problem.parse(problem), SEED, probes=probes, labels=labels)


@cache
def all_probes(problem: str) -> Checker:
    """A checker with everything; its reference values serve all impostors."""
    return Checker(Problem.parse(problem), SEED)


def cells() -> list[tuple[Implementation, Rejection]]:
    """Every rejection of every impostor."""
    found = found_in(*MODULES)
    return [(each.implementation, cell) for each in found for cell in each.rejections]
