"""The parts of the difference of two implementations: time by operator, and held memory.

The difference in time is that of the run's medians, in which no profiler ran. Its pieces are
differences of profiled time; what they do not add up to is not explained by the profile. Memory is
exact: its pieces add up to the difference of the two peaks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

from impls.interface import Problem
from reports.analysis.profile.memory import HeldAtPeak, at_peak
from reports.analysis.profile.operators import Operators, Row
from reports.analysis.profile.profiled_run import ProfiledRun
from reports.analysis.verdicts import VerdictRow
from suites.records.operator_kinds import FILLS, plain
from suites.records.profile import Profile

PRODUCTS: Final = "products"
WHOLE: Final = frozenset(("attention", "compiled code"))
"""Kinds whose kernels can contain the matrix products together with all other work."""
MOST_UNEXPLAINED: Final = 0.25
"""The share of a difference in time above which it counts as not explained by the profile."""
DIFFERS: Final = frozenset(("faster", "slower"))
"""Verdicts that show a difference in time."""
_WORK: Final = WHOLE | {
    PRODUCTS, "softmax and exponentials", "masks", "elementwise", "reductions", "copies",
}  # fmt: skip
"""Kinds that compute or move data; the others are the cost of calling them."""
_LEAST_WHOLE: Final = 0.5
"""The share of the work in such kernels above which a call is opaque: one kernel does it."""
_MOST_PRODUCTS: Final = 0.05
"""The share of matrix products beside these kernels from which they do not contain them."""
KEPT: Final = "preparation and the first call"
"""Source of memory that is kept: masks, weights, caches."""
NO_OPERATOR: Final = "Python"
"""Memory that is allocated outside of operators."""


class Amount(NamedTuple):
    """The amount of one operator at one source line: milliseconds, or bytes held at the peak.

    group  what it is compared as
    shape  of the largest tensor that is held, where it is known
    """

    group: str
    operator: str
    line: str
    value: float
    shape: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a difference: what is compared as one, in both implementations."""

    group: str
    own: tuple[Amount, ...]
    other: tuple[Amount, ...]

    @property
    def own_value(self) -> float:
        """The amount of the first implementation."""
        return sum(each.value for each in self.own)

    @property
    def other_value(self) -> float:
        """The amount of the second one."""
        return sum(each.value for each in self.other)

    @property
    def difference(self) -> float:
        """The first minus the second."""
        return self.own_value - self.other_value


@dataclass(frozen=True)
class TimeDifference:
    """The difference in time of two implementations on one problem, ms.

    judged  the verdict of the run's records; None: no session measured both
    """

    own: Operators
    other: Operators
    judged: VerdictRow | None

    @property
    def measured_ms(self) -> float:
        """The difference of the measured medians."""
        return self.own.measured_ms - self.other.measured_ms

    @property
    def is_shown(self) -> bool:
        """Whether the verdict shows a difference, so that its pieces have shares of it."""
        return self.judged is not None and self.judged.verdict in DIFFERS

    @cached_property
    def opaque(self) -> Operators | None:
        """The one of the two that is one kernel, where the other one is not; else None."""
        own, other = is_opaque(self.own), is_opaque(self.other)
        if own == other:
            return None
        return self.own if own else self.other

    @cached_property
    def pieces(self) -> list[Piece]:
        """The profiled differences, the largest first.

        By operator. Beside one opaque kernel by kind of operator: the whole kernel is compared with
        the products, because it contains its own.
        """
        return pieces(self._amounts(self.own), self._amounts(self.other))

    @property
    def profiled_ms(self) -> float:
        """The difference of the profiled calls: the sum of the pieces."""
        return sum(each.difference for each in self.pieces)

    @property
    def unexplained_ms(self) -> float:
        """The measured difference minus the sum of the pieces."""
        return self.measured_ms - self.profiled_ms

    @property
    def unexplained_share(self) -> float:
        """Its size beside that of the measured difference; infinite for no difference."""
        size = abs(self.measured_ms)
        return abs(self.unexplained_ms) / size if size else float("inf")

    def _amounts(self, side: Operators) -> Iterator[Amount]:
        for row in side.by_line:
            yield Amount(self._group(side, row), row.name, row.line, row.self_ns / 1e6)

    def _group(self, side: Operators, row: Row) -> str:
        whole = row.category in WHOLE and is_opaque(side)
        if self.opaque is not None:
            return PRODUCTS if whole else str(row.category)
        return "attention" if whole else plain(row.name)


@dataclass(frozen=True)
class MemoryDifference:
    """The difference of two peaks of memory, bytes; the pieces add up to it."""

    own: Profile
    other: Profile
    peaks: tuple[int, int]
    pieces: list[Piece]
    shared_bytes: int


