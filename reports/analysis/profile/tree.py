"""The call tree of a profile: what is below a node, and the source line that it belongs to."""

from __future__ import annotations

from collections.abc import Sequence

from suites.records.profile import ROOT, UNPLACED, Node, Profile


class Tree:
    """The nodes of a profile with their relations."""

    def __init__(self, profile: Profile) -> None:
        self.nodes: Sequence[Node] = profile.nodes
        self.below: list[list[int]] = [[] for _ in self.nodes]
        for place, node in enumerate(self.nodes):
            if node.parent != UNPLACED:
                self.below[node.parent].append(place)

    @property
    def total_ns(self) -> int:
        """The time of the whole call."""
        return self.nodes[ROOT].total_ns

    def line_of(self, place: int) -> str:
        """The source line that a node belongs to, as `file:line function`; empty for none."""
        while place != UNPLACED:
            if self.nodes[place].kind == "line":
                return self.nodes[place].name
            place = self.nodes[place].parent
        return ""
