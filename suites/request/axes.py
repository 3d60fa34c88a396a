"""Options that replace one axis of every problem: their values, as typed."""

from __future__ import annotations

import difflib
from typing import Any, Final

from impls.interface import Bias, Problem
from impls.interface.problem import DEVICES, parse_word

AXES: Final[dict[str, str]] = {
    "--seq": "t{}",
    "--heads": "h{}",
    "--batch": "b{}",
    "--head-dim": "d{}",
    "--device": "{}",
    "--dtype": "{}",
    "--mask": "{}",
    "--bias": "{}",
    "--pass": "{}",
}
"""Options that replace one axis of every problem, and the word that a value makes."""
_FIELDS: Final = {
    "--seq": "query_length",
    "--heads": "query_heads",
    "--batch": "batch",
    "--head-dim": "head_dim",
    "--device": "device",
    "--dtype": "dtype",
    "--mask": "mask",
    "--bias": "bias",
    "--pass": "training",
}
_EXAMPLES: Final = {"--mask": "full,causal,window:256", "--bias": "none,alibi,relative:32"}


def values_of(option: str, text: str) -> list[dict[str, Any]]:
    """The fields that each comma-separated value of an axis option sets.

    Raises ValueError for a value that is not understood, and for an empty one.
    """
    found = []
    for value in (word.strip() for word in text.split(",")):
        if not value:
            raise ValueError(f"{option} {text!r}: a value is empty; {_expected(option, value)}")
        word = "train" if (option, value) == ("--pass", "training") else value
        fields = _understood(option, AXES[option].format(word))
        if fields is None or _FIELDS[option] not in fields:
            raise ValueError(f"{option} {value!r}: {_expected(option, value)}")
        found.append(fields)
    return found


def _understood(option: str, word: str) -> dict[str, Any] | None:
    if (option, word) == ("--bias", "none"):  # printed problems leave it out
        return {"bias": Bias()}
    try:
        fields = parse_word(word)
        Problem(**fields)
    except ValueError as error:
        if option in ("--mask", "--bias") or word[1:].replace("/", "").isdecimal():
            raise ValueError(f"{option}: {error}") from None
        return None
    return fields


def _expected(option: str, value: str) -> str:
    choices = {
        "--device": DEVICES,
        "--pass": ("forward", "training"),
        "--dtype": ("float64", "float32", "float16", "bfloat16"),
    }.get(option)
    if choices is None:
        example = _EXAMPLES.get(option, "128,256")
        return f"expected values like {example}"
    near = difflib.get_close_matches(value.lower(), choices, n=1)
    return (f"did you mean {near[0]!r}? " if near else "") + f"expected one of {', '.join(choices)}"
