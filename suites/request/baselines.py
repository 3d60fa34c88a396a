"""The default baselines of a plan: a kernel of a vendor for each device, never one of ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from impls.interface import Problem
from suites.records.plan import Entry

VENDORS: Final = ("sdpa_flash", "sdpa_cudnn", "sdpa_efficient", "sdpa_math")
"""The kernels that models call, the usual one first; each is torch's or NVIDIA's."""


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
    """The wanted ones and VENDORS that accept any of these problems; see `by_device`.

    Of VENDORS, those that accept more problems come first.

    One baseline for all problems keeps their ratios comparable, so a kernel that accepts every
    problem precedes a faster one that does not.
    """
    able = {entry.name: entry for entry in entries if not entry.missing and not entry.fault}
    accepted = {
        name: sum(not able[name].refusals(problem, capability) for problem in problems)
        for name in (*wanted, *VENDORS)
        if name in able
    }
    return tuple(
        sorted(
            filter(accepted.get, accepted),
            key=lambda name: (name not in wanted, name not in wanted and -accepted[name]),
        )
    )
