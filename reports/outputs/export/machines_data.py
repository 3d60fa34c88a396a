"""Several machines side by side as plain data."""

from __future__ import annotations

from typing import Any

from reports.analysis.machines import Machines
from reports.outputs.export import json_data
from reports.views import machines


def of_machines(found: Machines) -> dict[str, Any]:
    """Each run with its letter and machine in words, as `json_data.of_run`, and what differs."""
    return {
        "machines": [
            {"letter": side.letter, "name": machines.name(side), **json_data.of_run(side.analysis)}
            for side in found.sides
        ],
        "differences": list(machines.unlike(found)),
    }
