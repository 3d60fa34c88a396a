"""The call tree of a call: its operators merged by their path of source lines and operators."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from suites.measure.kernels import GRAPH
from suites.measure.profiler.events import ENGINE, Event
from suites.measure.profiler.placing import Placed, shape_of
from suites.measure.profiler.source_lines import Stack
from suites.measure.profiler.work import Work
from suites.records.operator_kinds import ENGINE_NAME, GRAPH_NAME, RELEASE_NAME
from suites.records.profile import LAYER, PLACES, ROOT, UNPLACED, Kind, Node

PYTHON = "Python"
"""The name of the nodes of time in which no operator runs."""
LARGE = 128 << 10
"""Bytes of a release from which glibc may return pages to the system (M_MMAP_THRESHOLD,
M_TRIM_THRESHOLD in mallopt(3)). The time from such a release to the next event is its own."""

WorkOf = Callable[[Placed, Event], Work]
"""Gives the work of an operator, from its inputs and from its event in the timed call."""


@dataclass(slots=True)
class _Sum:
    """The sums of a node."""

    parent: int
    kind: Kind
    name: str
    calls: int = 0
    total_ns: int = 0
    self_ns: int = 0
    flops: float | None = None
    bytes: int | None = None
    shapes: str = ""

    def add(self, *, total_ns: int = 0, self_ns: int = 0, calls: int = 0) -> None:
        """Add the times of a call."""
        self.total_ns += total_ns
        self.self_ns += self_ns
        self.calls += calls

    def add_work(self, work: Work) -> None:
        """Add the work of a call."""
        if work.flops is not None:
            self.flops = (self.flops or 0.0) + work.flops
        if work.bytes is not None:
            self.bytes = (self.bytes or 0) + work.bytes


@dataclass(slots=True)
class CallTree:
    """Builds the nodes.

    node_of  the node of each operator, in the order in which they began
    line_of  the node of the line of each
    """

    placed: Sequence[Placed]
    work_of: WorkOf
    node_of: list[int] = field(default_factory=list)
    line_of: list[int] = field(default_factory=list)
    _sums: list[_Sum] = field(default_factory=list)
    _index: dict[tuple[int, Kind, str], int] = field(default_factory=dict)

    def build(self, root: Event) -> tuple[Node, ...]:
        """The nodes of a call, whose operators are those that were placed."""
        whole = self._at(UNPLACED, "call", "call")
        self._sums[whole].add(total_ns=root.span_ns, calls=1)
        self._add_kernels(root, whole)
        stack = self.placed[0].stack if self.placed else ()
        for gap, each in gaps(root):
            stack = self.placed[len(self.node_of)].stack if each else stack
            for name, took_ns in gap:
                self._add_python(self._line(stack), name, took_ns)
            if each:
                self._add(each, self._line(stack))
        self._sum_lines()
        return tuple(map(_node, self._sums))

    def known_line(self, stack: Stack) -> int | None:
        """The node of a line, where the call tree has it."""
        node: int | None = ROOT
        for line in stack:
            node = None if node is None else self._index.get((node, *_entry(line)))
        return node if stack else None

    def _add_python(self, below: int, name: str, took_ns: int) -> None:
        """Time before an operator, which belongs to the line that calls it."""
        if took_ns > 0:
            node = self._at(below, "python", name)
            self._sums[node].add(total_ns=took_ns, self_ns=took_ns, calls=1)

    def _add(self, event: Event, parent: int) -> None:
        """An operator and all that it calls."""
        placed = self.placed[len(self.node_of)]
        node = self._at(parent, "operator", _named(event.name))
        self.node_of.append(node)
        self.line_of.append(self._line_above(node))
        within = [each for each in event.within if each.kind == "operator"]
        inner_ns = sum(each.took_ns for each in within) + self._add_releases(event, node)
        found = self._sums[node]
        found.add(total_ns=event.took_ns, self_ns=max(0, event.took_ns - inner_ns), calls=1)
        found.add_work(self.work_of(placed, event))
        found.shapes = found.shapes or ", ".join(map(shape_of, filter(None, placed.inputs)))
        self._add_kernels(event, node)
        for each in within:
            below = self.placed[len(self.node_of)].stack
            own = node if below == placed.stack else self._line(below, node, placed.stack)
            self._add(each, own)

    def _add_releases(self, event: Event, node: int) -> int:
        """Time of releases between the operators of a function in Python, which is returned."""
        if "::" in event.name:
            return 0  # an operator's own release is part of its work
        took_ns = [own for gap, _ in gaps(event) for name, own in gap if name == RELEASE_NAME]
        self._add_python(node, RELEASE_NAME, sum(took_ns))
        return sum(took_ns)

    def _add_kernels(self, event: Event, parent: int) -> None:
        """The kernels that an event launched on a GPU."""
        for each in event.within:
            if each.kind == "kernel":
                node = self._at(parent, "kernel", each.name)
                self._sums[node].add(total_ns=each.took_ns, self_ns=each.took_ns, calls=1)

    def _line(self, stack: Stack, below: int = ROOT, known: Stack = ()) -> int:
        """The node of a line, below another node.

        known  lines above, which are left out
        """
        node = below
        start = len(known) if stack[: len(known)] == known else 0
        for line in stack[start:]:
            node = self._at(node, *_entry(line))
        return node

    def _line_above(self, node: int) -> int:
        """The line that a node belongs to; UNPLACED for none."""
        while node != UNPLACED and self._sums[node].kind not in PLACES:
            node = self._sums[node].parent
        return node

    def _at(self, parent: int, kind: Kind, name: str) -> int:
        key = (parent, kind, name)
        if key not in self._index:
            self._index[key] = len(self._sums)
            self._sums.append(_Sum(parent, kind, name))
        return self._index[key]

    def _sum_lines(self) -> None:
        """Give each line the time of what is below it."""
        for each in reversed(self._sums):
            if each.parent > ROOT and self._sums[each.parent].kind in PLACES:
                self._sums[each.parent].total_ns += each.total_ns


Gap = list[tuple[str, int]]
"""Pieces of time in which no operator runs, each with the name of its node."""


def gaps(event: Event) -> Iterator[tuple[Gap, Event | None]]:
    """The time before each operator directly within an event, and that after the last one."""
    name, at_ns, gap = PYTHON, event.start_ns, Gap()
    for each in event.within:
        if each.kind not in ("operator", "memory"):
            continue
        gap.append((name, max(0, each.start_ns - at_ns)))
        at_ns = max(at_ns, each.end_ns)
        name = RELEASE_NAME if each.changed <= -LARGE else PYTHON
        if each.kind == "operator":
            yield gap, each
            gap = []
    yield [*gap, (name, max(0, event.end_ns - at_ns))], None


def _entry(line: str) -> tuple[Kind, str]:
    """The kind and the name of the node of an entry of a stack."""
    return ("layer", line.removeprefix(LAYER)) if line.startswith(LAYER) else ("line", line)


def _named(name: str) -> str:
    """The name of an operator; one name for all that names a backward operator or a graph again."""
    if name.startswith(ENGINE):
        return ENGINE_NAME
    return GRAPH_NAME if name.startswith(GRAPH) else name


def _node(found: _Sum) -> Node:
    return Node(
        parent=found.parent,
        kind=found.kind,
        name=found.name,
        calls=found.calls,
        total_ns=found.total_ns,
        self_ns=found.self_ns,
        flops=found.flops,
        bytes=found.bytes,
        shapes=found.shapes,
    )
