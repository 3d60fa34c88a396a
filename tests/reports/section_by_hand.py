"""A section made by hand, with every kind of chart that the page draws."""

from __future__ import annotations

from reports.views.charts.chart import Chart, Map, Series, Tile
from reports.views.charts.palette import looks
from reports.views.sections import Row, Section, Table, Value

NAMES = ("naive", "sdpa_flash")
LOOKS = looks(NAMES)


def by_hand() -> Section:
    """Points with intervals, a bare line, a map with an undecided tile, and a table."""
    row = Row(
        (Value("naive"), Value("1.90", 1.9)),
        {"implementation": "naive", "mask": "full"},
        "python repeat",
    )
    return Section(
        id="by-hand",
        heading="By hand",
        sentences=("A sentence.",),
        charts=(points(), winners()),
        tables=(Table("A caption.", ("implementation", "exponent"), (row,)),),
    )


def points() -> Chart:
    """Points of one implementation, and a bare line of none."""
    own = Series(
        name="naive",
        x=(128, 256, 512),
        y=(1.0, 2.1, 4.3),
        low=(0.9, 2.0, 4.2),
        high=(1.1, 2.2, 4.4),
        hover=("a", "b", "c"),
        look=LOOKS["naive"],
        implementation="naive",
        drawn="points",
    )
    line = Series(
        name="ceiling",
        x=(128, 300, 512),
        y=(0.5, 0.5, 0.5),
        low=(),
        high=(),
        hover=("", "", ""),
        look=LOOKS["sdpa_flash"],
        drawn="bare",
    )
    return Chart(
        key="points",
        panel="attention",
        title="Points",
        label="",
        common="full mask",
        mask="full",
        x_title="length",
        y_title="ms",
        log_x=True,
        log_y=True,
        series=(own, line),
        note="",
        alt="Points in words.",
        facets={"mask": "full"},
        ticks=False,
    )


def winners() -> Map:
    """Two by two, one of them undecided."""
    tiles = (
        Tile(x=128, y=1, name="naive", undecided=False, hover="first"),
        Tile(x=256, y=1, name="sdpa_flash", undecided=False, hover="second"),
        Tile(x=128, y=8, name="naive", undecided=True, hover="third"),
        Tile(x=256, y=8, name="sdpa_flash", undecided=False, hover="fourth"),
    )
    return Map(
        key="winners",
        panel="attention",
        title="Winners",
        label="",
        common="full mask",
        mask="full",
        x_title="length",
        y_title="heads",
        tiles=tiles,
        looks=LOOKS,
        note="",
        alt="Winners in words.",
        facets={"mask": "full"},
    )
