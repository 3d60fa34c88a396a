"""The list of models, as `list models` prints it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from reports.outputs.terminal.blocks import block
from reports.views.text import printable

_END: Final = (
    "python run_bench.py run models measures all of them. FILE.py:FUNCTION in place of a name is "
    "a model of your own: docs/models.md."
)


def models_list(models: Iterable[Mapping[str, Any]]) -> Group:
    """Each model with its mechanism, class, steps and a problem of it."""
    lines: list[RenderableType] = []
    for each in models:
        lines += block(Text(each["name"], style="bold"), _about(each))
    return Group(*lines, Text(f"\n{_END}"))


def _about(model: Mapping[str, Any]) -> Iterator[tuple[str, Text]]:
    yield "", Text(printable(model["says"]))
    yield "class", Text(printable(model["class"]))
    yield "steps", Text(", ".join(model["steps"]))
    yield "problem", Text(model["example"])
