"""What a page has within itself: styles, script, data of the charts, and the hash of the script."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

STYLES: Final = (
    "base.css",
    "first_screen.css",
    "controls.css",
    "charts.css",
    "tables.css",
    "terms.css",
    "files.css",
    "machine.css",
    "machines.css",
    "print.css",
)
"""Style sheets in the order they apply in."""
SCRIPTS: Final = (
    "state.js",
    "scales.js",
    "ends.js",
    "tiles.js",
    "icicles.js",
    "heats.js",
    "charts.js",
    "tables.js",
    "terms.js",
    "files.js",
    "images.js",
    "paper.js",
    "controls.js",
)
"""Parts of one script: each uses what those before it define."""
_HERE: Final = Path(__file__).parent


def style() -> Markup:
    """All style sheets."""
    return Markup(_joined("style", STYLES))  # noqa: S704 - our own files


def script(*, with_charts: bool) -> Markup:
    """The script of the page, after the chart library where there is a chart."""
    library = _chart_library() if with_charts else ""
    own = _joined("script", SCRIPTS)
    return Markup(f'{library}\n"use strict";\n(() => {{\n{own}}})();\n')  # noqa: S704 - our own files


def _chart_library() -> str:
    from plotly.offline import get_plotlyjs  # noqa: PLC0415 - a run is measured without plotly

    return str(get_plotlyjs()).replace("</script", "<\\/script")


def hash_of(code: str) -> str:
    """The hash of the script in the page's policy, so that no other script runs."""
    return f"sha256-{b64encode(sha256(code.encode()).digest()).decode()}"


def script_json(data: Mapping[str, Any]) -> Markup:
    """Data for a script element: no character in it can end the element."""
    encoded = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        encoded = encoded.replace(character, f"\\u{ord(character):04x}")
    return Markup(encoded)  # noqa: S704 - the three characters that HTML reads are escaped


def _joined(folder: str, names: Sequence[str]) -> str:
    return "\n".join((_HERE / folder / name).read_text("utf-8") for name in names)
