"""Options that replace one axis of every problem."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from impls.interface import Bias, Problem
from impls.interface.problem import DEVICES, DTYPES, parse_word
from suites.records.option import Option, nvidia_device

Values = list[dict[str, Any]]
"""The fields of a problem that each value of an axis sets."""


@dataclass(frozen=True, slots=True)
class Axis:
    """An option that replaces an axis.

    field    of a problem, which each value sets
    help     of the option
    word     the word of the problem grammar that a value makes
    expected values that are shown when one is not understood
    choices  every value, where these are few
    """

    field: str
    help: str
    word: str = "{}"
    expected: str = "128,256"
    choices: tuple[str, ...] = ()


AXES: Final = {
    "--seq": Axis("query_length", "Lengths: 128,256 or Tq/Tk.", "t{}"),
    "--heads": Axis("query_heads", "Heads: 1,8 or Hq/Hk.", "h{}"),
    "--batch": Axis("batch", "Batch sizes.", "b{}"),
    "--head-dim": Axis("head_dim", "Head dimensions.", "d{}"),
    "--device": Axis("device", "cpu, cuda, mps; cuda:1: the second NVIDIA GPU.", choices=DEVICES),
    "--dtype": Axis("dtype", "float32,bfloat16,float16,float64.", choices=tuple(DTYPES)),
    "--mask": Axis("mask", "full,causal,window:256.", expected="full,causal,window:256"),
    "--bias": Axis(
        "bias", "none,alibi,relative:32,dense.", expected="none,alibi,relative:32,dense"
    ),
    "--pass": Axis("training", "forward,training.", choices=("forward", "training")),
    "--ranks": Axis("ranks", "Processes of a group: 2,4.", "ranks{}", expected="2,4"),
}


def options() -> dict[str, Option]:
    """The option of every axis, by name."""
    return {
        name: Option(name=name, metavar="LIST", help=axis.help, parse=partial(values_of, name))
        for name, axis in AXES.items()
    }


def values_of(option: str, text: str) -> Values:
    """The fields that each comma-separated value of an axis option sets.

    Raises ValueError for an empty value, and for one that is not understood.
    """
    return [_fields(option, value.strip()) for value in text.split(",")]


def cuda_device(text: str) -> str:
    """The NVIDIA device that a text of --device names: 1 of `cuda:1,cpu`; "" for none.

    Raises ValueError for two devices: a run has one, so that no ratio mixes them.
    """
    named = [value.strip() for value in text.split(",")]
    of_cuda = list(dict.fromkeys(value for value in named if value.partition(":")[0] == "cuda"))
    if len(of_cuda) > 1:
        raise ValueError(
            f"--device is {text!r}, which names {len(of_cuda)} NVIDIA devices; a run measures on "
            "one: run each with --out DIR, then show them side by side with report RUN RUN"
        )
    chosen = of_cuda[0].removeprefix("cuda").removeprefix(":") if of_cuda else ""
    return nvidia_device(chosen) if ":" in "".join(of_cuda) else ""


def _fields(option: str, value: str) -> dict[str, Any]:
    axis = AXES[option]
    if option == "--device" and value.startswith("cuda:"):
        value = "cuda"  # the device itself is a setting of the run
    if not value:
        raise ValueError(f"with an empty value; {_expected(axis, value)}")
    if (option, value) == ("--bias", "none"):  # printed problems leave it out
        return {"bias": Bias()}
    word = "train" if (option, value) == ("--pass", "training") else value
    try:
        found = parse_word(axis.word.format(word))
        Problem(**found)
    except ValueError as error:
        if option in ("--mask", "--bias") or _is_number(value):
            raise
        raise ValueError(_expected(axis, value)) from error
    if axis.field not in found:
        raise ValueError(_expected(axis, value))
    return found


def _is_number(value: str) -> bool:
    return value.replace("/", "").isdecimal()


def _expected(axis: Axis, value: str) -> str:
    if not axis.choices:
        return f"expected values like {axis.expected}"
    near = difflib.get_close_matches(value.lower(), axis.choices, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}expected one of {', '.join(axis.choices)}"
