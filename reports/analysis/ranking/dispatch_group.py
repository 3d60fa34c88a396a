"""One table of the fastest for several kinds of machine: a section of `dispatch` for each of them.

The file is JSON: `format`, `version`, `run` and `machines`. A section of `machines` has its `kind`,
`for`, and `table`, which is what `dispatch` makes of one run. `for` has the facts by which a reader
picks the section: `cpu` and `cores` where it has problems on the CPU, and by the kind of every
other device that it has problems on the name of that device, as `{"cuda": "NVIDIA H200"}`. A
section is for a machine where all of its facts are those of the machine, as
`run_bench.py list machine --json` prints them. Times of one machine never choose for another one.
"""

from __future__ import annotations

from typing import Any

from reports.analysis.machines import Machines, Side
from reports.analysis.ranking.dispatch import OF_MACHINES, VERSION, dispatch
from reports.analysis.ranking.sections import facts_on


def dispatch_group(name: str, found: Machines) -> dict[str, Any]:
    """The fastest on every problem of each machine of a group, as the data of the file."""
    return {
        "format": OF_MACHINES,
        "version": VERSION,
        "run": name,
        "machines": [_section(side) for side in found.sides],
    }


def _section(side: Side) -> dict[str, Any]:
    devices = dict.fromkeys(problem.device for problem in side.analysis.plan.problems)
    return {
        "kind": side.label,
        "for": facts_on(side.run.machine, devices),
        "table": dispatch(side.analysis),
    }
