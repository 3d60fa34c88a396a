"""What every implementation owes, run on each one that is found and on files written here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import torch

import impls
from impls.interface import Implementation, Limits, Missing, Problem
from impls.interface.implementation import from_function
from impls.interface.limits import EVERY_BIAS, EVERY_MASK
from impls.interface.problem import DTYPES
from impls.interface.template import template
from suites.agreement.checker import Checker
from suites.agreement.hard_checks import HardFindings
from suites.measure.inputs import bind, call_of, make_inputs
from suites.request.suites import named

KNOWN = impls.load()
FOUND = impls.select([n for n, each in KNOWN.items() if isinstance(each, Implementation)], KNOWN)
EVERY = pytest.mark.parametrize("each", FOUND, ids=str)
HERE = "cuda" if torch.cuda.is_available() else "cpu"
ANSWERED: HardFindings = {}
"""Hard inputs are asked once for problems with the same features, as in a run."""


def problems(device: str = "cpu") -> list[Problem]:
    return list(named("agreement").problems((device,)))


@cache
def checker(problem: Problem) -> Checker:
    return Checker(problem, seed=11, hard_findings=ANSWERED)


def within_reach(each: Implementation) -> list[Problem]:
    """The problems of any device that an implementation does not refuse."""
    newest = (99, 0)
    devices = ("cpu", "cuda", "mps")
    return [p for d in devices for p in problems(d) if not each.refusals(p, newest)]


def disagreements(each: Implementation, device: str = "cpu") -> Iterator[str]:
    capability = torch.cuda.get_device_capability() if device == "cuda" else None
    for problem in problems(device):
        if not each.refusals(problem, capability):
            fault = checker(problem).check(each).fault
            if fault:
                yield f"{problem}: {fault}"


def test_every_file_of_the_folder_imports_here() -> None:
    assert [each for each in KNOWN.values() if isinstance(each, Missing)] == []


@EVERY
def test_it_agrees_on_every_problem_within_its_reach(each: Implementation) -> None:
    assert list(disagreements(each)) == []


@pytest.mark.gpu
@EVERY
def test_it_agrees_on_the_device(each: Implementation) -> None:
    if HERE != "cuda":
        pytest.skip("needs an NVIDIA device")
    assert list(disagreements(each, "cuda")) == []


def test_what_is_asked_has_every_feature_of_the_contract() -> None:
    asked = problems()
    assert {p.mask.kind for p in asked} >= set(EVERY_MASK)
    assert {p.bias.kind for p in asked} == set(EVERY_BIAS)
    assert {p.dtype for p in asked} == set(DTYPES)
    assert any(p.batch > 1 and p.query_length > 1024 for p in asked)
    for has in (
        lambda p: p.bias.kind == "alibi",
        lambda p: p.bias.kind == "relative",
        lambda p: p.value_dim is not None,
        lambda p: p.softcap is not None,
        lambda p: p.sink,
        lambda p: p.mask.padding is not None,
        lambda p: p.mask.documents is not None,
    ):
        with_it = [p for p in asked if has(p)]
        assert {p.training for p in with_it} == {False, True}
        assert {p.dtype for p in with_it} > {"float32"}


@EVERY
def test_it_reaches_some_problem_on_some_device(each: Implementation) -> None:
    assert within_reach(each)


def test_one_that_is_refused_everywhere_does_not_pass_for_reached() -> None:
    def nowhere(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return q

    refused = Implementation(
        name="nowhere", function=nowhere, limits=(Limits(head_dims=range(9999, 10000)),)
    )
    assert within_reach(refused) == []


@EVERY
def test_where_it_runs_it_takes_what_is_owed_or_says_what_it_takes(each: Implementation) -> None:
    owed = (
        *("full", "causal", "window:16", "full train", "h4/2", "t33/129", "t129/33 causal train"),
        *("padding:0.5", "causal+documents:512x2", "alibi", "relative:32"),
        *("dv32", "softcap30", "sink"),
    )
    for device in ("cpu", "cuda"):
        for text in owed:
            problem = Problem.parse(f"d64 bf16 {text} {device}")
            for reason in each.refusals(problem, (99, 0)):
                assert re.search(r": (takes|needs|runs on|forward only)", reason), reason


@EVERY
def test_it_says_what_it_is_in_a_line(each: Implementation) -> None:
    first = (each.function.__doc__ or "").strip().splitlines()
    assert first
    assert first[0].endswith((".", ")"))


@EVERY
def test_it_reads_nothing_that_it_never_wrote(each: Implementation) -> None:
    problem = next(
        (p for p in within_reach(each) if p.device == "cpu" and p.query_length > 60), None
    )
    if problem is None:
        pytest.skip("runs on no device that is here")
    inputs = make_inputs(problem, purpose="poison")
    function = bind(each, problem, inputs)
    torch.use_deterministic_algorithms(
        True, warn_only=True
    )  # fills what torch.empty gives with NaN
    try:
        made = call_of(function, inputs)()
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.isfinite(tensor).all() for tensor in made)


def test_a_file_from_the_template_keeps_the_contract(tmp_path: Path) -> None:
    path = tmp_path / "fresh.py"
    path.write_text(template("fresh"))
    (each,) = impls.load_file(path)
    assert list(disagreements(each)) == []
    assert within_reach(each)


def test_a_plain_function_in_a_file_keeps_the_contract(tmp_path: Path) -> None:
    path = tmp_path / "plain.py"
    path.write_text("import torch\ndef plain(q, k, v):\n    return dense(q, k, v)\n"
                    "def dense(q, k, v):\n"
                    "    group = q.shape[1] // k.shape[1]\n"
                    "    k, v = (x.repeat_interleave(group, 1) for x in (k, v))\n"
                    "    scores = q @ k.mT / q.shape[-1] ** 0.5\n"
                    "    return torch.softmax(scores, -1) @ v\n")  # fmt: skip
    (each,) = impls.load_file(path, "plain")
    assert list(disagreements(each)) == []
    reasons = each.refusals(Problem.parse("t64 causal scale0.3"))
    assert reasons == ("mask causal: takes full", "scale 0.3: takes 1/sqrt(D) only")


def test_a_wrong_one_is_found_out() -> None:
    def wrong(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return torch.softmax(q @ k.mT, -1) @ v

    assert (
        "out is wrong" in checker(Problem.parse("b2 h4 t64 d16")).check(from_function(wrong)).fault
    )
