"""Conventions: how a callable that does not follow the contract is called on a problem."""

# ruff: noqa: FBT002 - functions of other people have such parameters

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

import impls
from impls.interface import Implementation, Limits, Mask, Problem, implementation
from impls.interface.conventions import Convention, convention_of
from impls.interface.implementation import from_function
from impls.interface.reading import LAYOUTS, MEANINGS, Reading
from suites.measure.inputs import bind, make_inputs


class Recorded:
    """A callable that keeps the arguments of its last call."""

    def __init__(self) -> None:
        self.given: dict[str, Any] = {}

    def __call__(  # noqa: PLR0913, PLR0917 - the arguments of torch's function
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Any = None,
        dropout_p: float = 0.5,
        is_causal: Any = True,
        scale: float | None = None,
        enable_gqa: Any = False,
    ) -> Tensor:
        self.given = {name: each for name, each in locals().items() if name != "self"}
        return query


def called(problem: str, reading: Reading | None = None) -> dict[str, Any]:
    """The arguments of a call on a problem."""
    recorded, parsed = Recorded(), Problem.parse(problem)
    each = from_function(recorded, "recorded").reading(reading)
    inputs = make_inputs(parsed, purpose="test")
    bind(each, parsed, inputs)(inputs.q, inputs.k, inputs.v)
    return recorded.given


def convention(function: Any) -> Convention:
    found = convention_of(function)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("problem", "causal", "dense"),
    [
        ("h2 t5 d4", False, False),
        ("h2 t5 d4 causal", True, False),
        ("h2 t3/5 d4 causal", False, True),
        ("h2 t5 d4 window:2", False, True),
        ("b2 h2 t5 d4 causal+padding:0.5", False, True),
    ],
)
def test_is_causal_is_used_for_equal_lengths_and_never_with_a_dense_mask(
    problem: str, *, causal: bool, dense: bool
) -> None:
    given = called(problem)
    assert given["is_causal"] is causal
    assert (given["attn_mask"] is not None) is dense


def test_scale_dropout_and_grouped_heads_are_always_passed() -> None:
    given = called("h4/2 t5 d4 scale0.3")
    assert (given["scale"], given["dropout_p"], given["enable_gqa"]) == (0.3, 0.0, True)
    assert called("h2 t5 d4")["scale"] == 0.5


def test_a_dense_mask_is_true_where_a_key_is_visible() -> None:
    seen = called("h2 t3/5 d4 causal")["attn_mask"]
    assert seen.shape == (1, 1, 3, 5)
    assert torch.equal(seen[0, 0], torch.ones(3, 5, dtype=torch.bool).tril(2))


@pytest.mark.parametrize("meaning", MEANINGS)
def test_every_meaning_of_a_mask_says_the_same(meaning: str) -> None:
    seen = torch.ones(5, 5, dtype=torch.bool).tril().triu(-1)
    given = called("h2 t5 d4 window:2", Reading(meaning, mask_dims=2))["attn_mask"]
    visible = {"hidden": lambda: ~given, "added": lambda: given == 0}.get(meaning, given.bool)()
    assert torch.equal(visible, seen)
    assert (given.dtype == torch.bool) is (meaning in ("visible", "hidden"))


def test_padding_gives_a_mask_for_each_batch_row() -> None:
    assert called("b3 h2 t4 d4 padding:0.5")["attn_mask"].shape == (3, 1, 4, 4)


@pytest.mark.parametrize(("dims", "shape"), [(4, (1, 1, 3, 5)), (2, (3, 5)), (3, (1, 3, 5))])
def test_a_dense_mask_has_the_dimensions_of_its_reading(dims: int, shape: tuple[int, ...]) -> None:
    given = called("h2 t3/5 d4 causal", Reading("visible", mask_dims=dims))["attn_mask"]
    assert given.shape == shape
    padded = called("b3 h2 t4 d4 padding:0.5", Reading("visible", mask_dims=3))["attn_mask"]
    assert padded.shape == (3, 4, 4)


