"""Figures of a step: each with its expectation, and the reason for it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

Value = str | float | None


class NotPossibleError(Exception):
    """The step needs something that this machine lacks; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The device under test.

    device        its kind
    memory_bytes  of the device; the sizes of problems follow it
    half          a half-precision dtype that its fused kernels take, as in the text of a problem
    chosen        the device among several, as an index or a UUID; "": the first. Processes see no
                  other one.
    """

    device: str
    memory_bytes: int
    half: str = "bf16"
    chosen: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure of a step.

    value     a number or text; None: not measured
    unit      of a number
    expected  the expectation; empty: none
    reason    why this is expected
    holds     whether it holds; None without an expectation
    """

    name: str
    value: Value
    unit: str = ""
    expected: str = ""
    reason: str = ""
    holds: bool | None = None

    @property
    def text(self) -> str:
        """Name, value and unit."""
        value = f"{self.value:.4g}" if isinstance(self.value, float) else str(self.value)
        return f"{self.name}: {' '.join(filter(None, (value, self.unit)))}"

    @property
    def fault(self) -> str:
        """The figure, the expectation and its reason; empty where the expectation holds."""
        if self.holds is not False:
            return ""
        return f"{self.text}; expected {self.expected}: {self.reason}"

    def as_data(self) -> dict[str, Any]:
        """The figure as plain data."""
        return asdict(self)

    @classmethod
    def of_data(cls, data: dict[str, Any]) -> Self:
        """The figure that `as_data` gave."""
        return cls(**data)
