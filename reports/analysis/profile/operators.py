"""Operators of a profile: their time, their rates, and the part of the machine's ceilings.

On a CPU the time of an operator is its self time, and the rest of the call is Python. On a GPU it
is the time of the kernels that the operator launches, and the rest of the call is idle time of the
device; the host's time in operators and in Python is launching. This never ran on a GPU.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import median
from typing import Final

from reports.analysis.profile.tree import Tree
from reports.analysis.run_analysis import Analysis
from reports.rows.measurements import Measurement
from reports.rows.panels import ATTENTION
from reports.rows.sessions import median_ceilings
from suites.records.operator_kinds import OperatorKind, kind_of, kind_of_kernel
from suites.records.profile import ROOT, Node, Profile
from suites.stats.ceilings import Ceiling, work

IDLE: Final = "idle device"
"""Time of a call on a GPU in which no kernel runs."""
PYTHON: Final = "Python"
"""Time of a call in which no operator runs."""
_BY_FLOPS: Final = ("products", "attention")
"""Kinds beside the ceiling of matrix products; others are beside the memory bandwidth."""
_MOST: Final = 0.9
"""Share of the time of compiled code from which one kernel is taken for all of it."""

Category = OperatorKind | str
"""The kind of an operator, or IDLE."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Operators of one name, or of one line and name, or of one category.

    name      of the operator; of a category, its own
    line      that called it, as `file:line function`; empty: of any line
    calls     how often
    self_ns   its own time; on a GPU, of the kernels that it launched
    total_ns  with the operators that it called
    share     of the call: those of all rows add up to 1
    flops     of all calls; None: not known of all
    bytes     read and written at least, of all calls; None: not known of all
    shapes    of the inputs of its longest part
    ceiling   the machine's rate beside it; None: it has none
    is_rest   whether it is the sum of rows that are too small to be shown
    """

    name: str
    category: Category
    line: str = ""
    calls: int
    self_ns: int
    total_ns: int
    share: float
    flops: float | None = None
    bytes: int | None = None
    shapes: str = ""
    ceiling: Ceiling | None = None
    is_rest: bool = False

    @property
    def flops_per_s(self) -> float | None:
        """FLOP per second of its own time."""
        return None if self.flops is None or not self.self_ns else 1e9 * self.flops / self.self_ns

    @property
    def bytes_per_s(self) -> float | None:
        """Bytes per second of its own time."""
        return None if self.bytes is None or not self.self_ns else 1e9 * self.bytes / self.self_ns

    @property
    def part(self) -> float | None:
        """Its rate over the ceiling; above 1, its data came from a cache."""
        if self.ceiling is None:
            return None
        rate = self.flops_per_s if self.ceiling.kind == "matmul" else self.bytes_per_s
        return None if rate is None else rate / self.ceiling.value


def measured(profile: Profile, analysis: Analysis) -> Measurement | None:
    """The run's measurement of what was profiled; None: it has none."""
    own = (profile.problem, profile.implementation, profile.threads)
    return next(
        (e for e in analysis.measurements if (e.problem, e.implementation, e.threads) == own), None
    )


def _problem_flops(profile: Profile, analysis: Analysis) -> float | None:
    """FLOPs of the problem, of a layer with its projections; None: of another function."""
    panels = {entry.name: entry.panel for entry in analysis.plan.entries}
    counted = work(profile.problem, panels.get(profile.implementation, ATTENTION))
    return None if counted is None else float(counted[0])


def _with_problem_flops(nodes: Sequence[Node], flops: float | None) -> tuple[Node, ...]:
    """The nodes; compiled code that computes the whole problem has its FLOPs.

    It does where the call runs no other product, and one compiled kernel takes most of the time.
    """
    kinds = [kind_of(node.name) if node.kind == "operator" else "" for node in nodes]
    compiled = [place for place, kind in enumerate(kinds) if kind == "compiled code"]
    if flops is None or not compiled or any(kind in _BY_FLOPS for kind in kinds):
        return tuple(nodes)
    longest = max(compiled, key=lambda place: nodes[place].self_ns)
    if nodes[longest].self_ns < _MOST * sum(nodes[place].self_ns for place in compiled):
        return tuple(nodes)
    return (*nodes[:longest], replace(nodes[longest], flops=flops), *nodes[longest + 1 :])


@dataclass(frozen=True, slots=True)
class _Part:
    """A node's own part of the call."""

    place: int
    name: str
    category: Category
    self_ns: int