def test_folded_tensors_get_a_mask_for_each_head() -> None:
    folded = Reading("visible", "folded")
    given = called("b3 h2 t4 d4 padding:0.5", folded)
    assert given["query"].shape == (6, 4, 4)
    assert given["attn_mask"].shape == (6, 4, 4)
    assert torch.equal(given["attn_mask"][0], given["attn_mask"][1])
    assert called("b3 h2 t3/4 d4 causal", folded)["attn_mask"].shape == (6, 3, 4)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_returns_the_output_as_b_h_t_d(layout: str) -> None:
    problem = Problem.parse("b2 h3 t5 d4")
    inputs = make_inputs(problem, purpose="test")

    def same(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return q.transpose(1, 2) if layout == "bhtd-bthd" else q

    each = from_function(same).reading(Reading(layout=layout))
    assert torch.equal(bind(each, problem, inputs)(inputs.q, inputs.k, inputs.v), inputs.q)


def test_the_first_of_several_outputs_is_taken_before_the_layout() -> None:
    def several(q: Tensor, k: Tensor, v: Tensor) -> Any:
        return q, k

    problem = Problem.parse("b2 h3 t5 d4")
    inputs = make_inputs(problem, purpose="test")
    each = from_function(several).reading(Reading(layout="bthd", first=True))
    assert torch.equal(bind(each, problem, inputs)(inputs.q, inputs.k, inputs.v), inputs.q)


@pytest.mark.parametrize(
    ("mask", "window", "value", "causal"),
    [
        ("window:4", "pair", (3, 0), True),
        ("window:4:2", "pair", (3, 2), False),
        ("window:4", "keys", 4, True),
        ("window:4", "keys before", 3, True),
    ],
)
def test_a_window_has_the_reaches_of_its_reading(
    mask: str, window: str, value: Any, *, causal: bool
) -> None:
    given: dict[str, Any] = {}

    def local(q: Tensor, k: Tensor, v: Tensor, causal: Any = False, window_size: Any = 0) -> Tensor:
        given.update(causal=causal, window_size=window_size)
        return q

    problem = Problem.parse(f"h2 t8 d4 {mask}")
    inputs = make_inputs(problem, purpose="test")
    bind(from_function(local).reading(Reading(window=window)), problem, inputs)(
        inputs.q, inputs.k, inputs.v
    )
    assert given == {"causal": causal, "window_size": value}


def test_a_bias_beside_a_mask_leaves_the_mask_all_its_meanings() -> None:
    def attend(q: Any, k: Any, v: Any, mask: Any = None, attn_bias: Any = None) -> Any:
        return q, k, v, mask, attn_bias

    each = convention(attend)
    assert each.dense == "mask"
    assert {reading.meaning for reading in each.readings()} == {*MEANINGS, "Mask", ""}
    without = replace(each, reading=Reading(""))
    assert without.fixed == {"mask", "scale"}
    assert without.said(Problem.parse("h2 t5 d4 causal")) == ["called without mask"]


def test_a_required_mask_is_dense_on_a_full_problem_too() -> None:
    given: list[Any] = []

    def strict(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
        given.append(mask)
        return q

    problem = Problem.parse("h2 t5 d4")
    inputs = make_inputs(problem, purpose="test")
    bind(from_function(strict), problem, inputs)(inputs.q, inputs.k, inputs.v)
    assert given[0].all()
    assert given[0].shape == (1, 1, 5, 5)


@pytest.mark.parametrize("annotation", [Tensor | None, "Optional[torch.Tensor]"])
def test_a_required_mask_that_may_be_none_is_none_on_a_full_problem(annotation: Any) -> None:
    given: list[Any] = []

    def lenient(q: Tensor, k: Tensor, v: Tensor, mask: Any) -> Tensor:
        given.append(mask)
        return q

    lenient.__annotations__["mask"] = annotation
    problem = Problem.parse("h2 t5 d4")
    inputs = make_inputs(problem, purpose="test")
    bind(from_function(lenient), problem, inputs)(inputs.q, inputs.k, inputs.v)
    assert given == [None]


def test_values_before_queries_are_passed_by_their_names() -> None:
    given: list[Tensor] = []

    def reversed_order(values: Tensor, keys: Tensor, query: Tensor) -> Tensor:
        given.extend((query, keys, values))
        return query

    problem = Problem.parse("h2 t5 d4")
    inputs = make_inputs(problem, purpose="test")
    each = from_function(reversed_order)
    bind(each, problem, inputs)(inputs.q, inputs.k, inputs.v)
    for tensor, expected in zip(given, (inputs.q, inputs.k, inputs.v), strict=True):
        assert torch.equal(tensor, expected)
    assert convention(reversed_order).said(problem) == ["called with (v, k, q)"]


def test_a_module_before_the_queries_is_a_stand_in_for_the_layer() -> None:
    given: dict[str, Any] = {}

    def attend(
        module: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Any,
        scaling: float,
        **others: Any,
    ) -> Tensor:
        given.update(module=module, mask=mask, scaling=scaling, others=others)
        return query * key.shape[1]

    problem = Problem.parse("h4/2 t5 d4 causal")
    inputs = make_inputs(problem, purpose="test")
    made = bind(from_function(attend), problem, inputs)(inputs.q, inputs.k, inputs.v)
    assert torch.equal(made, inputs.q * 2)
    assert given["module"].num_key_value_groups == 2
    assert not given["module"].training
    assert (given["mask"].shape, given["scaling"], given["others"]) == ((1, 1, 5, 5), 0.5, {})
    assert convention(attend).said(problem)[1] == "called with a stand-in for module"


@pytest.mark.parametrize("default", [None, torch.nn.Identity(), abs])
def test_a_dropout_that_is_a_module_keeps_its_default(default: Any) -> None:
    given: list[Any] = []

    def attend(q: Tensor, k: Tensor, v: Tensor, dropout: Any = default) -> Tensor:
        given.append(dropout)
        return q

    problem = Problem.parse("h2 t5 d4")
    inputs = make_inputs(problem, purpose="test")
    bind(from_function(attend), problem, inputs)(inputs.q, inputs.k, inputs.v)
    assert given == [default]


def test_the_head_dimension_is_passed() -> None:
    given: list[int] = []

    def attend(q: Tensor, k: Tensor, v: Tensor, d_k: int) -> Tensor:
        given.append(d_k)
        return q

    problem = Problem.parse("h2 t5 d4")
    inputs = make_inputs(problem, purpose="test")
    bind(from_function(attend), problem, inputs)(inputs.q, inputs.k, inputs.v)
    assert given == [4]


def test_apply_gets_its_arguments_by_position() -> None:
    class Attention(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, q: Any, k: Any, v: Any, eps: float = 1e-6, scale: float = 1.0) -> Any:
            return q * scale + eps

    problem = Problem.parse("h1 t2 d4 scale3.0")
    inputs = make_inputs(problem, purpose="test")
    made = bind(from_function(Attention.apply, "attention"), problem, inputs)(
        inputs.q, inputs.k, inputs.v
    )
    assert torch.equal(made, inputs.q * 3.0 + 1e-6)


def test_how_it_is_called_is_said() -> None:
    each = convention(Recorded())
    assert each.said(Problem.parse("h2 t64 d4")) == []
    assert each.said(Problem.parse("h2 t64 d4 causal")) == ["called with is_causal=True"]
    assert each.said(Problem.parse("h2 t64 d4 window:2")) == [
        "called with a dense mask (attn_mask: bool, True = visible; 4 KiB, made before)"
    ]
    other = replace(each, reading=Reading("added", "bthd", first=True))
    assert other.said(Problem.parse("h2 t64 d4 window:2 bf16")) == [
        (
            "called with a dense mask (attn_mask: added to the scores, -inf = hidden; 8 KiB, made "
            "before)"
        ),
        "called with q, k, v and out as [B, T, H, D]",
        "the first of its outputs is used",
    ]


def test_the_bytes_of_a_dense_mask_are_those_of_its_tensor() -> None:
    for text in ("h2 t64 d4 window:2", "b3 h2 t8 d4 padding:0.5", "h2 t3/5 d4 causal"):
        for reading in filter(lambda each: each.meaning, convention(Recorded()).readings()):
            given = called(text, reading)["attn_mask"]
            if isinstance(given, Tensor):
                each = replace(convention(Recorded()), reading=reading)
                stated = each.mask_bytes(Problem.parse(text))
                assert stated == given.untyped_storage().nbytes()


def test_a_function_of_the_contract_has_no_convention() -> None:
    def annotated(q: Any, k: Any, v: Any, *, mask: Mask, scale: float) -> Any:
        return q, k, v, mask, scale

    def layer(q: Any, k: Any, v: Any, *, mask: Any, scale: float, inner: Any) -> Any:
        return q, k, v, mask, scale, inner

    def anything(q: Any, k: Any, v: Any, **others: Any) -> Any:
        return q, k, v, others

    for each in (annotated, layer, anything):
        assert convention_of(each) is None


def test_an_author_who_uses_the_decorator_means_the_contract() -> None:
    def mine(q: Any, k: Any, v: Any, *, mask: Any, scale: float) -> Any:
        return q, k, v, mask, scale

    def torch_like(q: Any, k: Any, v: Any, *, attn_mask: Any = None, is_causal: Any = False) -> Any:
        return q, k, v, attn_mask, is_causal

    decorated: Implementation = implementation()(mine)
    assert decorated.convention is None
    assert convention_of(mine) is not None
    assert implementation()(torch_like).convention is not None


def test_the_masks_of_its_parameters_are_its_limits() -> None:
    def flagged(q: Any, k: Any, v: Any, causal: Any = False) -> Any:
        return q, k, v, causal

    def windowed(q: Any, k: Any, v: Any, causal: Any = False, window_size: Any = (-1, -1)) -> Any:
        return q, k, v, causal, window_size

    assert convention(flagged).limits.masks == ("full", "causal")
    assert convention(windowed).limits.masks == ("full", "causal", "window")
    assert "padding" in convention(Recorded()).limits.masks
    assert convention(flagged).fixed == {"scale"}
    assert convention(lambda q, k, v: q).fixed == {"mask", "scale"}
    assert convention(Recorded()).fixed == frozenset()


def test_a_required_parameter_that_nothing_fills_is_refused_by_name() -> None:
    def f(q: Any, k: Any, v: Any, n_heads: int) -> Any:
        return q, k, v, n_heads

    sentence = "nothing fills its required parameter 'n_heads'; expected .* that calls it with a"
    with pytest.raises(ValueError, match=sentence):
        convention_of(f)


def test_the_contract_s_own_reading_leaves_no_convention() -> None:
    def mine(q: Any, k: Any, v: Any, *, mask: Any, scale: float) -> Any:
        return q, k, v, mask, scale

    each = from_function(mine)
    assert each.convention is not None
    assert each.convention.reading.meaning == "Mask"
    assert each.reading(each.convention.reading).convention is None


def test_a_function_of_a_problem_is_prepared_for_it() -> None:
    def prepare(problem: Problem) -> Any:
        size = problem.query_length

        def call(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            return q * size

        return call

    problem = Problem.parse("h1 t4 d4")
    inputs = make_inputs(problem, purpose="test")
    each = from_function(prepare)
    assert each.prepares
    assert torch.equal(bind(each, problem, inputs)(inputs.q, inputs.k, inputs.v), 4 * inputs.q)
    biased = Problem.parse("h1 t4 d4 alibi")
    with pytest.raises(ValueError, match="prepare takes no bias"):
        bind(each, biased, make_inputs(biased, purpose="test"))


def test_the_decorator_states_a_layout() -> None:
    given: list[torch.Size] = []

    @implementation(layout="bthd")
    def mine(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        given.append(q.shape)
        return q

    problem = Problem.parse("b2 h3 t5 d4")
    inputs = make_inputs(problem, purpose="test")
    made = bind(mine, problem, inputs)(inputs.q, inputs.k, inputs.v)
    assert given == [(2, 5, 3, 4)]
    assert torch.equal(made, inputs.q)


@pytest.mark.parametrize("text", ["b2 h4 t33 d16 causal", "b2 h4/2 t33 d16", "h2 t9 d8 window:4"])
def test_a_layer_may_be_put_around_a_function_of_another_convention(text: str) -> None:
    problem = Problem.parse(text)
    inputs = make_inputs(problem, purpose="test")
    own = from_function(functional.scaled_dot_product_attention, "sdpa")
    layer, around_naive = impls.select(["multi_head", "multi_head(naive)"], impls.load())
    made, expected = (
        bind(each, problem, inputs)(inputs.q, inputs.k, inputs.v)
        for each in (replace(layer, inner=own), around_naive)
    )
    torch.testing.assert_close(made, expected)


def test_a_setting_reaches_a_function_of_another_convention() -> None:
    @implementation(choices={"times": (2, 3)})
    def scaled(q: Tensor, k: Tensor, v: Tensor, *, is_causal: Any = 0, times: int = 2) -> Tensor:
        return times * q

    problem = Problem.parse("h2 t5 d4")
    inputs = make_inputs(problem, purpose="test")
    made = bind(scaled.choosing(times=3), problem, inputs)(inputs.q, inputs.k, inputs.v)
    assert torch.equal(made, 3 * inputs.q)


@pytest.mark.parametrize(
    ("problem", "missing"),
    [("h2 t5 d4 window:2", "states the mask window"), ("h2 t5 d4 softcap2", "states a softcap")],
)
def test_what_no_parameter_states_is_never_dropped(problem: str, missing: str) -> None:
    @implementation(Limits(softcap=True))
    def flagged(q: Tensor, k: Tensor, v: Tensor, *, is_causal: Any = 0) -> Tensor:
        return q

    with pytest.raises(ValueError, match=missing):
        flagged.prepared(Problem.parse(problem))
