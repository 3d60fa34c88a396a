"""The looks of implementations stay apart for every kind of colour vision, and by shape."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import Any, Final

import numpy as np
import pytest
from matplotlib.markers import MarkerStyle

from impls.interface import Limits
from reports.outputs.png.axes import MARKS, OPEN
from reports.views.charts.palette import DARK, FIRST, LIGHT, MARKERS, looks_of
from suites.records.plan import Entry
from tests.saved_run import PROBLEMS, small_run

Colours = np.ndarray[Any, np.dtype[np.float64]]

VISIONS: Final = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
"""On linear RGB. Machado, Oliveira and Fernandes, A Physiologically-based Model for Simulation of
Color Vision Deficiency, IEEE TVCG 15(6), 2009: the matrices of severity 1.0 of their table."""
LEAST: Final = 12.0
"""CIEDE2000: twelve times the difference of 1 that is just noticeable for large patches side by
side. Marks are small and apart, where the noticeable difference is several times as large (Stone,
Szafir and Setlur, An Engineering Model for Color Difference as a Function of Size, CIC 22, 2014).
The palette of Okabe and Ito, made for all visions, has 10.9 by the same measure."""
OKABE_ITO: Final = (
    "#000000", "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7",
)  # fmt: skip
"""jfly.uni-koeln.de/color; some of its colours are too pale for a white page."""
LEAST_OF_ALL: Final = 10.0
"""The same for the further colours, which are used beside the first eight only."""
GRAPHICS: Final = 3.0
"""The least contrast of graphics with what is behind them: WCAG 2.1, 1.4.11."""
PAGES: Final = {"light": (LIGHT, "#ffffff"), "dark": (DARK, "#14171c")}
_TO_XYZ: Final = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
_WHITE: Final = np.array([0.95047, 1.0, 1.08883])
"""The white point D65, and sRGB to XYZ for it (IEC 61966-2-1)."""


def linear(colours: tuple[str, ...]) -> Colours:
    """Linear RGB of colours [n, 3]."""
    values = np.array([[int(each[at : at + 2], 16) for at in (1, 3, 5)] for each in colours]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb: Colours) -> Colours:
    """CIE Lab of linear RGB [n, 3]."""
    share = rgb @ _TO_XYZ.T / _WHITE
    root = np.where(share > 216 / 24389, np.cbrt(share), (24389 / 27 * share + 16) / 116)
    x, y, z = root.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def ciede2000(one: Colours, other: Colours) -> float:
    """Difference of two colours in Lab: Sharma, Wu and Dalal, Color Res. Appl. 30(1), 2005."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    mean = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    stretch = 1.5 - 0.5 * np.sqrt(mean**7 / (mean**7 + 25.0**7))
    c1, c2 = np.hypot(a1 * stretch, b1), np.hypot(a2 * stretch, b2)
    h1, h2 = (np.degrees(np.arctan2(b, a * stretch)) % 360 for a, b in ((a1, b1), (a2, b2)))
    turn = (h2 - h1 + 180) % 360 - 180 if c1 * c2 else 0.0
    hue = h1 + turn / 2 if c1 * c2 else h1 + h2
    light, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    waves = ((-0.17, 1, -30), (0.24, 2, 0), (0.32, 3, 6), (-0.20, 4, -63))
    t = 1 + sum(size * np.cos(np.radians(times * hue + by)) for size, times, by in waves)
    lightness = (l2 - l1) / (1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2))
    chromas = (c2 - c1) / (1 + 0.045 * chroma)
    hues = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2)) / (1 + 0.015 * chroma * t)
    blue = np.radians(60 * np.exp(-((((hue % 360) - 275) / 25) ** 2)))
    mixed = -2 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7)) * np.sin(blue) * chromas * hues
    return float(np.sqrt(lightness**2 + chromas**2 + hues**2 + mixed))


