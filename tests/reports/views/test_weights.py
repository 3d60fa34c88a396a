"""Attention weights in sentences, in heat maps and as text."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest
from matplotlib.axes import Axes

from impls.interface import Problem
from reports.outputs.html.assets import script_json
from reports.outputs.html.chart_data import chart_data
from reports.outputs.html.filters import Filters
from reports.outputs.png.figure import figure
from reports.outputs.terminal.heat_text import fits, heat_text, legend
from reports.views.charts.heat import Heat, Panel
from reports.views.weights import maps, sentences
from suites.records.weights import Deviation, HeadWeights, Kind, Weight, Weights

WORST = Weight(batch_row=0, head=0, query=0, key=1, found=0.12, expected=0.0)
HEAD = HeadWeights(
    batch_row=0,
    head=0,
    weights=((0.88, 0.12), (0.5, 0.5)),
    expected=((1.0, 0.0), (0.5, 0.5)),
    sums=(1.0, 1.0),
    wanted=(1.0, 1.0),
    visible=((0, 1), (0, 2)),
)
HIDDEN = Weights(
    implementation="mine",
    problem=Problem.parse("b1 h1 t2 d8 causal"),
    largest=WORST,
    deviations=(Deviation(kind="hidden", worst=WORST, queries=1),),
    sums=(1.0, 1.0),
    wanted=(1.0, 1.0),
    calls=1,
    heads=(HEAD,),
)
TINY = replace(WORST, found=3e-8)


def test_agreement_has_the_largest_difference() -> None:
    found = replace(HIDDEN, deviations=(), largest=TINY)
    assert sentences.answer(found) == (
        "mine agrees with the reference: the largest difference of a weight is 3e-08."
    )
    approximate = replace(found, approximate=True)
    assert sentences.answer(approximate).startswith("mine approximates its reference: ")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("nan", "query 0 gives the weight NaN to key 1, expected 0"),
        ("hidden", "query 0 gives weight 0.12 to key 1, which the mask causal hides"),
        ("lost", "query 0 gives no weight to key 1, expected 0"),
        ("other", "query 0 gives weight 0.12 to key 1, expected 0"),
    ],
)
def test_a_deviation_names_query_key_and_weight(kind: Kind, said: str) -> None:
    found = replace(HIDDEN, deviations=(Deviation(kind=kind, worst=WORST, queries=3),))
    assert sentences.answer(found) == (
        f"mine differs from the reference: {said} (head 0; 3 queries in all)."
    )


def test_the_batch_row_is_named_where_there_are_several() -> None:
    found = replace(HIDDEN, problem=Problem.parse("b2 h1 t2 d8 causal"))
    assert "(batch row 0, head 0; 1 query in all)" in sentences.answer(found)


def test_values_that_differ_little_have_the_digits_to_differ() -> None:
    near = replace(WORST, found=0.50001, expected=0.5)
    assert sentences.apart(near) == ("0.50001", "0.5")


@pytest.mark.parametrize(
    ("text", "sums", "wanted", "said"),
    [
        ("t2 causal", (0.9999999, 1.0), (1.0, 1.0), "The weights of a query sum to 1."),
        (
            "t2 causal sink",
            (0.25, 0.5),
            (0.25, 0.5),
            "The weights of a query sum to 0.250 to 0.500; the sink takes the rest.",
        ),
        (
            "t2 causal",
            (0.5, 0.5),
            (1.0, 1.0),
            "The weights of a query sum to 0.500; by the reference to 1.",
        ),
    ],
)
def test_the_sums_are_said(
    text: str, sums: tuple[float, float], wanted: tuple[float, float], said: str
) -> None:
    found = replace(HIDDEN, problem=Problem.parse(text), sums=sums, wanted=wanted)
    assert said in sentences.notes(found)


def test_what_is_left_out_is_said() -> None:
    found = replace(HIDDEN, problem=Problem.parse("b1 h4 t300 causal"), keyless=2)
    assert sentences.notes(found)[1:3] == [
        "2 queries see no key: their weights are 0 by the reference.",
        "Drawn are 1 of 4 heads and the first 256 positions of 300; all weights are compared.",
    ]


def test_a_hidden_key_is_drawn_where_it_has_a_weight_and_the_worst_is_marked() -> None:
    (heat,) = maps.heats(HIDDEN)
    mine, reference, difference = heat.panels
    assert mine.cells == ((0.88, 0.12), (0.5, 0.5))
    assert reference.cells == ((1.0, None), (0.5, 0.5))
    assert difference.cells[0] == pytest.approx((-0.12, 0.12))
    assert heat.mark == (0, 1)
    assert heat.common == "b1 h1 t2 d8 causal fp32 cpu; differences of at most 0.12"
    (agreeing,) = maps.heats(replace(HIDDEN, deviations=()))
    assert agreeing.mark is None


def test_a_worst_weight_that_is_not_drawn_is_not_marked() -> None:
    far = replace(WORST, query=299)
    found = replace(HIDDEN, deviations=(Deviation(kind="hidden", worst=far, queries=1),))
    assert maps.heats(found)[0].mark is None


def test_the_text_shows_sizes_blanks_and_signs() -> None:
    (heat,) = maps.heats(HIDDEN)
    title, heads, first, second = (line.plain for line in heat_text(heat, 1e-3))
    assert title == "Weights of head 0"
    assert heads.split() == ["mine", "reference", "difference"]
    assert first.split() == ["query", "0", "█░", "█", "-+"]
    assert second.split() == ["query", "1", "▓▓", "▓▓", ".."]
    assert legend(heat) == (
        "·░▒▓█ from 0 to 1, by square roots; blank: hidden by the mask; + and -: above and below 0"
    )


def test_large_heat_maps_are_no_text() -> None:
    wide = replace(HEAD, weights=((0.5,) * 25,) * 2, expected=((0.5,) * 25,) * 2)
    assert not fits(maps.heats(replace(HIDDEN, heads=(wide,)))[0])


def test_kinds_have_their_names_in_the_legend() -> None:
    panel = Panel(title="", cells=((0.0, 1.0, 2.0),), word="", names=("skipped", "half", "seen"))
    heat = Heat(
        key="kinds",
        title="Kinds",
        label="",
        common="",
        x_title="key",
        y_title="query",
        panels=(panel,),
        note="",
        alt="",
    )
    assert legend(heat) == "· skipped; ▒ half; █ seen"
    assert [line.plain for line in heat_text(heat)][-1] == "query 0  ·▒█"


def test_nan_is_no_value_on_the_page_and_a_question_mark_in_text() -> None:
    broken = replace(HEAD, weights=((float("nan"), 0.0), (0.5, 0.5)))
    (heat,) = maps.heats(replace(HIDDEN, heads=(broken,)))
    data = chart_data([heat], Filters())
    ((family,),) = data["families"].values()
    assert family["panels"][0]["cells"] == [[None, None], [0.5, 0.5]]
    assert "NaN" not in script_json(data)
    assert "?" in [line.plain for line in heat_text(heat)][2]


def test_an_image_has_the_three_panels() -> None:
    drawn = figure(maps.heats(HIDDEN))
    (outer,) = drawn.axes
    titles = [cast("Axes", each).get_title(loc="left") for each in outer.child_axes]
    assert titles == ["mine", "reference", "difference"]
