"""Selection of an instrument by device; a device without one is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

Instrument = TypeVar("Instrument")


def instrument_for(device: str, table: Mapping[str, Instrument]) -> Instrument:
    """The entry of a device. Raises ValueError for a device without one, such as mps.

    table  an instrument for each kind of device that has one
    """
    if device not in table:
        raise ValueError(
            f"device {device!r} has no clock and no memory counter in this program yet; "
            f"expected one of {', '.join(table)}"
        )
    return table[device]
