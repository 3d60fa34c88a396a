"""Slips: common mistakes in attention functions, as outputs that each of them would give."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from torch import Tensor

from suites.agreement.observation import Observation


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The cause of a fault.

    slip      key of the mistake, one of a closed set
    sentence  what was found, with the first place where it shows
    cure      the line to change, or the Limits to state
    """

    slip: str
    sentence: str
    cure: str

    def reason(self, evidence: str) -> str:
        """The sentence, with the measured evidence in parentheses."""
        return f"{self.sentence} ({evidence})"


@dataclass(frozen=True, slots=True)
class Suspect:
    """A mistake that may explain an observation.

    outputs  makes the outputs of attention with this mistake, in order; None: the mistake has been
             established from the outputs already
    """

    diagnosis: Diagnosis
    outputs: Callable[[], Iterable[Tensor]] | None = None

    def explains(self, observation: Observation) -> bool:
        """Whether the outputs agree with it far better than with the reference."""
        return self.outputs is None or observation.is_explained_by(self.outputs())

    def agrees(self, observation: Observation) -> bool:
        """Whether the outputs agree with it, be they right or wrong."""
        return self.outputs is None or observation.agrees_with(self.outputs())


@dataclass(frozen=True, slots=True)
class Slip:
    """A family of mistakes.

    order     its place: specific families come before those that fit more outputs
    keys      of all its mistakes
    suspects  the mistakes that are possible on the observed problem, specific ones first
    """

    order: int
    keys: tuple[str, ...]
    suspects: Callable[[Observation], Iterator[Suspect]]
