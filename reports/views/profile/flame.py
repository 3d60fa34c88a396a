"""The section of a profile's page: flame graph of the call tree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from reports.analysis.profile.profiled_run import ProfiledRun
from reports.analysis.profile.tree import Tree
from reports.views.charts.chart import Block, Icicle
from reports.views.charts.palette import Look, look_of_kind
from reports.views.numbers import milliseconds, percent, three_digits
from reports.views.panels import slug
from reports.views.problems import facets, shared_words, without
from reports.views.sections import Section
from reports.views.text import abbreviated, counted
from suites.records.operator_kinds import KINDS, OperatorKind, kind_of
from suites.records.profile import ROOT, UNPLACED, Node, Profile

LEAST_SHARE: Final = 0.001
"""Of the call; narrower blocks are about a pixel wide, so those of one parent are one block."""
MOST_LETTERS: Final = 200
"""Letters of the shapes in a block's text."""
LINE: Final = Look("#e3e7ec", "#2a313a", "square", "solid")
"""The whole call, source lines, and operators that only call others: pale, so that colours show
where the time is spent."""
LINES: Final = "lines, and operators that call others"
OWN_SHARE: Final = 0.1
"""Of an operator's time; below it the operator only calls others."""
HEADING: Final = "Call tree"
_SAID: Final = (
    "Width is time. Below the whole call are source lines of the implementation, and below each "
    "line the operators that it calls. A click on a block shows it alone."
)


def sections(found: ProfiledRun) -> list[Section]:
    """The section; none where no profile has a call tree."""
    charts = tuple(icicles(found))
    if not charts:
        return []
    return [Section("call-tree", HEADING, (_SAID,), charts)]


def icicles(found: ProfiledRun) -> Iterator[Icicle]:
    """One icicle for each profile: by implementation, the call of the longest time first."""
    shared = shared_words(found.problems)
    for name in found.names:
        own = [each for each in found.profiles if each.implementation == name and each.nodes]
        for profile in sorted(own, key=lambda each: -each.nodes[ROOT].total_ns):
            yield icicle(profile, without(profile.problem, shared) if shared else "")


def icicle(profile: Profile, label: str = "") -> Icicle:
    """The call tree of a profile.

    label  of the problem; empty for a single one
    """
    blocks = _Blocks(profile)
    name = profile.implementation
    whole = milliseconds(profile.nodes[ROOT].total_ns / 1e6)
    return Icicle(
        key=f"flame_{slug(name)}",
        panel="",
        title=f"{HEADING} of {abbreviated(name)}",
        label=label,
        common=str(profile.problem),
        blocks=tuple(blocks.made),
        note=(
            f"One profiled call of {whole} ms, the one of median time. Lines and operators are in "
            f"the order of their first call. Blocks below {percent(LEAST_SHARE)} of the call are "
            "merged. A click on the path above the blocks goes back."
        ),
        alt=f"{HEADING} of {name}, {whole} ms: {_largest(profile)}",
        facets={**facets(profile.problem), "implementation": name},
        down=True,
        legend=tuple(blocks.legend()),
    )


class _Blocks:
    """The blocks of a call tree from the top down, each before those below it."""

    def __init__(self, profile: Profile) -> None:
        self.tree = Tree(profile)
        self.made: list[Block] = []
        self.kinds: set[OperatorKind] = set()
        self._add(ROOT, UNPLACED)

    def legend(self) -> Iterator[tuple[str, Look]]:
        """Source lines, and the kinds of operators that occur."""
        yield LINES, LINE
        yield from ((kind, look_of_kind(kind)) for kind in KINDS if kind in self.kinds)

    def _add(self, place: int, parent: int) -> None:
        node, position = self.tree.nodes[place], len(self.made)
        below = [each for each in self.tree.below[place] if self.tree.nodes[each].total_ns]
        within_ns = sum(self.tree.nodes[each].total_ns for each in below)
        self.made.append(
            Block(
                name=short(node),
                text=self._share(node.total_ns),
                parent=parent,
                value=max(0, node.total_ns - within_ns) / 1e6,
                hover="\n".join(self._hover(node)),
                look=self._look(node),
            )
        )
        least = LEAST_SHARE * self.tree.total_ns
        for each in below:
            if self.tree.nodes[each].total_ns >= least:
                self._add(each, position)
        self._merge([e for e in below if self.tree.nodes[e].total_ns < least], position)

    def _merge(self, small: Sequence[int], parent: int) -> None:
        """One block for the narrow blocks of a parent."""
        if not small:
            return
        total_ns = sum(self.tree.nodes[each].total_ns for each in small)
        name = f"{len(small)} narrower" if len(small) > 1 else short(self.tree.nodes[small[0]])
        self.kinds.add("other")
        names = dict.fromkeys(short(self.tree.nodes[each]) for each in small)
        said = (name, self._took(total_ns), abbreviated(", ".join(names), MOST_LETTERS))
        look = look_of_kind("other")
        text = self._share(total_ns)
        value, hover = total_ns / 1e6, "\n".join(said)
        self.made.append(
            Block(name=name, text=text, parent=parent, value=value, hover=hover, look=look)
        )

    def _look(self, node: Node) -> Look:
        if node.kind in ("call", "line") or node.self_ns < OWN_SHARE * node.total_ns:
            return LINE
        kind: OperatorKind = "Python" if node.kind == "python" else kind_of(node.name)
        self.kinds.add(kind)
        return look_of_kind(kind)

    def _share(self, ns: int) -> str:
        return share(ns / self.tree.total_ns) if self.tree.total_ns else ""

    def _took(self, ns: int) -> str:
        return f"{self._share(ns)} of the call, {milliseconds(ns / 1e6)} ms"

    def _hover(self, node: Node) -> Iterator[str]:
        yield node.name
        yield self._took(node.total_ns)
        if node.self_ns and node.self_ns != node.total_ns:
            yield f"alone, without what it calls: {milliseconds(node.self_ns / 1e6)} ms"
        if node.calls:
            each = milliseconds(node.total_ns / node.calls / 1e6)
            yield f"{counted(node.calls, 'call')}" + (f", {each} ms each" if node.calls > 1 else "")
        if node.flops and node.total_ns:
            yield f"{three_digits(node.flops / node.total_ns)} GFLOP/s"
        if node.shapes:
            yield f"of {abbreviated(node.shapes, MOST_LETTERS)}"


def share(value: float) -> str:
    """A share of the call: 100 %, 43 %, 4.3 %, 0.43 %."""
    return f"{100 * value:.0f} %" if value >= 0.0995 else percent(value)


def short(node: Node) -> str:
    """The name on a block: a line without its folder, an operator without `aten::`."""
    if node.kind != "line":
        return node.name.removeprefix("aten::")
    place, _, function = node.name.partition(" ")
    return " ".join(filter(None, (place.rpartition("/")[2], function)))


def _largest(profile: Profile) -> str:
    """The three operators with the largest time of their own, in words."""
    own: dict[str, int] = {}
    for node in profile.nodes:
        if node.kind not in ("call", "line"):
            own[short(node)] = own.get(short(node), 0) + node.self_ns
    total = profile.nodes[ROOT].total_ns or 1
    most = sorted(own.items(), key=lambda each: -each[1])[:3]
    return ", ".join(f"{share(ns / total)} {name}" for name, ns in most)
