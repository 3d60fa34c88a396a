"""The default baselines of a plan: a kernel of a vendor for each device, never one of ours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from impls.interface import Problem
from suites.records.plan import Entry

VENDORS: Final = ("sdpa_flash", "sdpa_cudnn", "sdpa_efficient", "sdpa_math")
"""The kernels that models call, the usual one first; each is torch's or NVIDIA's."""
RING: Final = "ring"
"""The function of a group that people compare with (arXiv 2310.01889)."""


def by_device(
    entries: Sequence[Entry],
    problems: Sequence[Problem],
    capability: tuple[int, int] | None,
    wanted: Sequence[str] = (),
) -> dict[str, tuple[str, ...]]:
    """The baselines of each device that has problems, the first choice first.

    wanted  names before VENDORS, in order
    """
    return {
        device: ordered(entries, [p for p in problems if p.device == device], capability, wanted)
        for device in dict.fromkeys(problem.device for problem in problems)
    }


def ordered(
    entries: Sequence[Entry],
    problems: Sequence[Problem],
    capability: tuple[int, int] | None,
    wanted: Sequence[str] = (),
) -> tuple[str, ...]:
    """The wanted ones, VENDORS and functions of groups that accept any of these; see `by_device`.

    Of VENDORS, those that accept more problems come first. None of them accepts a problem with
    ranks, for which `ring` is the baseline, or the first function of a group without it.

    One baseline for all problems keeps their ratios comparable, so a kernel that accepts every
    problem precedes a faster one that does not.
    """
    able = {entry.name: entry for entry in entries if not entry.missing and not entry.fault}
    accepted = {
        name: sum(not able[name].refusals(problem, capability) for problem in problems)
        for name in (*wanted, *VENDORS, *_of_groups(able.values()))
        if name in able
    }

    def place(name: str) -> tuple[int, int]:
        if name in wanted:
            return 0, 0
        return (1, -accepted[name]) if name in VENDORS else (2, 0)

    return tuple(sorted(filter(accepted.get, accepted), key=place))


def _of_groups(entries: Iterable[Entry]) -> list[str]:
    """The functions of groups, RING first."""
    names = [entry.name for entry in entries if any(limits.ranks for limits in entry.limits)]
    return sorted(names, key=lambda name: name != RING)
