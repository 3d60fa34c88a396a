"""Runs steps of one script, as its user would."""

from __future__ import annotations

import sys
from importlib import import_module


def main(name: str, steps: str) -> None:
    """Run so many steps of the script of that name."""
    step = import_module(f"suites.calibrate.savings.scripts.{name}").prepared()
    for _ in range(int(steps)):
        step()


if __name__ == "__main__":
    main(*sys.argv[1:])
