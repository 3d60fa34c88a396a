"""Kept tensors of calls, moved beside the workload with their problems."""

from __future__ import annotations

from pathlib import Path

from suites.recording.problems import problem_of
from suites.recording.raw_files import processes

FORMAT = "attnbench call"
VERSION = 1


def place(folder: Path, workload: Path, limit: int) -> tuple[Path, ...]:
    """Write `call-1.pt` and so on beside the workload: the first distinct calls of the script."""
    if not limit:
        return ()
    import torch  # noqa: PLC0415 - only kept tensors need it

    by_process = {each.number: each.calls for each in processes(folder)}
    files = sorted(folder.glob("kept-*.pt"), key=lambda each: each.stat().st_mtime_ns)
    written = []
    for number, file in enumerate(files[:limit], 1):
        process = int(file.stem.split("-")[1])
        kept = torch.load(file)
        call = by_process[process][kept.pop("call")].data
        problem = problem_of(call, training="grad" in kept)
        target = workload.with_name(f"call-{number}.pt")
        head = {"format": FORMAT, "version": VERSION, "problem": str(problem)}
        torch.save({**head, "grad": None, "bias": None, "sink": None, **kept}, target)
        written.append(target)
    return tuple(written)