def nearest(colours: tuple[str, ...], vision: str) -> float:
    """The smallest difference between any two colours, as that vision sees them."""
    seen = lab(np.clip(linear(colours) @ VISIONS[vision].T, 0, 1))
    return min(ciede2000(one, other) for one, other in combinations(seen, 2))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((50, 2.5, 0), (61, -5, 29), 22.8977),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
        ((90.8027, -2.0831, 1.4410), (91.1528, -1.6435, 0.0447), 1.4441),
    ],
)
def test_the_difference_of_colours_is_that_of_the_published_test_data(
    one: tuple[float, ...], other: tuple[float, ...], expected: float
) -> None:
    """Table 1 of Sharma, Wu and Dalal (2005)."""
    assert ciede2000(np.array(one), np.array(other)) == pytest.approx(expected, abs=1e-4)


def test_the_simulation_keeps_greys_and_merges_red_and_green() -> None:
    for vision in VISIONS.values():
        assert vision.sum(axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    colours = ("#b5651d", "#6b8e23")
    assert nearest(colours, "deuteranopia") < nearest(colours, "normal") / 3


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("page", PAGES)
def test_no_two_of_the_first_eight_colours_are_close_for_any_vision(page: str, vision: str) -> None:
    assert nearest(PAGES[page][0][:FIRST], vision) >= LEAST
    assert nearest(PAGES[page][0], vision) >= LEAST_OF_ALL


def test_the_threshold_is_above_the_palette_of_okabe_and_ito() -> None:
    assert min(nearest(OKABE_ITO, vision) for vision in VISIONS) == pytest.approx(10.9, abs=0.1)


def test_the_first_eight_are_eight() -> None:
    assert FIRST == 8
    assert len(LIGHT) == len(DARK) == len(MARKERS) == 12


@pytest.mark.parametrize("page", PAGES)
def test_every_colour_stands_out_from_its_page(page: str) -> None:
    colours, behind = PAGES[page]
    light = linear((*colours, behind)) @ _TO_XYZ[1] + 0.05
    assert min(np.maximum(light, light[-1])[:-1] / np.minimum(light, light[-1])[:-1]) >= GRAPHICS


def test_no_marker_is_another_one_turned() -> None:
    assert {each.removesuffix(OPEN) for each in MARKERS} == set(MARKS)
    outlines = {name: outline(mark) for name, mark in MARKS.items()}
    for (name, one), (_, other) in combinations(outlines.items(), 2):
        assert apart(one, other) > 0.1, name
    assert apart(outline("^"), outline("v")) < 0.02
    assert apart(outline("s"), outline("D")) < 0.02


def outline(mark: Any) -> Colours:
    """Points on the outline of a marker, at the same angles for all: the farthest in each."""
    made = MarkerStyle(mark)
    (path,) = made.get_path().transformed(made.get_transform()).to_polygons(closed_only=False)
    steps = np.linspace(0, 1, 50)[:, None]
    points = np.concatenate([one * (1 - steps) + other * steps for one, other in pairwise(path)])
    angles = np.degrees(np.arctan2(points[:, 1], points[:, 0])) % 360
    reach = np.hypot(*points.T)
    far = [reach[np.abs((angles - at + 180) % 360 - 180) <= 8].max(initial=0) for at in range(360)]
    return np.array(far) / max(far)


def apart(one: Colours, other: Colours) -> float:
    """The mean distance of two outlines, at the turn of one where they are closest."""
    return min(float(np.abs(one - np.roll(other, at)).mean()) for at in range(0, 360, 15))


def test_attention_that_can_be_drawn_has_the_first_colours() -> None:
    cuda = tuple(Entry(name=f"a{n}", limits=(Limits(devices=("cuda",)),)) for n in range(8))
    layers = tuple(Entry(name=f"b{n}", limits=(Limits(),), panel="layers") for n in range(8))
    attention = tuple(Entry(name=f"z{n}", limits=(Limits(),)) for n in range(8))
    run, _ = small_run(problems=PROBLEMS[:1], made=(*cuda, *layers, *attention))
    found = looks_of(run.plan)
    assert {found[f"z{n}"].light for n in range(8)} == set(LIGHT[:FIRST])
    assert len(found) == 24