def is_opaque(side: Operators) -> bool:
    """Whether one kernel, or one compiled graph, does most of the work, its products included."""
    shares = {row.name: row.share for row in side.by_category if row.name in _WORK}
    whole, work = sum(shares.get(kind, 0.0) for kind in WHOLE), sum(shares.values())
    return whole > _LEAST_WHOLE * work and shares.get(PRODUCTS, 0.0) < _MOST_PRODUCTS * work


def pair(found: ProfiledRun, problem: Problem) -> tuple[Profile, Profile] | None:
    """The profiles of the implementation and of the one it is compared with; None without both."""
    own = [each for each in found.profiles if each.problem == problem]
    if len(own) < 2:
        return None
    first, second = own[:2]
    named = found.analysis.plan.baseline == first.implementation
    return (second, first) if named else (first, second)


def time_difference(found: ProfiledRun, own: Profile, other: Profile) -> TimeDifference | None:
    """The difference in time; None where one of the two was not seen, failed, or has no times."""
    if any(not each.nodes or each.unseen or each.fault for each in (own, other)):
        return None
    if any(found.measurement(each) is None for each in (own, other)):
        return None
    sides = (Operators(own, found.analysis), Operators(other, found.analysis))
    return TimeDifference(*sides, judged=found.verdict(own))


def memory_difference(own: Profile, other: Profile) -> MemoryDifference | None:
    """The difference of the peaks; None where the memory of one of the two is not seen."""
    if own.memory is None or other.memory is None:
        return None
    held = (at_peak(own), at_peak(other))
    shared = _sizes(held[0]) & _sizes(held[1])
    return MemoryDifference(
        own=own,
        other=other,
        peaks=(own.memory.peak_bytes, other.memory.peak_bytes),
        pieces=pieces(
            _amounts(own.implementation, own.memory.kept_bytes, held[0], shared),
            _amounts(other.implementation, other.memory.kept_bytes, held[1], shared),
        ),
        shared_bytes=sum(size * count for (size, _), count in shared.items()),
    )


def pieces(own: Iterable[Amount], other: Iterable[Amount]) -> list[Piece]:
    """The pieces of a difference by group, the largest first; those without any are left out."""
    sides = (_by_group(own), _by_group(other))
    groups = dict.fromkeys(group for side in sides for group in side)
    found = [Piece(group, *(tuple(side.get(group, ())) for side in sides)) for group in groups]
    kept = [each for each in found if each.own_value or each.other_value]
    return sorted(kept, key=lambda each: -abs(each.difference))


def _by_group(amounts: Iterable[Amount]) -> dict[str, list[Amount]]:
    found: dict[str, list[Amount]] = {}
    for each in amounts:
        found.setdefault(each.group, []).append(each)
    for own in found.values():
        own.sort(key=lambda each: -each.value)
    return found


_Size = tuple[int, str]
"""Bytes of a tensor with the sorted lengths of its axes but those of 1, and its dtype."""


def _sizes(held: Iterable[HeldAtPeak]) -> Counter[_Size]:
    """The count of held tensors by size and known shape."""
    found: Counter[_Size] = Counter()
    for each in held:
        if each.shape:
            found[_size(each)] += each.count
    return found


def _size(each: HeldAtPeak) -> _Size:
    lengths, _, dtype = each.shape.partition(" ")
    axes = sorted(length for length in lengths.split("x") if length != "1")
    return each.bytes // each.count, f"{'x'.join(axes)} {dtype}"


def _amounts(
    name: str, kept_bytes: int, held: Iterable[HeldAtPeak], shared: Counter[_Size]
) -> Iterator[Amount]:
    """Held memory of an implementation, without tensors of a size and shape that both hold."""
    left = Counter(shared)
    for each in held:
        size = _size(each)
        count = min(each.count, left[size]) if each.shape else 0
        left[size] -= count
        if rest := each.bytes - count * size[0]:
            yield Amount(_allocated_by(each, name), each.operator, each.line, rest, each.shape)
    if kept_bytes:
        yield Amount(KEPT, KEPT, "", kept_bytes)


def _allocated_by(each: HeldAtPeak, name: str) -> str:
    """The operator; one that only allocates says nothing, so it is compared with no other's."""
    if not each.operator:
        return NO_OPERATOR
    own = each.operator.partition(" ")[0]  # without "in backward"
    return f"{each.operator} of {name}" if plain(own) in FILLS else plain(each.operator)


Merged = tuple[list[Piece], list[Piece]]
"""Pieces that are shown alone, and those that are shown as one."""


def merged(every: Sequence[Piece], least: float, most: int) -> Merged:
    """The largest pieces, at most so many, and the others; one piece alone is never merged.

    least  the share of the largest piece below which a piece is among the others
    """
    size = least * max((abs(each.difference) for each in every), default=0.0)
    count = min(most, sum(abs(each.difference) >= size for each in every))
    if len(every) - count == 1:
        return list(every), []
    return list(every[:count]), list(every[count:])
