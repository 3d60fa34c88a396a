"""The implementations found here in three groups, and the check of one on one problem.

Each group shares one reference, so each group has a test file of its own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import pytest
import torch

import impls
from impls.interface import Implementation, Limits, Problem
from impls.interface.template import template
from suites.agreement.checker import Checker
from suites.agreement.hard_checks import HardFindings
from suites.engine.ranks.group_call import Limited, grouped
from suites.engine.ranks.messages import Source
from suites.request.suites import named
from tests.contract.covering import few

KNOWN = impls.load()
OF_A_GROUP: Final = Limited(time_s=600.0, memory_bytes=1 << 32)
"""Limits of one that a group of processes computes."""
FOUND = [
    grouped(each, Source(spec=str(each), files={each.name: str(each.file)}), OF_A_GROUP)
    for each in impls.select([n for n, e in KNOWN.items() if isinstance(e, Implementation)], KNOWN)
]
LAYERS = [each for each in FOUND if each.projections]
OWN_REFERENCE = [each for each in FOUND if each.reference is not None]
ATTENTION = [each for each in FOUND if not each.projections and each.reference is None]
QUICK = [each for each in FOUND if not each.slow_start]
SLOW = [each for each in FOUND if each.slow_start]
"""Those whose set-up takes seconds, for every size: the contract tests them on a few problems."""
FEW: Final = 3
"""Problems of the agreement suite for one of SLOW."""
EVERYWHERE: Final = ("naive", "chunked", "local_window")
"""The program's own tiles and their judge get every problem that they accept. Others get problems
that have each feature TIMES times: `run_bench.py run agreement` gives them every one."""
TIMES: Final = 2
HERE = "cuda" if torch.cuda.is_available() else "cpu"
ANSWERED: HardFindings = {}
"""Problems with the same features share one check on hard inputs, as in a run."""
PLAIN_FILE = """import torch
def plain(q, k, v):
    return dense(q, k, v)
def dense(q, k, v):
    group = q.shape[1] // k.shape[1]
    k, v = (x.repeat_interleave(group, 1) for x in (k, v))
    scores = q @ k.mT / q.shape[-1] ** 0.5
    return torch.softmax(scores, -1) @ v
"""


def from_text(name: str, text: str) -> Implementation:
    """The implementation of this name from a file with this text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.py"
        path.write_text(text)
        (found,) = impls.load_file(path, name)
    return found


COMPUTED = Limits(masks=("full",), own_scale=False, own_value_dim=True)
"""What trials find of the plain function."""
WRITTEN = [
    from_text("fresh", template("fresh")),
    replace(from_text("plain", PLAIN_FILE), limits=(COMPUTED,)),
]
"""What a user writes: the template as it is, and a plain function without a decorator."""


def problems(device: str = "cpu") -> list[Problem]:
    return list(named("agreement").problems((device,)))


def pairs(group: Sequence[Implementation]) -> pytest.MarkDecorator:
    """Parameters `problem` and `each`: the problems that an implementation accepts.

    Problems come in the outer loop, so that only one reference is in memory. Those of
    EVERYWHERE get all, those of SLOW a FEW, others a selection.
    """
    cases: list[Any] = [
        pytest.param(problem, each, id=f"{problem}-{each}")
        for problem, each in _accepted(group, "cpu")
    ]
    return pytest.mark.parametrize(("problem", "each"), [*cases, *_on_device(group)])


def _accepted(
    group: Sequence[Implementation], device: str, capability: tuple[int, int] | None = None
) -> list[tuple[Problem, Implementation]]:
    """The problems that each implementation accepts: all, a selection, or a FEW for SLOW."""
    every = problems(device)
    accepted = {str(one): [p for p in every if not one.refusals(p, capability)] for one in group}
    for one in group:
        if one in SLOW:
            accepted[str(one)] = [*_few(accepted[str(one)])]
        elif one.name not in EVERYWHERE:
            accepted[str(one)] = few(accepted[str(one)], TIMES)
    return [(problem, one) for problem in every for one in group if problem in accepted[str(one)]]


def _few(accepted: Sequence[Problem]) -> Sequence[Problem]:
    """A FEW of these problems, at equal distances."""
    return accepted[len(accepted) // (2 * FEW) :: max(1, len(accepted) // FEW)][:FEW]


def _on_device(group: Sequence[Implementation]) -> list[Any]:
    if HERE != "cuda":
        skip = pytest.mark.skip(reason="needs an NVIDIA device")
        return [pytest.param(None, None, id="cuda", marks=[pytest.mark.gpu, skip])]
    capability = torch.cuda.get_device_capability()
    return [
        pytest.param(problem, each, id=f"{problem}-{each}", marks=pytest.mark.gpu)
        for problem, each in _accepted(group, "cuda", capability)
    ]


def fault(problem: Problem, each: Implementation) -> str:
    """The first disagreement with the reference, in words; empty if they agree.

    Hard inputs have a dozen sizes, and one of SLOW sets up for each: it gets the problem itself.
    """
    checker = _on_problem_alone(problem) if each.slow_start else _checker(problem)
    return checker.check(each).fault


@lru_cache(maxsize=1)
def _checker(problem: Problem) -> Checker:
    return Checker(problem, seed=11, hard_findings=ANSWERED)


@lru_cache(maxsize=1)
def _on_problem_alone(problem: Problem) -> Checker:
    return Checker(problem, seed=11, labels=())
