"""The call tree of a profile: what is below a node, and the source line that it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from suites.records.profile import PLACES, ROOT, UNPLACED, Node, Profile


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

    @property
    def on_device(self) -> bool:
        """Whether the work is that of kernels on a GPU."""
        return any(node.kind == "kernel" for node in self.nodes)

    @cached_property
    def widths_ns(self) -> Sequence[int]:
        """The time of each node with all below it; on a GPU, of the kernels below it.

        That of the root is at least the time of the whole call.
        """
        device, found = self.on_device, [0] * len(self.nodes)
        for place in range(len(self.nodes) - 1, -1, -1):
            node = self.nodes[place]
            within = sum(found[each] for each in self.below[place])
            counts = node.kind == "kernel" or place == ROOT or not device
            found[place] = max(node.total_ns, within) if counts else within
        return found

    def line_of(self, place: int) -> str:
        """The source line that a node belongs to, as `file:line function`; empty for none."""
        while place != UNPLACED:
            if self.nodes[place].kind in PLACES:
                return self.nodes[place].name
            place = self.nodes[place].parent
        return ""
