"""The formats of chart files, as the option names them."""

from __future__ import annotations

import pytest

from reports.outputs.png.formats import formats


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("png", ("png",)),
        ("pdf,png", ("png", "pdf")),
        ("SVG, pdf,svg", ("svg", "pdf")),
    ],
)
def test_formats_are_named_with_commas_and_each_counts_once(
    text: str, expected: tuple[str, ...]
) -> None:
    assert formats(text) == expected


@pytest.mark.parametrize("text", ["gif", "png,", "png svg"])
def test_an_unknown_format_is_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(ValueError, match=r"^--charts .*: unknown format '.*'; expected png, svg"):
        formats(text)
