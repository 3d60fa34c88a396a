"""Named ranges in the timelines of NVIDIA's profilers (NVTX): sessions, and samples of rounds.

Without a profiler a range does nothing. It never ran on a GPU; docs/gpu.md has the command.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from suites.measure.rounds import Arm


class Ranges:
    """Ranges of a process; `cuda` is torch.cuda or a stand-in."""

    def __init__(self, cuda: Any) -> None:
        self._cuda = cuda

    @contextmanager
    def named(self, text: str) -> Iterator[None]:
        """A range of this name."""
        self._cuda.nvtx.range_push(text)
        try:
            yield
        finally:
            self._cuda.nvtx.range_pop()

    def sampling(self, arm: Arm) -> AbstractContextManager[None]:
        """The range of an arm's next sample, such as "round 3 naive"."""
        return self.named(f"round {len(arm.times_ms) + 1} {arm.name}")
