"""The rows of attention layers: shares of the profile beside those of the clocks."""

from __future__ import annotations

from dataclasses import replace

from reports.analysis.profile.layers import ALL, layer_rows
from reports.analysis.profile.profiled_run import ProfiledRun
from reports.analysis.run_analysis import Analysis
from reports.views.profile import layers, page
from suites.records.in_model import InModel, LayerTime
from suites.records.profile import Node, Profile
from tests.reports import profile_by_hand
from tests.saved_run import two

FIRST = LayerTime(layer="layers.0", calls=1, forward_ms=1.0, backward_ms=2.0)
SECOND = LayerTime(layer="layers.1", calls=2, forward_ms=3.0, backward_ms=None)
STEP = InModel(step_ms=10.0, attention_ms=6.0, layers=(FIRST, SECOND))
CLOCKS = InModel(step_ms=20.0, attention_ms=4.0, layers=(replace(FIRST, forward_ms=0.0),))
SITE = "transformers/modeling_mine.py:7 Mine.forward"


def found(*, clocks: InModel | None = CLOCKS) -> tuple[ProfiledRun, Profile]:
    nodes = (
        *profile_by_hand.NODES,
        Node(parent=0, kind="layer", name=f"layers.0 {SITE}"),
        Node(parent=0, kind="layer", name="the rest of the model"),
    )
    own = replace(profile_by_hand.profile(), nodes=nodes, in_model=STEP)
    run, records = two(2.0)
    timed = [replace(each, in_model=clocks) if each.times_ms else each for each in records]
    return ProfiledRun(Analysis(run, timed), (own,)), own


def test_layers_have_their_site_and_both_shares_and_the_last_row_is_their_sum() -> None:
    first, second, every = layer_rows(*found())
    assert (first.layer, first.site, first.share, first.by_clocks) == ("layers.0", SITE, 0.3, 0.1)
    assert (second.site, second.share, second.by_clocks) == ("", 0.3, None)
    assert (every.layer, every.calls, every.forward_ms, every.backward_ms) == (ALL, 3, 4.0, 2.0)
    assert (every.share, every.by_clocks) == (0.6, 0.2)


def test_a_call_has_no_layers() -> None:
    call = profile_by_hand.found()
    assert layer_rows(call, call.profiles[0]) == []
    assert layers.sections(call) == []
    assert layers.answers(call) == []


def test_the_page_states_both_shares_and_warns_where_they_are_apart() -> None:
    run, _ = found()
    assert (
        "other: attention takes 60 % of the profiled step; by clocks in the run 20 %."
        in page.sentences(run)
    )
    section = next(each for each in page.sections(run) if each.id == "layers")
    assert "Trust the clocks" in section.sentences[0]
    texts = [[cell.text for cell in row.cells] for row in section.tables[0].rows]
    assert texts[0][:3] == ["other", "layers.0", "modeling_mine.py:7 Mine.forward"]
    assert texts[-1] == ["other", ALL, "", "3", "4.00", "2.00", "60 %", "20 %"]


def test_without_clocks_nothing_is_compared() -> None:
    run, own = found(clocks=None)
    assert layer_rows(run, own)[-1].by_clocks is None
    (section,) = layers.sections(run)
    assert section.sentences == ()
