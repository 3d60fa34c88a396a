"""Calls that may raise: a function that states no limits refuses sizes by an exception."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, eq=False)
class Raised:
    """The exception that a call raised."""

    error: Exception


def attempt(call: Callable[[], Result]) -> Result | Raised:
    """The result of a call, or the exception that it raised; running out of memory is raised."""
    try:
        return call()
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - an implementation refuses by any exception
        return Raised(error)
