"""One rank's part of a call that a group of processes computes together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from suites.records.codec import STRICT, Bytes, Count, Milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class OnRank:
    """One rank's part of a call; in training, of forward and backward.

    rank              its number, from 0
    call_ms           median time of the call on this rank; the call's own time is the slowest
                      rank's of each sample
    sent_bytes        that it sent to other ranks in one call
    peak_bytes        requested bytes above its parts of the inputs
    communication_ms  the transfers of one call alone, without arithmetic; None: not measured
    arithmetic_ms     one call with transfers that move nothing; None: not measured
    """

    __pydantic_config__: ClassVar = STRICT

    rank: Count
    call_ms: Milliseconds | None = None
    sent_bytes: Bytes | None = None
    peak_bytes: Bytes | None = None
    communication_ms: Milliseconds | None = None
    arithmetic_ms: Milliseconds | None = None

    @property
    def overlap(self) -> float | None:
        """Share of the shorter of communication and arithmetic that the other one hides.

        1: the call takes as long as the longer of the two; 0: as long as both in turn. None where
        one of them was not measured or is zero.
        """
        shorter = min(self.communication_ms or 0.0, self.arithmetic_ms or 0.0)
        if not shorter or self.call_ms is None:
            return None
        both = (self.communication_ms or 0.0) + (self.arithmetic_ms or 0.0)
        return (both - self.call_ms) / shorter
