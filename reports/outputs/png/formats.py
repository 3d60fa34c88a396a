"""The formats of chart files, as an option names them."""

from __future__ import annotations

from typing import Final, Literal, get_args

Format = Literal["png", "svg", "pdf"]
"""PNG for slides and chats; SVG and PDF, whose text stays text, for papers."""
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
DEFAULT: Final[tuple[Format, ...]] = ("png",)


def formats(text: str) -> tuple[Format, ...]:
    """The formats of a text like `png,svg`, each once, in the order of FORMATS.

    Raises ValueError for another name.
    """
    wanted = [word.strip().lower() for word in text.split(",")]
    unknown = [word for word in wanted if word not in FORMATS]
    if unknown:
        raise ValueError(
            f"--charts {text}: unknown format {unknown[0]!r}; expected {', '.join(FORMATS)}, "
            "or several of them with commas"
        )
    return tuple(each for each in FORMATS if each in wanted)
