"""A workload: the attention calls of somebody's script, as a file of JSON lines.

The first line is the `Header`. Every other line is a `Recorded` call, which many calls share that
are equal in all but their values, or an `Unrecorded` one, which the grammar cannot express.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from suites.records.codec import Count, Milliseconds, ProblemText, from_json, message, to_json

FORMAT: Final = "attnbench workload"
VERSION: Final = 1


@message
class Header:
    """Where a workload comes from.

    command    the script with its arguments
    machine    facts of the machine and versions, by name
    processes  Python processes that called attention
    steps      steps of the script: optimizer steps, or as stated; 1 is the whole script
    step_ms    wall times of single steps without the first one, or of the whole script
    ended      how the script ended, as "exit status 0"
    """

    format: str = FORMAT
    version: int = VERSION
    command: str
    machine: dict[str, Any]
    processes: Count = 1
    steps: Count = 1
    step_ms: tuple[Milliseconds, ...] = ()
    ended: str = ""


@message
class Recorded:
    """Calls of one problem from one place.

    count      in the whole script
    place      file, line and function that made them
    by         the function that was called: scaled_dot_product_attention
    took_ms    all of them together, forward
    backward_ms  all of their backward passes together; None: not seen
    first_ms   the first call, forward, with compilation and other set-up, which took_ms leaves
               out; the only call has it in both. None: not timed
    threads    OpenMP threads of the process
    grad       whether gradients were recorded: a call in training mode may take none
    strides    of q, k and v in elements
    mask       how the mask came: none, is_causal, bool, additive, lengths, block mask
    """

    problem: ProblemText
    count: Count
    place: str
    by: str
    took_ms: Milliseconds
    backward_ms: Milliseconds | None = None
    first_ms: Milliseconds | None = None
    threads: Count = 1
    grad: bool = False
    strides: tuple[tuple[int, ...], ...] = ()
    mask: str = "none"


@message
class Unrecorded:
    """Calls that the grammar cannot express, from one place.

    unexpressed  what it cannot express, as "dropout 0.1", "dense mask"
    took_ms      all of them together, forward and backward
    backward_ms  the part of took_ms in backward passes; None: not seen
    first_ms     the first call, forward; None: not timed
    training     whether their backward passes took place
    shapes       of q, k and v
    """

    unexpressed: str
    count: Count
    place: str
    by: str
    took_ms: Milliseconds
    backward_ms: Milliseconds | None = None
    first_ms: Milliseconds | None = None
    training: bool = False
    shapes: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """The content of a workload file."""

    header: Header
    calls: tuple[Recorded, ...] = ()
    others: tuple[Unrecorded, ...] = ()

    def lines(self) -> list[str]:
        """The lines of its file."""
        return [to_json(each) for each in (self.header, *self.calls, *self.others)]


_SDPA: Final = "scaled_dot_product_attention"
_BACKENDS: Final = ("flash", "efficient", "math", "cudnn")
_MEASURED_BY: Final = {
    _SDPA: "sdpa",
    **{f"{_SDPA} ({backend})": f"sdpa_{backend}" for backend in _BACKENDS},
    "flex_attention": "flex",
    "flash_attn_func": "flash_attn",
    "flash_attn_varlen_func": "flash_attn",
    "memory_efficient_attention": "xformers",
}


def measured_by(function: str) -> str:
    """The implementation that makes the same call as a recorded function; empty: none does.

    function  as `by` of a line
    """
    return _MEASURED_BY.get(function.rpartition(".")[2], "")


def is_pinned(function: str) -> bool:
    """Whether it is scaled_dot_product_attention within a context for one backend."""
    return function.rpartition(".")[2].startswith(f"{_SDPA} (")


MAKE_ONE: Final = "make one with python run_bench.py record -- python my_script.py"


def read(path: Path) -> Workload:
    """The workload of a file.

    Raises ValueError with one line for a file that cannot be read, of a newer version, or without
    attention, and for a line that is not understood, with its number.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist; {MAKE_ONE}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    filled = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not filled or f'"{FORMAT}"' not in filled[0][1]:
        raise ValueError(f"{path} is no workload: its first line has no {FORMAT!r}; {MAKE_ONE}")
    header, *every = (_parsed(path, number, line) for number, line in filled)
    if not isinstance(header, Header):
        raise ValueError(f"{path} is no workload: its first line is no header")  # noqa: TRY004 - a wrong value
    calls = tuple(each for each in every if isinstance(each, Recorded))
    others = tuple(each for each in every if isinstance(each, Unrecorded))
    if not calls and not others:
        raise ValueError(f"{path} has no attention call; expected one or more")
    return Workload(header=header, calls=calls, others=others)


def _parsed(path: Path, number: int, line: str) -> Header | Recorded | Unrecorded:
    try:
        found: Header | Recorded | Unrecorded = from_json(_kind_of(json.loads(line)), line)
    except ValueError as error:
        raise ValueError(f"{path}, line {number}: {error}") from None
    return found


def _kind_of(data: Any) -> type[Header | Recorded | Unrecorded]:
    """The class of a line. Raises ValueError for a newer version, and for another value."""
    if not isinstance(data, dict):
        raise ValueError(f"expected an object, found {data!r}")  # noqa: TRY004 - one error for all
    if "format" not in data:
        return Unrecorded if "unexpressed" in data else Recorded
    if data["format"] != FORMAT or data.get("version", 0) > VERSION:
        raise ValueError(
            f"format {data['format']!r}, version {data.get('version')!r}; expected {FORMAT!r}, "
            f"version {VERSION} at most: update attnbench, or record the script again"
        )
    return Header
