"""`python -m suites.stats.scaling` prints the tables of docs/scaling.md."""

from __future__ import annotations

import sys

from suites.stats.scaling.tables import TABLES


def main() -> None:
    """Write each table below its name."""
    for name, table in TABLES.items():
        sys.stdout.write(f"{name}\n\n{table()}\n")


if __name__ == "__main__":
    main()
