"""The inside of one icicle: rectangles, those of a block's parts below it."""

from __future__ import annotations

from typing import Final

from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.patches import Rectangle

from reports.outputs.png.text import SMALL, plain, width
from reports.views.charts.chart import Block, Icicle
from reports.views.charts.palette import ink_on

LEVEL_INCHES: Final = 0.3
"""Height of one level."""
_TEXT_SHARE: Final = 0.88
"""Of a block's width; letters are estimated by their average width."""


def levels(chart: Icicle) -> int:
    """The number of levels."""
    return 1 + max(chart.depths)


def fill_icicle(axes: Axes, chart: Icicle, inches: tuple[float, float]) -> None:
    """Draw the blocks from the top down: the texts on them need width.

    inches  of the axes
    """
    widths, starts, depths = chart.widths, _starts(chart), chart.depths
    boxes = [
        Rectangle((start, depth), width, 1)
        for start, depth, width in zip(starts, depths, widths, strict=True)
    ]
    colours = [block.look.light for block in chart.blocks]
    axes.add_collection(
        PatchCollection(boxes, facecolors=colours, edgecolors="white", linewidths=0.8)
    )
    for block, start, depth, own in zip(chart.blocks, starts, depths, widths, strict=True):
        if shown := _text(block, _TEXT_SHARE * inches[0] * own / widths[0]):
            at = (start + 0.003 * widths[0], depth + 0.5)
            colour = ink_on(block.look.light)
            axes.text(*at, plain(shown), fontsize=SMALL, va="center", color=colour)
    axes.set_xlim(0, widths[0])
    axes.set_ylim(levels(chart), 0)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _text(block: Block, inches: float) -> str:
    """The longest text that fits: name and share, the name, a line alone; empty for none."""
    line, _, function = block.name.partition(" ")
    texts = (f"{block.name}  {block.text}", block.name, line if function and ":" in line else "")
    return next((text for text in texts if text and width(text, SMALL) <= inches), "")


def _starts(chart: Icicle) -> list[float]:
    """The left end of each block: the right end of the part before it."""
    widths, found, ends = chart.widths, [0.0], [0.0] * len(chart.blocks)
    for place, block in enumerate(chart.blocks[1:], 1):
        found.append(ends[block.parent])
        ends[place] = found[place]
        ends[block.parent] += widths[place]
    return found
