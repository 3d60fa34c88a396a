"""The time of a recorded script by line: sums, order and shares."""

from __future__ import annotations

import pytest

from reports.analysis.call_sites import call_sites
from suites.records.workload import Unrecorded
from tests.reports.script_by_hand import LIBRARY, TRAINED, call, dropout, script


def test_the_line_with_the_most_time_is_first_and_names_the_script() -> None:
    first, second = call_sites(script()).sites
    assert (first.script, first.library, first.file) == (
        "src/train.py:20 forward",
        "",
        "src/train.py",
    )
    assert (second.script, second.library) == ("src/train.py:31 step", "models/model.py:12 forward")
    assert second.place == LIBRARY
    assert (first.forward_ms, first.backward_ms, first.total_ms) == (80.0, 120.0, 200.0)


@pytest.mark.parametrize("steps", [1, 10])
@pytest.mark.parametrize("others", [(), (dropout(),)])
def test_shares_of_lines_set_up_and_the_rest_add_up(
    steps: int, others: tuple[Unrecorded, ...]
) -> None:
    found = call_sites(script(steps=steps, others=others))
    lines = sum(found.share(site.total_ms) for site in found.sites)
    rest = (found.set_up_ms + found.outside_ms) / found.whole_ms
    assert lines + rest == pytest.approx(1.0)
    assert found.outside_ms > 0


def test_figures_are_of_a_step_where_there_are_steps() -> None:
    found = call_sites(script(call()))
    assert (found.whole_ms, found.each(found.attention_ms)) == (100.0, 20.0)
    assert (found.outside_ms, found.set_up_ms) == (80.0, 0.0)


def test_set_up_is_a_part_of_the_whole_script() -> None:
    found = call_sites(script(call(), steps=1))
    assert found.set_up_ms == 500.0 - 80.0 / 40
    assert found.outside_ms == 2000.0 - 200.0 - found.set_up_ms


def test_a_single_call_has_no_set_up_of_its_own() -> None:
    found = call_sites(script(call(count=1, took_ms=500.0), steps=1))
    assert found.set_up_ms == 0.0


def test_attention_above_the_median_step_leaves_nothing_outside() -> None:
    found = call_sites(script(call(took_ms=3000.0)))
    assert found.share(found.attention_ms) == 1.0
    assert found.outside_ms == 0.0


def test_a_backward_pass_that_is_not_seen_is_not_zero() -> None:
    (site,) = call_sites(script(call(backward_ms=None))).sites
    assert (site.backward_ms, site.unseen) == (None, True)
    (site,) = call_sites(script(call(TRAINED.replace(" train", ""), backward_ms=None))).sites
    assert (site.backward_ms, site.unseen) == (None, False)


def test_the_times_of_calls_without_a_problem_are_split() -> None:
    other = dropout(took_ms=10.0, backward_ms=4.0)
    site = next(s for s in call_sites(script(others=(other,))).sites if s.calls[0].reason)
    assert (site.forward_ms, site.backward_ms, site.unseen) == (6.0, 4.0, False)


def test_a_step_of_several_processes_is_that_of_one_process() -> None:
    found = call_sites(script(call(), processes=2))
    assert (found.units, found.each(found.attention_ms)) == (20, 10.0)
