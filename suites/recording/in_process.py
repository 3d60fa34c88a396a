"""Recording a part of this process, as a cell of a notebook."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from suites.recording.collecting import collect
from suites.recording.site.attnbench_recorder.starting import Finder
from suites.recording.writing import expect_target, write


@contextmanager
def recorded(path: str | Path = "workload.jsonl", *, steps: int | None = None) -> Iterator[None]:
    """Record the attention calls of a `with` block as a workload, also where it raises.

    steps  equal steps that the block has; None: optimizer steps are counted

    Raises ValueError for a block without an attention call.
    """
    target = Path(path)
    expect_target(target)
    with tempfile.TemporaryDirectory(prefix="attnbench-record-") as folder:
        finder = Finder(folder, keep=0)
        finder.install()
        try:
            yield
        finally:
            finder.remove()
            found = collect(Path(folder), command="recorded()", ended="", steps=steps).workload
            if found.calls or found.others:
                write(found, target)
    if not found.calls and not found.others:
        raise ValueError(
            f"the block made no attention call that is recorded; {path} is not written"
        )
