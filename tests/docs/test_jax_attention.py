"""The recipe for JAX: limits everywhere, agreement where JAX is installed."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any, Final

import pytest
import torch
from torch.nn.functional import pad

import impls
from impls.interface import Library, Problem
from suites.agreement.bounds.derived import derived_bounds
from suites.agreement.gate import judge
from suites.measure.inputs import bind, call_of, make_inputs

FILE: Final = Path(__file__).parents[2] / "docs" / "peers" / "jax_attention.py"
(RECIPE,) = impls.load_file(FILE)
NAMES: Final[dict[str, Any]] = RECIPE.function.__globals__
"""Everything that the file defines."""
JAX: Final[Library] = NAMES["JAX"]
needs_jax = pytest.mark.skipif(
    bool(JAX.fault), reason="JAX is not installed: the extra peers-jax installs it"
)
PROBLEMS: Final = (
    *("b2 h2 t1 d8 causal", "b2 h2 t33 d8 full train", "b2 h4 t65 d16 causal train bthd"),
    *("h4 t65 d16 window:9", "h4 t33 d8 window:1 train", "h4 t65 d16 window:9:5 train"),
    *("h2 t33 d8 window:*:3", "h2 t33 d8 window:3:*", "h2 t33 d8 window:99:99 train"),
    *("b2 h4/2 t65 d16 causal train", "h4/1 t33 d16 window:9 bthd", "t33/129 d16 full train"),
    *("t1/65 d16 causal", "t33 d16 full scale0.3", "t129 d64 causal bf16 train"),
)


@needs_jax
@pytest.mark.parametrize("text", PROBLEMS)
def test_it_agrees_with_the_reference(text: str) -> None:
    problem = Problem.parse(text)
    assert not RECIPE.refusals(problem)
    inputs = make_inputs(problem, purpose="test")
    made = call_of(bind(RECIPE, problem, inputs), inputs)()
    assert judge(made, derived_bounds(problem, inputs, rows=None))[1] == ""


@needs_jax
@pytest.mark.parametrize("heads_last", [False, True])
def test_dense_tensors_of_both_layouts_are_not_copied(*, heads_last: bool) -> None:
    x = torch.randn(2, 33, 4, 8)
    given = x if heads_last else x.transpose(1, 2).contiguous().transpose(1, 2)
    array = NAMES["_array"](JAX.imported(), given)
    assert array.unsafe_buffer_pointer() == given.data_ptr()
    assert NAMES["_tensor"](array).data_ptr() == given.data_ptr()


@needs_jax
def test_a_view_with_gaps_is_copied() -> None:
    problem = Problem.parse("b2 h4 t33 d8 causal")
    x = make_inputs(problem, purpose="test")
    attend = bind(RECIPE, problem, x)
    gaps = [pad(each, (0, 3, 1, 2))[:, :, 1:-2, :-3] for each in (x.q, x.k, x.v)]
    assert torch.equal(attend(*gaps), attend(x.q, x.k, x.v))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("cuda", "device cuda: runs on cpu"),
        ("fp64", "dtype float64: takes float32, bfloat16"),
        ("fp16", "dtype float16: takes float32, bfloat16"),
        ("padding:0.5", "mask padding: takes full, causal, window"),
        ("alibi", "bias alibi: takes none"),
        ("dv16", "value dimension 16: takes the head dimension only"),
        (
            "t33/129 causal",
            "mask causal with Tq 33 and Tk 129: takes full where the lengths differ",
        ),
    ],
)
def test_it_refuses_what_it_does_not_compute(words: str, reason: str) -> None:
    assert RECIPE.refusals(Problem.parse(words)) == (reason,)


def test_without_jax_the_line_that_installs_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_found(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", not_found)
    with pytest.raises(ImportError) as raised:
        RECIPE.prepared(Problem.parse("t33"))
    assert str(raised.value) == (
        "jax is not installed; install it with: "
        'python -m pip install -c constraints.txt -e ".[peers-jax]"'
    )


def test_it_has_a_slow_start_and_a_process_of_its_own() -> None:
    assert RECIPE.slow_start
    assert RECIPE.apart == "its thread pool cannot share CPUs that OpenMP has bound"
