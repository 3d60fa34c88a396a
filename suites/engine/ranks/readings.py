"""What each rank of a group did, as a record has it."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from impls.interface import Implementation, Problem
from suites.engine.ranks.group_call import Ranks
from suites.engine.ranks.messages import Reply
from suites.measure.inputs import Inputs, make_inputs
from suites.records.on_rank import OnRank


def ranks_of(each: Implementation) -> Ranks | None:
    """How an implementation is called in its processes; None for one process."""
    return each.group_call if isinstance(each.group_call, Ranks) else None


def in_check(ranks: Ranks, problem: Problem, seed: int) -> tuple[OnRank, ...]:
    """Sent bytes and peak memory of every rank."""
    inputs = make_inputs(problem, purpose="check", seed=seed)
    replies = ranks.count_bytes(problem, inputs)
    return tuple(OnRank(rank=rank, **each.found) for rank, each in enumerate(replies))


def in_session(
    ranks: Ranks, problem: Problem, inputs: Inputs, samples: Sequence[Sequence[float]]
) -> tuple[OnRank, ...]:
    """The times of every rank: of the calls, of the transfers alone, of the arithmetic alone.

    samples  milliseconds of one call, for each sample by rank
    """
    replies: Sequence[Reply] = ranks.time_parts(problem, inputs)
    return tuple(
        OnRank(
            rank=rank,
            call_ms=median(sample[rank] for sample in samples) if samples else None,
            **each.found,
        )
        for rank, each in enumerate(replies)
    )


def peak_bytes(found: Sequence[OnRank]) -> int | None:
    """The largest rank's peak memory; None where it is not known."""
    peaks = [each.peak_bytes for each in found]
    return max((each for each in peaks if each is not None), default=None)
