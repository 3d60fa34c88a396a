"""Calls that may raise: a function that states no limits refuses sizes by an exception."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from suites.measure.device_errors import ends_cuda, is_out_of_memory
from suites.measure.group_errors import GroupError

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, eq=False)
class Raised:
    """The exception that a call raised."""

    error: Exception


class OtherDeviceError(Exception):
    """The check handed over a tensor on another device than the problem's: a fault of the check."""


def attempt(call: Callable[[], Result]) -> Result | Raised:
    """The result of a call, or the exception that it raised.

    Raises errors that refuse no size: too little memory, the end of the use of CUDA or of a group
    of processes, and faults of the check itself.
    """
    try:
        return call()
    except Exception as error:
        if concerns_the_process(error):
            raise
        return Raised(error)  # an implementation refuses by any exception


def concerns_the_process(error: Exception) -> bool:
    """Whether no size is refused: no memory, no CUDA, a fault of the check, a group that ended."""
    if isinstance(error, GroupError) and (error.ended or error.status == "out_of_memory"):
        return True
    no_fault = isinstance(error, (MemoryError, OtherDeviceError))
    return no_fault or is_out_of_memory(error) or ends_cuda(error)
