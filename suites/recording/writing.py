"""Writing a workload: an existing one is replaced only when the new one is complete."""

from __future__ import annotations

from pathlib import Path

from suites.records.workload import Workload


def expect_target(path: Path) -> None:
    """Raise ValueError where no workload can be written; before a script runs for hours."""
    if path.is_dir():
        raise ValueError(f"--out {path} is a folder; expected a file, as workload.jsonl")
    if not path.absolute().parent.is_dir():
        raise ValueError(f"--out {path}: its folder does not exist; make it first")


def write(workload: Workload, path: Path) -> None:
    """Write the file of a workload.

    Raises ValueError for a workload without a call, and where it cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text("\n".join(workload.lines()) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ValueError(f"{path} cannot be written: {error.strerror}") from error
