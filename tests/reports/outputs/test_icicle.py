"""An icicle as an image: where its blocks are, and which have text."""

from __future__ import annotations

from typing import Any

import pytest
from matplotlib.figure import Figure

from reports.outputs.png.figure import figure
from reports.outputs.png.sheet import SLIDE
from reports.views.profile.flame import icicle
from tests.reports.profile_by_hand import LONGER, profile


def boxes(drawn: Figure) -> list[Any]:
    (blocks,) = drawn.axes[0].collections
    return [path.get_extents() for path in blocks.get_paths()]


def test_parts_lie_below_their_block_side_by_side() -> None:
    call, line, matmul, bmm, python, other, *_ = boxes(figure([icicle(profile())]))
    assert (call.x0, call.x1) == pytest.approx((0, 10))
    assert (line.x0, line.x1, line.y0) == pytest.approx((0, 7, 1))
    assert (matmul.x0, matmul.x1, matmul.y0) == pytest.approx((0, 6, 2))
    assert (bmm.x0, bmm.x1, bmm.y0) == pytest.approx((0, 6, 3), abs=1e-4)
    assert (python.x0, python.x1, python.y0) == pytest.approx((6, 7, 2))
    assert (other.x0, other.x1, other.y0) == pytest.approx((7, 10, 1))


def test_a_block_without_room_has_no_text() -> None:
    texts = [text.get_text() for text in figure([icicle(profile())]).axes[0].texts]
    assert "bmm 60 %" in texts
    assert not any("narrower" in text for text in texts)


def test_the_legend_has_the_kinds_that_occur() -> None:
    (legend,) = figure([icicle(profile())]).legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names[1:] == ["products", "softmax and exponentials", "Python", "other"]


def test_icicles_of_a_family_stand_one_below_the_other() -> None:
    both = [icicle(profile(), "t256"), icicle(profile(problem=LONGER), "t512")]
    drawn = figure(both)
    first, second = (axes.get_position() for axes in drawn.axes)
    assert first.y0 > second.y1
    assert drawn.get_size_inches()[0] == pytest.approx(SLIDE[0])
    assert drawn.get_size_inches()[1] > figure(both[:1]).get_size_inches()[1]
