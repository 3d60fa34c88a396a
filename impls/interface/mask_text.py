"""The parts of a mask as text, and the fields of Mask that each sets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from impls.interface.rows import parse_requests, parse_row

GRAMMAR: Final = (
    "full, causal, window:LEFT, window:LEFT:RIGHT (* = unlimited), padding:FRACTION, "
    "padding:START-END/..., documents:LENGTHxCOUNT/..., rows:COUNTxTq/Tk+COUNTxTq/Tk+..., "
    "joined by +; or vLLM's COUNTqTqsTk_..., which are causal rows"
)


def parts_of(text: str) -> Iterator[str]:
    """The parts of a mask as text; `+` also joins the rows of one part."""
    whole: list[str] = []
    for word in text.split("+"):
        if whole and whole[-1].startswith("rows:") and parse_row(word) is not None:
            whole[-1] += f"+{word}"
        else:
            whole.append(word)
    return iter(whole)


def parse_part(word: str) -> dict[str, Any] | None:
    """The fields of one part of a mask; None for an unknown word."""
    if word == "full":
        return {}
    if word == "causal":
        return {"left": None, "right": 0}
    if band := re.fullmatch(r"window:(\d+|\*)(?::(\d+|\*))?", word):
        left, right = (None if reach == "*" else int(reach or 0) for reach in band.groups())
        return {"left": left, "right": right}
    if share := re.fullmatch(r"padding:(0?\.\d+|\d(?:\.\d+)?e-\d+)", word):
        return {"padding": float(share[1])}
    if re.fullmatch(r"padding:\d+-\d+(/\d+-\d+)*", word):
        pairs = re.findall(r"(\d+)-(\d+)", word)
        return {"padding": tuple((int(s), int(e)) for s, e in pairs)}
    if re.fullmatch(r"documents:\d+(x\d+)?(/\d+(x\d+)?)*", word):
        pairs = re.findall(r"(\d+)(?:x(\d+))?(?:/|$)", word.removeprefix("documents:"))
        return {"documents": tuple(int(n) for n, c in pairs for _ in range(int(c or 1)))}
    if word.startswith("rows:"):
        found = [parse_row(each) for each in word.removeprefix("rows:").split("+")]
        return None if None in found else {"rows": sum(filter(None, found), ())}
    if requests := parse_requests(word):
        return {"left": None, "right": 0, "rows": requests}
    return None
