"""Runs when a Python process starts that is recorded; afterwards the module that it shadows runs.

The folder of this file comes first on PYTHONPATH, so that Python imports this `sitecustomize`
instead of the one of the environment.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.machinery import PathFinder
from pathlib import Path

FOLDER = str(Path(__file__).resolve().parent)


def run_shadowed() -> None:
    """Run the `sitecustomize` that Python would have found without this folder."""
    others = [each for each in sys.path if os.path.realpath(each or ".") != FOLDER]
    spec = PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


if folder := os.environ.get("ATTNBENCH_RECORD"):
    from attnbench_recorder.starting import start  # type: ignore[import-not-found] # beside this file

    start(
        folder,
        keep=int(os.environ.get("ATTNBENCH_KEEP", "0")),
        profiles="ATTNBENCH_PROFILE" in os.environ,
    )
run_shadowed()
