"""The section of a profile's page: flame graph of the call tree."""

from __future__ import annotations

from collections import Counter
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
from suites.records.profile import PLACES, ROOT, UNPLACED, Node, Profile

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
ON_DEVICE: Final = "On a GPU, width is the time of the kernels; the host's time is not drawn."
_SAID: Final = (
    "Width is time. Below the whole call are source lines of the implementation, in a model below "
    "its layers, and below each line the operators that it calls. A click on a block shows it "
    "alone."
)


def sections(found: ProfiledRun) -> list[Section]:
    """The section; none where no profile has a call tree."""
    charts = tuple(icicles(found))
    if not charts:
        return []
    device = any(Tree(each).on_device for each in found.profiles)
    return [Section("call-tree", HEADING, (_SAID, *([ON_DEVICE] if device else [])), charts)]


def icicles(found: ProfiledRun) -> Iterator[Icicle]:
    """One icicle for each profile: by implementation, the call of the longest time first.

    None where the work runs outside torch: its time would stand on the line of Python before it.
    """
    shared = shared_words(found.problems)
    for name in found.names:
        seen = [each for each in found.profiles if each.nodes and not each.unseen]
        own = [each for each in seen if each.implementation == name]
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
        self.widths = self.tree.widths_ns
        self.made: list[Block] = []
        self.kinds: set[OperatorKind] = set()
        self._add(ROOT, UNPLACED)

    def legend(self) -> Iterator[tuple[str, Look]]:
        """Source lines, and the kinds of operators that occur."""
        yield LINES, LINE
        yield from ((kind, look_of_kind(kind)) for kind in KINDS if kind in self.kinds)

    def _add(self, place: int, parent: int) -> None:
        position, below = len(self.made), [e for e in self.tree.below[place] if self.widths[e]]
        own_ns = self.widths[place] - sum(self.widths[each] for each in below)
        self.made.append(
            Block(
                name=short(self.tree.nodes[place]),
                text=self._share(self.widths[place]),
                parent=parent,
                value=own_ns / 1e6,
                hover="\n".join(self._hover(place)),
                look=self._look(self.tree.nodes[place], own_ns / max(1, self.widths[place])),
            )
        )
        least = LEAST_SHARE * self.widths[ROOT]
        for each in below:
            if self.widths[each] >= least:
                self._add(each, position)
        self._merge([each for each in below if self.widths[each] < least], position)

    def _merge(self, small: Sequence[int], parent: int) -> None:
        """One block for the narrow blocks of a parent."""
        if not small:
            return
        width = sum(self.widths[each] for each in small)
        names = [short(self.tree.nodes[each]) for each in small]
        name = names[0] if len(names) == 1 else f"{len(names)} narrower"
        every = abbreviated(", ".join(dict.fromkeys(names)), MOST_LETTERS)
        self.kinds.add("other")
        self.made.append(
            Block(
                name=name,
                text=self._share(width),
                parent=parent,
                value=width / 1e6,
                hover="\n".join(dict.fromkeys((name, self._took(width), every))),
                look=look_of_kind("other"),
            )
        )

    def _look(self, node: Node, own_share: float) -> Look:
        if node.kind in {"call", *PLACES} or own_share < OWN_SHARE:
            return LINE
        kind = kind_of(node.name)
        self.kinds.add(kind)
        return look_of_kind(kind)

    def _share(self, ns: int) -> str:
        return share(ns / self.widths[ROOT]) if self.widths[ROOT] else ""

    def _took(self, ns: int) -> str:
        return f"{self._share(ns)} of the call, {milliseconds(ns / 1e6)} ms"

    def _hover(self, place: int) -> Iterator[str]:
        node, width = self.tree.nodes[place], self.widths[place]
        yield node.name
        yield self._took(width)
        if self.tree.on_device and node.total_ns != width:
            yield f"on the host: {milliseconds(node.total_ns / 1e6)} ms"
        if node.self_ns and node.self_ns != node.total_ns:
            yield f"without the operators that it calls: {milliseconds(node.self_ns / 1e6)} ms"
        if node.calls:
            yield f"{counted(node.calls, 'call')}{_each(width, node.calls)}"
        if node.flops and node.self_ns:
            yield f"{three_digits(node.flops / node.self_ns)} GFLOP/s"
        if node.shapes:
            yield f"of {abbreviated(node.shapes, MOST_LETTERS)}"


def _each(ns: int, calls: int) -> str:
    return f", {milliseconds(ns / calls / 1e6)} ms each" if calls > 1 else ""


def share(value: float) -> str:
    """A share of the call: 100 %, 43 %, 4.3 %, 0.43 %."""
    return f"{100 * value:.0f} %" if value >= 0.0995 else percent(value)


def short(node: Node) -> str:
    """The name on a block: a line without its folder, an operator without `aten::`."""
    if node.kind == "layer":
        return node.name.partition(" ")[0] if "." in node.name.partition(" ")[2] else node.name
    return short_line(node.name) if node.kind == "line" else node.name.removeprefix("aten::")


def short_line(line: str) -> str:
    """A source line without its folder: chunked.py:104 forward."""
    place, _, function = line.partition(" ")
    return " ".join(filter(None, (place.rpartition("/")[2], function)))


def _largest(profile: Profile) -> str:
    """The three names with the largest time of their own, in words."""
    tree, own = Tree(profile), Counter[str]()
    for node in profile.nodes:
        if node.kind == "kernel" if tree.on_device else node.kind not in {"call", *PLACES}:
            own[short(node)] += node.self_ns
    whole = tree.widths_ns[ROOT] or 1
    return ", ".join(f"{share(ns / whole)} {name}" for name, ns in own.most_common(3))
