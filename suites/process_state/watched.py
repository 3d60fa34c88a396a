"""One part of the process state: how to read it, restore it and describe a change of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

_MOST_KEYS: Final = 3
"""A message lists this many names and counts the others."""


@dataclass(frozen=True, slots=True)
class Watched:
    """One part of the process state.

    name      its name in messages
    read      returns the current value
    restore   sets an earlier value again; None if torch or the system has no way to do that
    describe  the message for two values that differ; empty if the change harms no other
              implementation. None: the default message, see `change`
    quick     it is verified between all turns of the rounds, so `read` must take about 1 us
    put_back  a change is restored at once and is no fault: libraries make it for their own threads
    """

    name: str
    read: Callable[[], Any]
    restore: Callable[[Any], object] | None = None
    describe: Callable[[Any, Any], str] | None = None
    quick: bool = False
    put_back: bool = False

    def change(self, before: Any) -> str:
        """The message for a change since `before`; empty if there is none.

        A part that is `put_back` has none: it is restored here.

        The default message prints the values before and after. For a dictionary it prints the
        changed keys, and new keys are no change.
        """
        now = self.read()
        if now == before:
            return ""
        if self.put_back and self.restore is not None:
            self.restore(before)
            return ""
        if self.describe:
            return self.describe(before, now)
        if not isinstance(before, dict):
            return f"changed {self.name} from {before} to {now}"
        keys = [key for key in before if key not in now or now[key] != before[key]]
        return f"changed {self.name} ({listed(keys)})" if keys else ""


def settings(
    name: str,
    pairs: Mapping[str, tuple[Callable[[], Any], Callable[[Any], object]]],
    *,
    quick: bool = False,
) -> Watched:
    """One part that consists of several settings, each with its getter and setter."""

    def read() -> dict[str, Any]:
        return {key: getter() for key, (getter, _) in pairs.items()}

    def restore(before: dict[str, Any]) -> None:
        for key, (_, setter) in pairs.items():
            setter(before[key])

    return Watched(name, read, restore, quick=quick)


def listed(names: Iterable[object]) -> str:
    """The first names, and the number of the others."""
    every = [*map(str, names)]
    others = len(every) - _MOST_KEYS
    return ", ".join(every[:_MOST_KEYS]) + (f" and {others} more" if others > 0 else "")
