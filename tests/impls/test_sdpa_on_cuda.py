"""torch's CUDA backends on the stand-in: the whole check, and limits beside what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import combinations, product
from typing import Any, Final

import pytest
import torch
from torch import Tensor

from impls import reference
from impls.interface import Implementation, Mask, Problem
from impls.interface.implementation import from_function
from impls.sdpa import sdpa_cudnn, sdpa_efficient, sdpa_flash, sdpa_math
from suites.agreement.checker import Checker
from suites.measure.inputs import Inputs, bind, make_inputs
from tests.stand_in.device import stand_in

FUSED = (sdpa_flash, sdpa_efficient, sdpa_cudnn)
DEFINITION = from_function(reference.attention)
CHECKED: Final = {
    "causal bf16 train": (sdpa_math, *FUSED),
    "window:9:3 fp16 train": (sdpa_math, sdpa_efficient, sdpa_cudnn),
    "t1/33 causal bf16": (sdpa_math, *FUSED),
    "t33/65 fp16": (sdpa_math, *FUSED),
    "t64/33 causal fp32 train": (sdpa_math, sdpa_efficient),
    "dv32 bf16": (sdpa_math, sdpa_efficient, sdpa_cudnn),
    "h4/2 causal+padding:0.25 alibi bf16 train": (sdpa_math, sdpa_cudnn),
    "documents:10/23 relative:8 fp32 bthd": (sdpa_math, sdpa_efficient),
}
"""Words of problems, and the implementations that take them on capability 9.0."""


@pytest.mark.parametrize(
    ("words", "each"),
    [(words, each) for words, takers in CHECKED.items() for each in takers],
    ids=str,
)
def test_the_whole_check_passes(words: str, each: Implementation) -> None:
    heads = "" if "h4/2" in words else "h2"
    length = "" if words.startswith("t") else "t33"
    problem = Problem.parse(f"b2 {heads} {length} d16 {words} cuda")
    assert each.refusals(problem, (9, 0)) == ()
    with stand_in(capability=(9, 0), kernel_us=0.0):
        assert _checker(problem).check(each).reason == ""


@cache
def _checker(problem: Problem) -> Checker:
    """One for all implementations: reference values are computed once."""
    return Checker(problem, seed=3)


@pytest.mark.parametrize("words", CHECKED)
def test_the_listed_implementations_are_all_that_take_a_problem(words: str) -> None:
    problem = Problem.parse(
        f"b2 h4 t33 d16 cuda {words}" if words[0] not in "th" else f"{words} b2 d16 cuda"
    )
    takers = [x for x in (sdpa_math, *FUSED) if not x.refusals(problem, (9, 0))]
    assert takers == list(CHECKED[words])


BASE: Final = Problem(
    batch=2,
    query_heads=2,
    key_heads=2,
    query_length=8,
    key_length=8,
    head_dim=64,
    dtype="bfloat16",
    device="cuda",
)
AXES: Final[dict[str, tuple[dict[str, Any], ...]]] = {
    "dtype": tuple({"dtype": x} for x in ("float16", "float32", "float64")),
    "heads": ({"query_heads": 4}, {"query_heads": 4, "key_heads": 1}),
    "lengths": tuple(
        {"query_length": q, "key_length": k} for q, k in ((1, 1), (1, 9), (9, 1), (5, 8), (8, 5))
    ),
    "mask": tuple({"mask": Mask.parse(x)} for x in ("causal", "window:3", "padding:0.5")),
    "head_dim": tuple({"head_dim": x} for x in (4, 12, 136, 192, 200, 256, 264)),
    "value_dim": tuple({"value_dim": x} for x in (12, 128)),
    "training": ({"training": True},),
}
"""Changes of BASE, of which two are made at once."""


def problems() -> Iterator[Problem]:
    """BASE with any two changes. A mask that hides nothing is left out, unless it is causal."""
    for first, second in combinations(AXES.values(), 2):
        for one, other in product(first, second):
            fields = one | other
            if fields.get("value_dim") == fields.get("head_dim", BASE.head_dim):
                continue  # the same problem without a value dimension of its own
            made = replace(BASE, **fields)
            sizes = made.batch, made.query_length, made.key_length
            if made.mask.kind in ("full", "causal") or made.mask.hides_a_key(*sizes):
                yield made


@pytest.mark.parametrize("capability", [(7, 5), (8, 9), (9, 0), (10, 0)])
@pytest.mark.parametrize("each", FUSED, ids=str)
def test_limits_accept_what_the_kernel_computes_rightly_and_nothing_else(
    each: Implementation, capability: tuple[int, int]
) -> None:
    with stand_in(capability=capability, kernel_us=0.0):
        found = {p: _is_right(each, p) for p in problems()}
    stated = {p: not each.refusals(p, capability) for p in found}
    assert [str(p) for p in found if found[p] and not stated[p]] == []  # refused for no reason
    assert [str(p) for p in found if stated[p] and not found[p]] == []  # accepted, yet impossible
    if capability >= (8, 0):
        assert 10 < sum(found.values()) < len(found) - 10


def _is_right(each: Implementation, problem: Problem) -> bool:
    """Whether a call is not refused by torch, and gives the output of the definition."""
    x, exact = _inputs_and_output(problem)
    leaves = [tensor.detach().requires_grad_(problem.training) for tensor in (x.q, x.k, x.v)]
    try:
        out = bind(each, problem, x)(*leaves)
    except RuntimeError as error:
        assert str(error) == "No available kernel. Aborting execution."  # noqa: PT017 - others fail
        return False
    return bool(((out.detach() - exact).abs() < 0.05).all())


@cache
def _inputs_and_output(problem: Problem) -> tuple[Inputs, Tensor]:
    """They are the same for every implementation and capability."""
    x = make_inputs(problem, purpose="test")
    with torch.no_grad():
        wide = [tensor.double() for tensor in (x.q, x.k, x.v)]
        return x, bind(DEFINITION, problem, x)(*wide)
