"""Calls that may raise: a function that states no limits refuses sizes by an exception."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from suites.measure.device_errors import ends_cuda, is_out_of_memory

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, eq=False)
class Raised:
    """The exception that a call raised."""

    error: Exception


def attempt(call: Callable[[], Result]) -> Result | Raised:
    """The result of a call, or the exception that it raised.

    Raises errors that refuse no size: too little memory, and the end of the use of CUDA.
    """
    try:
        return call()
    except Exception as error:
        if concerns_the_process(error):
            raise
        return Raised(error)  # an implementation refuses by any exception


def concerns_the_process(error: Exception) -> bool:
    """Whether further calls in this process say nothing: no memory is left, or no CUDA."""
    return isinstance(error, MemoryError) or is_out_of_memory(error) or ends_cuda(error)
