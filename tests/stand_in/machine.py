"""The environment of a child process whose sessions have the stand-in."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

from tests.stand_in.device import skip_beside_a_device

ON_PATH: Final = Path(__file__).parent / "on_path"


def environment(nvml: dict[str, Any] | None = None, **settings: Any) -> dict[str, str]:
    """Variables for a program of ours.

    nvml      state of the stand-in for pynvml; None: that package is not installed
    settings  of the runtime
    """
    skip_beside_a_device()
    path = os.pathsep.join(filter(None, (str(ON_PATH), os.environ.get("PYTHONPATH", ""))))
    driver = {} if nvml is None else {"ATTNBENCH_STAND_IN_NVML": json.dumps(nvml)}
    return {
        **os.environ,
        **driver,
        "PYTHONPATH": path,
        "ATTNBENCH_STAND_IN": json.dumps(settings),
    }
