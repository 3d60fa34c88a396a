"""The program of one step: it writes each figure to a file as soon as it is measured.

Started as `python -P -m suites.calibrate.device.child STEP FILE DEVICE MEMORY_BYTES`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from suites.calibrate.device.figure import NotPossibleError, Target
from suites.calibrate.device.steps import STEPS

NOT_POSSIBLE = "not possible"
"""The key of the line that says why a step cannot run here."""


def main() -> None:
    """Run the step that the command line names. An exception ends the process with its traceback."""
    name, file, device, memory_bytes = sys.argv[1:]
    target = Target(device=device, memory_bytes=int(memory_bytes))
    with Path(file).open("a", encoding="utf-8") as lines:

        def write(data: dict[str, Any]) -> None:
            lines.write(json.dumps(data) + "\n")
            lines.flush()

        try:
            for figure in STEPS[name].figures(target):
                write(figure.as_data())
        except NotPossibleError as error:
            write({NOT_POSSIBLE: str(error)})


if __name__ == "__main__":
    main()
