"""The selftest of a device as plain data: the file that a user sends."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from suites.calibrate.device.conduct import Machine, Result


def of_device_test(
    machine: Machine, results: Sequence[Result], started: str, command: str
) -> dict[str, Any]:
    """Machine, implementations that are missing, and every step with its figures and output."""
    return {
        "started": started,
        "command": command,
        "machine": machine.facts,
        "missing": {each.name: each.missing for each in machine.entries if each.missing},
        "steps": [_of_step(each) for each in results],
    }


def write(data: dict[str, Any], folder: Path) -> Path:
    """Write the data to a file in a folder; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    stamp = "".join(x for x in data["started"] if x.isalnum())
    file = folder / f"selftest-{stamp}.json"
    file.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    return file


def _of_step(result: Result) -> dict[str, Any]:
    return {
        "name": result.step.name,
        "status": result.status,
        "seconds": round(result.seconds, 2),
        "expected_s": result.step.expected_s,
        "limit_s": result.step.limit_s,
        "fault": result.fault,
        "figures": [asdict(each) for each in result.figures],
        "output": result.output,
    }
