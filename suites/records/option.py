"""Options of the command line: how a value is typed, parsed and shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

MOST: Final = 1e6
"""A limit or a number of heads from which on it is a typing error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """How a value is given on the command line.

    name     as typed
    metavar  what stands for the value in the help
    help     one line
    parse    text to value; raises ValueError that says what was expected
    text     value to text that `parse` reads back; not for None
    default  as the help shows it; empty where it depends on the suite or the machine
    repeat   whether it may be given several times
    labels   whether titles of figures and commands that repeat them name a value that is not the
             default
    unit     of the text, for people who read it without the help
    flag     whether it is typed without a value, which stands for the text `on`
    """

    name: str
    metavar: str
    help: str
    parse: Callable[[str], Any] = str
    text: Callable[[Any], str] = str
    default: str = ""
    repeat: bool = False
    labels: bool = False
    unit: str = ""
    flag: bool = False

    @property
    def title(self) -> str:
        """The name without dashes, for pages and titles of figures."""
        return self.name.removeprefix("--")

    def shown(self, value: Any) -> str:
        """The text of a value with its unit."""
        return f"{self.text(value)} {self.unit}".rstrip()

    def typed(self, value: Any) -> tuple[str, ...]:
        """The words of a command line that give it this value."""
        return (self.name,) if self.flag else (self.name, self.text(value))

    def value(self, text: str) -> Any:
        """The value of a text. Raises ValueError that names the option."""
        try:
            return self.parse(text)
        except ValueError as error:
            raise ValueError(f"{self.name} is {text!r}, {error}") from None


def one_of(*words: str) -> Callable[[str], str]:
    """A parser of one of some words."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"expected one of {', '.join(words)}")
        return text

    return parse


def whole(most: float) -> Callable[[str], int]:
    """A parser of whole numbers from 1 up to `most`."""

    def parse(text: str) -> int:
        if not (text.isdecimal() and 1 <= int(text) <= most):
            raise ValueError(f"expected a whole number from 1 to {most:g}")
        return int(text)

    return parse


def positive(unit: float = 1.0) -> Callable[[str], float]:
    """A parser of numbers above 0, multiplied by `unit`."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = 0.0
        if not 0 < value < MOST:
            raise ValueError(f"expected a number above 0 and below {MOST:g}")
        return value * unit

    return parse


def fraction(text: str) -> float:
    """A part as `1%` or `0.01`. Raises ValueError for anything else, and for 0 and 1."""
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 < value < 1:
        raise ValueError("expected a part of the time like 1% or 0.01")
    return value


def on_off(text: str) -> bool:
    """Whether the text is `on`. Raises ValueError for anything but `on` and `off`."""
    return one_of("on", "off")(text) == "on"


def nvidia_device(text: str) -> str:
    """An index as torch counts them, or a UUID as nvidia-smi -L prints it."""
    if not re.fullmatch(r"\d{1,3}|(GPU|MIG)-[0-9A-Za-z/-]+", text):
        raise ValueError("expected an index like 1, or a UUID like GPU-7b3f1a52 or MIG-7b3f1a52")
    return text


def numbers(text: str) -> tuple[int, ...]:
    """Numbers from 1 up, in order: `1,2`. Raises ValueError for a number given twice."""
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and int(word) for word in words):
        raise ValueError("expected numbers from 1 up, like 1,2")
    found = tuple(sorted(map(int, words)))
    if len(set(found)) < len(found):
        raise ValueError("a number is given twice; expected each once")
    return found
