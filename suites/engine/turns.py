"""Turns in the rounds, each of which has to leave the process as it was for the next."""

from __future__ import annotations

import gc
from typing import Final

from suites.engine.messages import Sender, Turns
from suites.process_state.state import ProcessState

LOOKS: Final = 2
"""In so many rounds everything is looked at between two turns; after them there are glances."""


class WatchedTurns:
    """Whose turn it is, told to the parent once the turn before is known to have done no harm.

    before  the process as it has to stay
    names   whose turns come, by the index that is announced
    """

    def __init__(
        self, sender: Sender, problem: str, names: list[str], before: ProcessState
    ) -> None:
        self.before = before
        self._sender, self._names = sender, names
        self._turns: Turns = sender.turns(problem, names)
        self._looks_left = LOOKS * len(names)

    @property
    def latest(self) -> str | None:
        """Whose turn it is, or was the latest; None where it is to be blamed on nobody."""
        index = self._turns.latest
        return None if index is None else self._names[index]

    def announce(self, index: int) -> None:
        """It is this one's turn. Raises DisturbedError for what was done in the one before."""
        self._looks_left -= 1
        if self._looks_left >= 0:
            self.before.verify()
        else:
            self.before.verify_quickly()
        gc.disable()  # whoever had the turn may have enabled it
        self._turns.announce(index)

    def end(self) -> None:
        """All turns are over. Raises DisturbedError, which is nobody's where no glance shows it."""
        self.before.verify_quickly()
        self._turns.latest = None
        self._sender.send("rest")
        self.before.verify()
