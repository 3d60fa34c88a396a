"""Settings of a run, each declared once with its command-line option.

The command line, its help, the plan, the check of `--resume` and the reports read this declaration.
A new setting is a new field here, and whatever uses it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any, ClassVar, Final, get_type_hints

from suites.records.option import (
    Option,
    fraction,
    numbers,
    nvidia_device,
    on_off,
    one_of,
    positive,
    whole,
)

MOST_SESSIONS: Final = 1000
"""More is a typing error: a session takes seconds to minutes."""
GIB: Final = 2**30


# Functions, because a lambda in an annotation does not see the names of this module.
def _plain(value: float) -> str:
    return repr(value).removesuffix(".0")


def _on_off_text(value: bool) -> str:  # noqa: FBT001 - the value of an option
    return "on" if value else "off"


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
    cuda_device      the NVIDIA device, an index or a UUID as typed; "": the first visible one
    tail             whether every sample is one call, of which there are enough for percentiles
    sustained        whether calls on a GPU are also timed after seconds without a pause
    keep_compiled    whether code that torch compiled stays from one problem to the next, as in a
                     server; else each problem is compiled for itself
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
    cuda_device: Annotated[
        str,
        Option(
            name="--cuda-device",
            metavar="N",
            help="The NVIDIA device, an index or a UUID, as --device cuda:1.",
            parse=nvidia_device,
            labels=True,
        ),
    ] = ""
    tail: Annotated[
        bool,
        Option(
            name="--tail",
            metavar="",
            help="Time call by call, on a CPU, for p50, p95 and p99.",
            parse=on_off,
            text=_on_off_text,
            default="off",
            labels=True,
            flag=True,
        ),
    ] = False
    sustained: Annotated[
        bool,
        Option(
            name="--sustained",
            metavar="",
            help="Also time calls of 1 ms and more on a GPU under load, with energy: 2 s each.",
            parse=on_off,
            text=_on_off_text,
            default="off",
            flag=True,
        ),
    ] = False

    keep_compiled: Annotated[
        bool,
        Option(
            name="--keep-compiled",
            metavar="",
            help="Keep compiled code from one problem to the next, as in a server.",
            parse=on_off,
            text=_on_off_text,
            default="off",
            labels=True,
            flag=True,
        ),
    ] = False

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
