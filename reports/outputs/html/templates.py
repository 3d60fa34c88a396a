"""The templates of a page, with the functions and limits that they use, and the frame around it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reports.outputs.html import assets, table_rows, term_links
from reports.outputs.html.chart_data import chart_data
from reports.outputs.html.filters import Filters
from reports.outputs.html.first_screen import unbroken
from reports.views import panels, statuses, terms, text
from reports.views.charts.chart import Shown
from reports.views.problems import facets

MANY: Final = 6
"""Columns of a grid; one with more has narrow columns, so that it fits a window."""
FEW: Final = 8
"""Rows of a table; a longer one has a field to find rows."""
LATE: Final = 150
"""Rows of a table; a longer one is laid out when it comes near the window."""
MOST_ANSWERS: Final = 6
"""Sentences of the answer that are shown at first."""
MOST_FAULTS: Final = 3
"""Faults on the first screen; more are counted, and listed further down."""
_HERE: Final = Path(__file__).parent


def environment(filters: Filters) -> Environment:
    """The templates, with the functions that they use."""
    made = Environment(
        loader=FileSystemLoader(_HERE / "template"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"statuses": statuses, "text": text, "line": text.printable}
    made.globals |= {"short": table_rows.short, "folded": table_rows.folded, "LATE": LATE}
    made.globals |= {"heading": panels.heading, "slug": panels.slug, "facets": facets}
    made.globals |= {"filters": filters, "rows_of": table_rows.body}
    made.globals |= {
        "breakable": table_rows.breakable,
        "profiled_against": table_rows.profiled_against,
        "is_numeric": table_rows.is_numeric,
        "MANY": MANY,
        "FEW": FEW,
    }
    made.globals |= {"MOST_ANSWERS": MOST_ANSWERS, "MOST_FAULTS": MOST_FAULTS}
    # Of one machine of several: before its ids, in labels, and behind its headings.
    made.globals |= {"at": "", "whose": "", "of": ""}
    made.globals |= {"unbroken": unbroken}
    made.globals |= {"linked": term_links.linked, "anchor": term_links.anchor}
    made.globals |= {"TERMS": terms.TERMS, "MOST_ROWS": table_rows.MOST_ROWS}
    return made


def frame(kept: Sequence[Shown], filters: Filters, *, medians_only: bool = False) -> dict[str, Any]:
    """What every page has around its content: style, script, and the data of its charts."""
    script = assets.script(with_charts=bool(kept))
    return {
        "drawn": len(kept),
        "chart_data": assets.script_json(chart_data(kept, filters, medians_only=medians_only)),
        "script": script,
        "script_hash": assets.hash_of(script),
        "style": assets.style(),
    }


def _harmless(value: Any) -> Any:
    """What the template writes: no text of a run reorders, hides or ends the text around it."""
    return text.readable(value) if type(value) is str else value
