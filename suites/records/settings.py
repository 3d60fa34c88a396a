"""Settings of a run, each declared once with its command-line option.

The command line, its help, the plan, the check of `--resume` and the reports read this declaration.
A new setting is a new field here, and whatever uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any, ClassVar, Final, get_type_hints

MOST: Final = 1e6
"""A limit or a number of heads from which on it is a typing error."""
MOST_SESSIONS: Final = 1000
"""More is a typing error: a session takes seconds to minutes."""
GIB: Final = 2**30


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

    @property
    def title(self) -> str:
        """The name without dashes, for pages and titles of figures."""
        return self.name.removeprefix("--")

    def shown(self, value: Any) -> str:
        """The text of a value with its unit."""
        return f"{self.text(value)} {self.unit}".rstrip()

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


def numbers(text: str) -> tuple[int, ...]:
    """Numbers from 1 up, in order: `1,2`. Raises ValueError for a number given twice."""
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and int(word) for word in words):
        raise ValueError("expected numbers from 1 up, like 1,2")
    found = tuple(sorted(map(int, words)))
    if len(set(found)) < len(found):
        raise ValueError("a number is given twice; expected each once")
    return found


# Functions, because a lambda in an annotation does not see the names of this module.
def _plain(value: float) -> str:
    return repr(value).removesuffix(".0")


def _gib(text: str) -> int:
    return int(positive(GIB)(text))


def _gib_text(value: int) -> str:
    return _plain(value / GIB)


def _minutes_text(value: float) -> str:
    return _plain(value / 60)


def _numbers_text(value: tuple[int, ...]) -> str:
    return ",".join(map(str, value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a run measures.

    sessions         timed sessions for each number of threads; with a precision, at most
    precision        half-width of every ratio's interval, relative, that ends the sessions of a
                     problem; None: all sessions
    delta            the smallest relative difference that counts
    cache            hot: calls follow each other; cold: caches are emptied before each call
    allocator        default or retain: whether the C library keeps freed memory
    time_limit_s     seconds that one implementation may spend on one problem, in one process
    prepare_limit_s  seconds that it may prepare and compile for it besides
    memory_limit     bytes that one call may add
    budget_s         wall time of the whole run; None is unbounded
    threads          OpenMP threads, bound to CPUs: sessions take these numbers in turn
    """

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid", "strict": True}

    sessions: Annotated[
        int,
        Option(
            name="--sessions",
            metavar="N",
            help="Fresh processes that time every problem; 5, with --problem 2 to 5, as many as "
            "end soon.",
            parse=whole(MOST_SESSIONS),
        ),
    ]
    precision: Annotated[
        float | None,
        Option(
            name="--precision",
            metavar="PART",
            help="Half-width of a ratio's interval, as 1%, that ends the sessions of a problem; "
            "--sessions, by default 20, is then the most.",
            parse=fraction,
        ),
    ] = None
    delta: Annotated[
        float,
        Option(
            name="--delta",
            metavar="PART",
            help="The smallest difference that counts.",
            parse=fraction,
            default="1%",
        ),
    ] = 0.01
    cache: Annotated[
        str,
        Option(
            name="--cache",
            metavar="STATE",
            help="hot, or cold: emptied before each call.",
            parse=one_of("hot", "cold"),
            default="hot",
            labels=True,
        ),
    ] = "hot"
    allocator: Annotated[
        str,
        Option(
            name="--allocator",
            metavar="NAME",
            help="default, or retain: freed memory is kept.",
            parse=one_of("default", "retain"),
            default="default",
            labels=True,
        ),
    ] = "default"
    time_limit_s: Annotated[
        float,
        Option(
            name="--time-limit",
            metavar="S",
            help="Seconds that one implementation may spend on one problem.",
            parse=positive(),
            text=_plain,
            default="60",
        ),
    ] = 60.0
    prepare_limit_s: Annotated[
        float,
        Option(
            name="--prepare-limit",
            metavar="S",
            help="Seconds that it may prepare and compile besides.",
            parse=positive(),
            text=_plain,
            default="300",
        ),
    ] = 300.0
    memory_limit: Annotated[
        int,
        Option(
            name="--memory-limit",
            metavar="GIB",
            help="GiB that one call may add; 80 % of what is available.",
            parse=_gib,
            text=_gib_text,
        ),
    ]
    budget_s: Annotated[
        float | None,
        Option(
            name="--budget",
            metavar="MIN",
            help="Minutes for the whole run.",
            parse=positive(60.0),
            text=_minutes_text,
        ),
    ] = None
    threads: Annotated[
        tuple[int, ...],
        Option(
            name="--threads",
            metavar="LIST",
            help="OpenMP threads, bound to CPUs: 1,2; by default as many as there are.",
            parse=numbers,
            text=_numbers_text,
        ),
    ]

    def labels(self) -> Iterator[tuple[Option, Any]]:
        """Every setting that labels figures and is not at its default, with its value."""
        for field, option in labelling().items():
            value = getattr(self, field)
            if option.text(value) != option.default:
                yield option, value


@cache
def options() -> dict[str, Option]:
    """The option of every setting, by field, in the order of the declaration."""
    hints = get_type_hints(Settings, include_extras=True)
    return {field.name: hints[field.name].__metadata__[0] for field in fields(Settings)}


@cache
def labelling() -> dict[str, Option]:
    """The settings that label figures, by field."""
    return {field: option for field, option in options().items() if option.labels}
