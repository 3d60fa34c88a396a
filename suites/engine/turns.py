"""Turns in the rounds: before each, the process state after the last one is verified."""

from __future__ import annotations

import gc
from typing import Final

from impls.interface import Problem
from suites.engine.messages import Rest, TakeTurns
from suites.engine.pipe import Sender, Turns
from suites.measure import device_errors
from suites.process_state.state import ProcessState

LOOKS: Final = 2
"""Rounds in which the whole state is compared between two turns; later ones compare a part."""


class WatchedTurns:
    """Announces turns to the parent, each after the state that the last one left is verified.

    before  the process state that has to stay
    names   the implementations, by the index that is announced
    """

    def __init__(
        self, sender: Sender, problem: Problem, names: list[str], before: ProcessState
    ) -> None:
        self.before = before
        self._sender, self._names = sender, names
        message = TakeTurns(problem=problem, implementations=tuple(names))
        self._turns: Turns = sender.turns(message)
        self._looks_left = LOOKS * len(names)

    @property
    def latest(self) -> str | None:
        """The implementation at work, or the last one; None after the end of all turns."""
        index = self._turns.latest
        return None if index is None else self._names[index]

    def announce(self, index: int) -> None:
        """This one is at work.

        Raises DisturbedError for what the one before it changed, and errors of its kernels.
        """
        device_errors.synchronize()
        self._looks_left -= 1
        if self._looks_left >= 0:
            self.before.verify()
        else:
            self.before.verify_quickly()
        gc.disable()  # the one before may have enabled it
        self._turns.announce(index)

    def pause(self) -> None:
        """No implementation of this process is at work: another process has its turn.

        Raises as `announce`.
        """
        device_errors.synchronize()
        self.before.verify_quickly()
        self._turns.rest()

    def end(self) -> None:
        """End all turns. Raises as `announce`; `latest` is None where the turn is not known."""
        device_errors.synchronize()
        self.before.verify_quickly()
        self._turns.latest = None
        self._sender.send(Rest())
        self.before.verify()