class Operators:
    """The operators of one profile.

    on_device   whether times are of kernels on a GPU
    call_ns     time of the call; where kernels overlap, the sum of their times if that is larger
    host_ns     time of the host in operators and in Python
    measured    the run's measurement of the same problem; None: it has none
    """

    def __init__(self, profile: Profile, analysis: Analysis) -> None:
        self.profile = profile
        self.analysis = analysis
        self._problem_flops = _problem_flops(profile, analysis)
        self.tree = Tree(
            replace(profile, nodes=_with_problem_flops(profile.nodes, self._problem_flops))
        )
        self.on_device = any(node.kind == "kernel" for node in profile.nodes)
        self.host_ns = sum(node.self_ns for node in profile.nodes if node.kind != "kernel")
        self._parts = self._on_device() if self.on_device else self._on_host()
        self.measured = measured(profile, analysis)
        self.call_ns = max(sum(each.self_ns for each in self._parts), 1)
        self._ceilings = [
            each
            for each in median_ceilings(analysis.run, profile.threads)
            if each.device == profile.problem.device and each.value > 0
        ]

    @property
    def measured_ms(self) -> float:
        """The median time of a call in the run; without one, of calls beside the profiled ones."""
        if self.measured is not None:
            return self.measured.median_ms
        return median(self.profile.plain_ms)

    @property
    def flops_ratio(self) -> float | None:
        """FLOPs of products and attention over those of the problem; None: not all are known."""
        nodes = [self.tree.nodes[place] for place in self._with_flops()]
        flops = [node.flops for node in nodes if node.flops is not None]
        if not nodes or len(flops) < len(nodes) or self._problem_flops is None:
            return None
        return sum(flops) / self._problem_flops

    def _with_flops(self) -> list[int]:
        """The operators that compute products, without those that only call another one."""
        nodes = self.tree.nodes
        every = {
            place
            for place, node in enumerate(nodes)
            if node.kind == "operator" and kind_of(node.name) in _BY_FLOPS
        }
        return [place for place in every if not every & set(self.tree.below[place])]

    @cached_property
    def by_operator(self) -> list[Row]:
        """A row for each operator, the longest first."""
        return self._rows((part.name, part.category, "") for part in self._parts)

    @cached_property
    def by_line(self) -> list[Row]:
        """A row for each source line and operator, the longest first."""
        return self._rows(
            (part.name, part.category, self.tree.line_of(part.place)) for part in self._parts
        )

    @cached_property
    def by_category(self) -> list[Row]:
        """A row for each category, the longest first."""
        return self._rows((part.category, part.category, "") for part in self._parts)

    def _on_host(self) -> list[_Part]:
        parts = [
            _Part(place, node.name, kind_of(node.name), node.self_ns)
            for place, node in enumerate(self.tree.nodes)
            if node.kind == "operator"
        ]
        python = [
            _Part(place, node.name, kind_of(node.name), node.self_ns)
            for place, node in enumerate(self.tree.nodes)
            if node.kind == "python"
        ]
        return [*parts, *python, *self._rest([*parts, *python], PYTHON)]

    def _on_device(self) -> list[_Part]:
        """Kernels as parts of the operators that launched them."""
        parts = []
        for place, node in enumerate(self.tree.nodes):
            if node.kind == "kernel":
                above = self.tree.nodes[node.parent]
                launched = above.kind == "operator"
                kind = kind_of_kernel(node.name, above.name if launched else "")
                own, name = (node.parent, above.name) if launched else (place, node.name)
                parts.append(_Part(own, name, kind, node.self_ns))
        return [*parts, *self._rest(parts, IDLE)]

    def _rest(self, parts: Sequence[_Part], name: str) -> list[_Part]:
        """The part of the call that no other part accounts for."""
        rest_ns = self.tree.total_ns - sum(part.self_ns for part in parts)
        return [_Part(ROOT, name, name, rest_ns)] if rest_ns > 0 else []

    def _rows(self, keys: Iterable[tuple[str, Category, str]]) -> list[Row]:
        """Parts with the same name and line as one row."""
        found: dict[tuple[str, Category, str], list[_Part]] = {}
        for key, part in zip(keys, self._parts, strict=True):
            found.setdefault(key, []).append(part)
        rows = [self._row(*key, parts) for key, parts in found.items()]
        return sorted(rows, key=lambda row: -row.self_ns)

    def _row(self, name: str, category: Category, line: str, parts: Sequence[_Part]) -> Row:
        places = {part.place for part in parts}
        nodes = [self.tree.nodes[place] for place in places]
        self_ns = sum(part.self_ns for part in parts)
        shapes = self.tree.nodes[max(parts, key=lambda part: part.self_ns).place].shapes
        flops = [node.flops for node in nodes if node.flops is not None]
        moved = [node.bytes for node in nodes if node.bytes is not None]
        row_bytes = sum(moved) if len(moved) == len(nodes) else None
        return Row(
            name=name,
            category=category,
            line=line,
            calls=sum(node.calls for node in nodes if node.kind != "python"),
            self_ns=self_ns,
            total_ns=self._total(places, self_ns),
            share=self_ns / self.call_ns,
            flops=sum(flops) if len(flops) == len(nodes) else None,
            bytes=row_bytes,
            shapes=shapes,
            ceiling=self._ceiling(category, shapes),
        )

    def _total(self, places: set[int], self_ns: int) -> int:
        """The time of nodes with all that they call; a node within another one counts once."""
        if self.on_device or ROOT in places:
            return self_ns
        outermost = (place for place in places if not self._is_within(place, places))
        return sum(self.tree.nodes[place].total_ns for place in outermost)

    def _is_within(self, place: int, places: set[int]) -> bool:
        above = self.tree.nodes[place].parent
        while above > ROOT:
            if above in places:
                return True
            above = self.tree.nodes[above].parent
        return False

    def _ceiling(self, category: Category, shapes: str) -> Ceiling | None:
        """The ceiling beside a category: of products, of reads, or of copies in memory."""
        if category in _BY_FLOPS or (category == "compiled code" and not shapes):
            dtype = shapes.partition(",")[0].rpartition(" ")[2] or self.profile.problem.dtype
            products = [e for e in self._ceilings if e.kind == "matmul" and e.dtype == dtype]
            return max(products, key=lambda each: each.value, default=None)
        kind = "read" if category == "reductions" else "copy"
        memory = (e for e in self._ceilings if e.kind == kind and e.residency == "memory")
        return next(memory, None)
