"""The program of one step: it writes each figure to a file as soon as it is measured.

Started as `python -P -m suites.calibrate.device.child MODULE FILE DEVICE MEMORY_BYTES HALF`.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from suites.calibrate.device.figure import NotPossibleError, Target

NOT_POSSIBLE = "not possible"
"""The key of the line that says why a step cannot run here."""


def main() -> None:
    """Run the step of a module. An exception ends the process."""
    module, file, device, memory_bytes, half = sys.argv[1:]
    target = Target(device=device, memory_bytes=int(memory_bytes), half=half)
    with Path(file).open("a", encoding="utf-8") as lines:

        def write(data: dict[str, Any]) -> None:
            lines.write(json.dumps(data) + "\n")
            lines.flush()

        try:
            for figure in import_module(module).figures(target):
                write(figure.as_data())
        except NotPossibleError as error:
            write({NOT_POSSIBLE: str(error)})


if __name__ == "__main__":
    main()
