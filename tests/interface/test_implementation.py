"""Implementations: their names, settings, what reaches their function, and plain functions."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from impls import load, load_file
from impls.interface import CAUSAL, FULL, Implementation, Limits, Mask, Problem, implementation
from impls.interface.implementation import from_function, refusals
from impls.interface.limits import EVERY_BIAS, EVERY_MASK

if TYPE_CHECKING:
    from collections.abc import Callable

CHOICES = {"block": (64, 128), "order": ("rows", "keys")}
OPTIONAL: dict[str, Any] = {"bias": "a bias", "softcap": 30.0, "sink": "logits"}
"""What `bound` hands on where a problem has it; the functions here are no attention."""

OWN_REFERENCE = """
from impls.interface import implementation

def attention(q, k, v):
    return q

@implementation(reference=attention)
def mine(q, k, v):
    return q
"""


@implementation(Limits(devices=("cpu",)), choices=CHOICES)
def blocks(*qkv: Any, mask: Any, block: int = 32, order: str = "rows") -> Any:
    return (*qkv, mask, block, order)


@implementation(Limits(masks=("causal",)))
def layer(*qkv: Any, mask: Any, scale: float, inner: Callable[..., Any]) -> Any:
    return inner(mask=mask, scale=2 * scale)(*qkv)


@implementation()
def everything(*tensors: Any, **arguments: Any) -> Any:
    return tensors, arguments


def tensors_only(q: Any, k: Any, v: Any) -> Any:
    return q, k, v


def test_an_implementation_is_named_after_its_function() -> None:
    assert isinstance(blocks, Implementation)
    assert blocks.name == str(blocks) == "blocks"
    assert blocks.limits == (Limits(devices=("cpu",)),)
    assert blocks.choices == CHOICES
    assert blocks.chosen == ()


def test_without_limits_it_has_the_default_ones() -> None:
    assert everything.limits == (Limits(),)


def test_settings_and_the_inner_attention_stand_in_the_name() -> None:
    chosen = blocks.choosing(order="keys", block=64)
    assert str(chosen) == "blocks[block=64,order=keys]"
    assert str(replace(layer, inner=chosen)) == "layer(blocks[block=64,order=keys])"
    assert str(replace(layer, inner=everything)) == "layer(everything)"


def test_settings_reach_the_function_and_others_keep_its_default() -> None:
    call = blocks.choosing(block=64).bound(mask=CAUSAL, scale=0.5)
    assert call("q", "k", "v") == ("q", "k", "v", CAUSAL, 64, "rows")


def test_an_unknown_setting_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="blocks has no setting 'blok'; it has block, order"):
        blocks.choosing(blok=64)
    with pytest.raises(ValueError, match="layer has no setting 'block'; it has none"):
        layer.choosing(block=64)


def test_an_unknown_value_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=re.escape("blocks[block=65]: expected one of 64, 128")):
        blocks.choosing(block=65)


def test_a_value_may_have_limits_of_its_own() -> None:
    narrow = (Limits(masks=("causal",)),)

    @implementation(choices={"node": {"wide": (Limits(),), "narrow": narrow}, "block": (1, 2)})
    def some(*qkv: Any, mask: Any, node: str = "wide", block: int = 1) -> Any:
        return (*qkv, mask, node, block)

    assert some.choosing(block=2).limits == some.choosing(node="wide").limits == (Limits(),)
    assert some.choosing(node="narrow").limits == narrow
    assert {str(each): each.limits for each in some.sweep(("node",))} == {
        "some[node=wide]": (Limits(),),
        "some[node=narrow]": narrow,
    }
    with pytest.raises(ValueError, match=re.escape("some[node=x]: expected one of wide, narrow")):
        some.choosing(node="x")


def test_the_reasons_of_limits_for_the_capability_here_are_given() -> None:
    old = Limits(devices=("cuda",), cuda_capability_below=(9, 0), softcap=True)
    new = Limits(devices=("cuda",), cuda_capability=(9, 0))
    problem = Problem.parse("softcap3 cuda")
    assert refusals((old, new), problem, (8, 0)) == ()
    assert refusals((old, new), problem, (9, 0)) == ("softcap 3.0: takes scores as they are",)


def test_only_one_setting_may_have_limits() -> None:
    limits = {"a": (Limits(),)}
    with pytest.raises(TypeError, match="choices: one, two have limits each"):
        implementation(choices={"one": limits, "two": limits})


def test_a_sweep_is_every_combination_of_the_named_settings() -> None:
    assert [str(each) for each in blocks.sweep(("block", "order"))] == [
        "blocks[block=64,order=rows]",
        "blocks[block=64,order=keys]",
        "blocks[block=128,order=rows]",
        "blocks[block=128,order=keys]",
    ]
    assert [str(each) for each in blocks.sweep(("block",), order="keys")] == [
        "blocks[block=64,order=keys]",
        "blocks[block=128,order=keys]",
    ]
    assert [str(each) for each in blocks.sweep((), block=64)] == ["blocks[block=64]"]


def test_a_sweep_of_an_unknown_setting_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="blocks has no setting 'rows'; it has block, order"):
        list(blocks.sweep(("rows",)))
    with pytest.raises(ValueError, match=re.escape("blocks[block=1]: expected one of 64, 128")):
        list(blocks.sweep(("order",), block=1))


def test_only_what_a_function_takes_reaches_it() -> None:
    plain = from_function(tensors_only)
    assert plain.bound(mask=FULL, scale=0.5)("q", "k", "v") == ("q", "k", "v")
    assert blocks.bound(mask=FULL, scale=0.5)("q", "k", "v") == ("q", "k", "v", FULL, 32, "rows")


def test_a_function_that_takes_anything_gets_everything() -> None:
    call = everything.bound(mask=CAUSAL, scale=0.5)
    assert call("q", "k", "v") == (("q", "k", "v"), {"mask": CAUSAL, "scale": 0.5})
    call = everything.bound(mask=CAUSAL, scale=0.5, **OPTIONAL)
    assert call() == ((), {"mask": CAUSAL, "scale": 0.5, **OPTIONAL})


@pytest.mark.parametrize("name", OPTIONAL)
def test_what_is_optional_reaches_a_function_only_where_the_problem_has_it(name: str) -> None:
    def biased(q: Any, k: Any, v: Any, *, bias: Any = "no bias") -> Any:
        return bias

    def capped(q: Any, k: Any, v: Any, *, softcap: Any = "no softcap") -> Any:
        return softcap

    def sunk(q: Any, k: Any, v: Any, *, sink: Any = "no sink") -> Any:
        return sink

    functions: dict[str, Callable[..., Any]] = {"bias": biased, "softcap": capped, "sink": sunk}
    each = from_function(functions[name])
    assert each.bound(mask=FULL, scale=0.5)(1, 2, 3) == f"no {name}"
    given: dict[str, Any] = {name: OPTIONAL[name]}
    assert each.bound(mask=FULL, scale=0.5, **given)(1, 2, 3) == OPTIONAL[name]


@pytest.mark.parametrize("each", [blocks, from_function(tensors_only)], ids=str)
def test_what_a_function_has_no_place_for_is_never_left_out(each: Implementation) -> None:
    for name, value in OPTIONAL.items():
        given: dict[str, Any] = {name: value}
        with pytest.raises(ValueError, match=f"^{each.name} takes no {name}$"):
            each.bound(mask=FULL, scale=0.5, **given)
    with pytest.raises(ValueError, match=f"^{each.name} takes no bias, sink, softcap$"):
        each.bound(mask=FULL, scale=0.5, **OPTIONAL)


def test_a_layer_hands_mask_and_scale_to_the_attention_inside_it() -> None:
    inside = replace(layer, inner=everything)
    answer = inside.bound(mask=CAUSAL, scale=0.5)("q", "k", "v")
    assert answer == (("q", "k", "v"), {"mask": CAUSAL, "scale": 1.0})


def test_a_layer_hands_what_is_optional_to_the_attention_inside_it() -> None:
    inside = replace(layer, inner=everything)
    answer = inside.bound(mask=CAUSAL, scale=0.5, **OPTIONAL)("q", "k", "v")
    assert answer == (("q", "k", "v"), {"mask": CAUSAL, "scale": 1.0, **OPTIONAL})
    call = replace(layer, inner=blocks).bound(mask=CAUSAL, scale=0.5, softcap=30.0)
    with pytest.raises(ValueError, match=r"^blocks takes no softcap$"):
        call("q", "k", "v")


def test_only_a_layer_takes_an_inner_attention() -> None:
    assert layer.takes_inner
    assert not blocks.takes_inner
    assert not everything.takes_inner


def test_a_layer_gives_its_own_reasons_and_the_inner_ones() -> None:
    forward_only = replace(everything, limits=(Limits(backward=False),))
    inside = replace(layer, inner=forward_only)
    assert inside.refusals(Problem(mask=FULL, training=True)) == (
        "mask full: takes causal",
        "inner training: forward only",
    )
    assert inside.refusals(Problem(mask=CAUSAL)) == ()
    assert layer.refusals(Problem(mask=CAUSAL, training=True)) == ()


def test_the_capability_at_hand_reaches_the_inner_limits() -> None:
    newest = replace(everything, limits=(Limits(cuda_capability=(9, 0)),))
    inside = replace(layer, inner=newest)
    problem = Problem(mask=CAUSAL, device="cuda")
    assert inside.refusals(problem, (8, 0)) == ("inner CUDA capability 8.0: needs 9.0",)


def test_the_reasons_of_the_nearest_limits_are_given() -> None:
    both = implementation(Limits(devices=("cuda",)), Limits(devices=("cpu",), masks=("full",)))
    assert both(tensors_only).refusals(Problem(mask=CAUSAL)) == ("mask causal: takes full",)


def test_the_mask_and_the_scale_of_a_function_without_such_parameters_are_fixed() -> None:
    plain = from_function(tensors_only)
    assert plain.limits == (Limits(masks=EVERY_MASK, own_value_dim=True),)
    assert plain.fixed == {"mask", "scale"}
    assert not plain.states_limits


def test_what_a_function_of_the_contract_takes_is_permitted_entirely() -> None:
    def masked(q: Any, k: Any, v: Any, *, mask: Mask) -> Any:
        return q, k, v, mask

    def biased(q: Any, k: Any, v: Any, bias: Any = None) -> Any:
        return q, k, v, bias

    def capped(q: Any, k: Any, v: Any, softcap: Any = None, sink: Any = None) -> Any:
        return q, k, v, softcap, sink

    every = Limits(masks=EVERY_MASK, own_value_dim=True)
    assert from_function(masked).limits == (every,)
    assert from_function(masked).fixed == {"scale"}
    assert from_function(biased).limits == (replace(every, biases=EVERY_BIAS),)
    assert from_function(capped).limits == (replace(every, softcap=True, sink=True),)


def test_a_plain_function_that_takes_anything_is_permitted_everything() -> None:
    def anything(q: Any, k: Any, v: Any, **others: Any) -> Any:
        return q, k, v, others

    every = Limits(masks=EVERY_MASK, biases=EVERY_BIAS, own_value_dim=True, softcap=True, sink=True)
    assert from_function(anything).limits == (every,)


def other_reference(q: Any, k: Any, v: Any, *, mask: Any) -> Any:
    return q, k, v, mask


def scaled_by(factor: float) -> Callable[..., Any]:
    def scaled(q: Any, k: Any, v: Any) -> Any:
        return factor * q, k, v

    return scaled


def panel_of(reference: Any, **declared: Any) -> str:
    return implementation(reference=reference, **declared)(tensors_only).panel


def test_implementations_of_one_reference_share_a_panel_named_after_it_and_its_file() -> None:
    panel = panel_of(other_reference)
    assert panel == panel_of(other_reference)
    assert re.fullmatch(r"other_reference \(test_implementation\.py [0-9a-f]{6}\)", panel)


@pytest.mark.parametrize("name", ["attention", "layers", "approximations"])
def test_an_own_reference_never_shares_the_panel_of_attention_layers_or_approximations(
    name: str,
) -> None:
    def reference(q: Any, k: Any, v: Any) -> Any:
        return q, k, v

    reference.__name__ = name
    panel = panel_of(reference)
    assert panel != name
    assert panel.startswith(f"{name} (test_implementation.py ")
    assert not implementation(reference=reference)(tensors_only).is_attention


def test_references_of_one_name_are_different_panels() -> None:
    double, triple = scaled_by(2.0), scaled_by(3.0)
    assert panel_of(double) == panel_of(double)
    panels = {panel_of(each) for each in (double, triple, lambda q, k, v: q, lambda q, k, v: k)}
    assert len(panels) == 4


def test_references_of_one_name_in_two_files_are_different_panels(tmp_path: Path) -> None:
    panels = []
    for folder in ("one", "two"):
        file = tmp_path / folder / "mine.py"
        file.parent.mkdir()
        file.write_text(OWN_REFERENCE)
        (found,) = load_file(file)
        panels.append(found.panel)
    assert all(re.fullmatch(r"attention \(mine\.py [0-9a-f]{6}\)", panel) for panel in panels)
    assert len(set(panels)) == 2


def test_a_reference_of_the_folder_is_named_without_digits() -> None:
    known = load()
    linear = known["linear"]
    assert isinstance(linear, Implementation)
    assert linear.panel == "dense_linear (linear.py)"


def test_exact_attention_layers_and_approximations_have_panels_of_their_own() -> None:
    def weights(*widths: int) -> Any:
        return widths

    exact, layers = implementation()(tensors_only), implementation(projections=weights)
    near = implementation(approximates=True)(tensors_only)
    assert (exact.panel, layers(tensors_only).panel, near.panel) == (
        "attention",
        "layers",
        "approximations",
    )
    assert panel_of(other_reference, approximates=True) == (
        f"approximations of {panel_of(other_reference)}"
    )
    assert exact.is_attention
    assert not layers(tensors_only).is_attention
    assert not near.is_attention


def test_hard_inputs_on_which_it_is_inexact_are_in_its_remarks() -> None:
    inexact = implementation(inexact_on=("outliers", "equal scores"))(tensors_only)
    assert inexact.remarks(Problem()) == (
        "not checked on hard inputs where it loses digits: outliers, equal scores",
    )
    assert implementation()(tensors_only).remarks(Problem()) == ()


def test_an_unknown_hard_input_is_refused() -> None:
    with pytest.raises(ValueError, match="inexact_on: 'outlier'; expected some of one dominant"):
        implementation(inexact_on=("outlier",))


def test_a_reference_that_is_no_function_is_refused() -> None:
    with pytest.raises(TypeError, match="reference: partial; expected a function of"):
        implementation(reference=partial(other_reference, mask=None))


def group_function(*qkv: Any, mask: Any, scale: float, group: Any) -> Any:
    return qkv, group


def test_a_parameter_group_makes_a_function_one_of_a_group() -> None:
    def plain(q: Any, k: Any, v: Any, *, mask: Any, scale: float, group: Any) -> Any:
        return q, group

    for each in (implementation()(plain), from_function(plain)):
        assert each.takes_group
        assert each.limits[0].ranks
        assert each.refusals(Problem()) != ()
        assert each.refusals(Problem(ranks=2)) == ()
        group: Any = "the group"
        assert each.bound(mask=FULL, scale=1.0, group=group)(1, 2, 3) == (1, "the group")


def test_zigzag_takes_two_chunks_for_each_rank() -> None:
    each = implementation(Limits(ranks=True), shards="zigzag")(group_function)
    assert each.division == "zigzag"
    assert each.refusals(Problem(query_length=12, key_length=12, ranks=2)) == ()
    (reason,) = each.refusals(Problem(query_length=6, key_length=6, ranks=2))
    assert reason == "Tq 6 and Tk 6: takes multiples of 4 for 2 ranks"


def test_ranks_of_limits_and_the_parameter_group_go_together() -> None:
    with pytest.raises(ValueError, match="a function of a group has both"):
        implementation(Limits())(group_function)
    with pytest.raises(ValueError, match="a function of a group has both"):
        implementation(Limits(ranks=True))(tensors_only)
    with pytest.raises(ValueError, match="shards 'striped'; expected one of contiguous, zigzag"):
        implementation(Limits(ranks=True), shards="striped")


def test_a_function_of_a_group_is_called_on_whole_tensors_by_its_group_call() -> None:
    class Call:
        def start(self, problem: Problem) -> None: ...

        def prepared(self, problem: Problem) -> Any:
            return lambda **_: f"in {problem.ranks} processes"

        def forget(self) -> None: ...

    without = implementation(Limits(ranks=True))(group_function)
    with pytest.raises(ValueError, match="group_function needs a group of processes"):
        without.prepared(Problem(ranks=2))
    each = replace(without, group_call=Call())
    made: Any = each.prepared(Problem(ranks=2))()
    assert made == "in 2 processes"
