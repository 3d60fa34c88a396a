"""Properties of every implementation beside agreement, and tests that agreement tests all of it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch

from impls.interface import Implementation, Limits, Missing, Problem
from impls.interface.implementation import from_function
from impls.interface.limits import EVERY_BIAS, EVERY_MASK
from impls.interface.problem import DTYPES
from suites.measure.inputs import bind, call_of, make_inputs
from tests.contract.found import (
    ATTENTION,
    FOUND,
    KNOWN,
    LAYERS,
    OWN_REFERENCE,
    WRITTEN,
    fault,
    problems,
)

EVERY = pytest.mark.parametrize("each", FOUND, ids=str)
FRESH, PLAIN = WRITTEN


def accepted(each: Implementation) -> list[Problem]:
    """The problems of any device that an implementation accepts."""
    capability = (9, 0)  # of an H100; torch's kernels refuse devices newer than they know
    devices = ("cpu", "cuda", "mps")
    # The suite has problems of a group on the CPU alone, where ranks may be more than cores.
    of_groups = [replace(p, device="cuda") for p in problems() if p.ranks > 1]
    every = [*(p for d in devices for p in problems(d)), *of_groups]
    return [p for p in every if not each.refusals(p, capability)]


def test_every_file_of_the_folder_imports_here() -> None:
    missing = [each for each in KNOWN.values() if isinstance(each, Missing)]
    # No extra installs flash-attn: it is built where there is a CUDA compiler.
    not_built = [each for each in missing if each.reason.startswith("flash-attn is not installed")]
    assert missing == not_built
    assert [each.name for each in missing] in ([], ["flash_attn"])


def test_the_files_of_agreement_tests_hold_every_implementation_once() -> None:
    assert sorted(map(str, [*ATTENTION, *LAYERS, *OWN_REFERENCE])) == sorted(map(str, FOUND))


def test_the_problems_have_every_feature_of_the_contract() -> None:
    found = problems()
    assert {p.mask.kind for p in found} >= set(EVERY_MASK)
    assert {p.bias.kind for p in found} == set(EVERY_BIAS)
    assert {p.dtype for p in found} == set(DTYPES)
    assert any(p.batch > 1 and p.query_length > 1024 for p in found)
    for has in (
        lambda p: p.bias.kind == "alibi",
        lambda p: p.bias.kind == "relative",
        lambda p: p.bias.kind == "dense",
        lambda p: p.value_dim is not None,
        lambda p: p.softcap is not None,
        lambda p: p.sink,
        lambda p: p.mask.padding is not None,
        lambda p: p.mask.documents is not None,
        lambda p: p.mask.rows is not None,
    ):
        with_it = [p for p in found if has(p)]
        assert {p.training for p in with_it} == {False, True}
        assert {p.dtype for p in with_it} > {"float32"}


@pytest.mark.parametrize("each", [*FOUND, FRESH], ids=str)
def test_it_accepts_some_problem_on_some_device(each: Implementation) -> None:
    assert accepted(each)


def test_one_that_refuses_everything_accepts_no_problem() -> None:
    def nowhere(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return q

    refused = Implementation(
        name="nowhere", function=nowhere, limits=(Limits(head_dims=range(9999, 10000)),)
    )
    assert accepted(refused) == []


@EVERY
def test_it_refuses_required_features_with_a_reason_only(each: Implementation) -> None:
    required = (
        *("full", "causal", "window:16", "full train", "h4/2", "t33/129", "t129/33 causal train"),
        *("padding:0.5", "causal+documents:512x2", "causal+rows:4x1/33+9/65"),
        *("alibi", "relative:32", "dense"),
        *("dv32", "softcap30", "sink"),
    )
    for device in ("cpu", "cuda"):
        for text in required:
            problem = Problem.parse(f"d64 bf16 {text} {device}")
            for reason in each.refusals(problem, (99, 0)):
                assert re.search(r": (takes|needs|runs on|forward only)", reason), reason


@EVERY
def test_its_docstring_says_in_one_line_what_it_is(each: Implementation) -> None:
    first = (each.function.__doc__ or "").strip().splitlines()
    assert first
    assert first[0].endswith((".", ")"))


@EVERY
def test_it_reads_no_memory_that_it_did_not_write(each: Implementation) -> None:
    problem = next((p for p in accepted(each) if p.device == "cpu" and p.query_length > 60), None)
    if problem is None:
        pytest.skip("runs on no device of this machine")
    inputs = make_inputs(problem, purpose="poison")
    function = bind(each, problem, inputs)
    torch.use_deterministic_algorithms(True, warn_only=True)  # fills torch.empty with NaN
    try:
        made = call_of(function, inputs)()
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.isfinite(tensor).all() for tensor in made)


def test_a_plain_function_refuses_masks_and_scales() -> None:
    reasons = PLAIN.refusals(Problem.parse("t64 causal scale0.3"))
    assert reasons == ("mask causal: takes full", "scale 0.3: takes 1/sqrt(D) only")


def test_a_wrong_implementation_has_a_fault() -> None:
    def wrong(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return torch.softmax(q @ k.mT, -1) @ v

    assert "out is wrong" in fault(Problem.parse("b2 h4 t64 d16"), from_function(wrong))
