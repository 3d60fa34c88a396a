"""A recorded script by hand: lines with slow first calls, and calls without a problem."""

from __future__ import annotations

from typing import Any

from impls.interface import Problem
from suites.recording.collecting import Collected
from suites.recording.raw_files import Operator, ProfiledStep
from suites.records.workload import Header, Recorded, Unrecorded, Workload

SDPA = "scaled_dot_product_attention"
TRAINED = "b2 h4 t64 d16 causal fp32 train cpu"
LIBRARY = "models/model.py:12 forward < src/train.py:31 step"
"""A line of a library that a line of the script called."""


def call(problem: str = TRAINED, **changes: Any) -> Recorded:
    """40 calls with 2 ms forward and 3 ms backward each, the first with 500 ms."""
    usual: dict[str, Any] = {
        "problem": Problem.parse(problem),
        "count": 40,
        "place": "src/train.py:20 forward",
        "by": SDPA,
        "took_ms": 80.0,
        "backward_ms": 120.0,
        "first_ms": 500.0,
    }
    return Recorded(**{**usual, **changes})


def dropout(**changes: Any) -> Unrecorded:
    """10 calls with 1 ms forward each, whose backward pass is not seen."""
    usual: dict[str, Any] = {
        "unexpressed": "dropout 0.1",
        "count": 10,
        "place": "src/train.py:25 forward",
        "by": SDPA,
        "took_ms": 10.0,
        "first_ms": 1.0,
        "training": True,
        "shapes": ((2, 4, 64, 16),) * 3,
    }
    return Unrecorded(**{**usual, **changes})


CALLS = (
    call(),
    call("b2 h4 t64/32 d16 full fp32 train cpu", place=LIBRARY, count=10, took_ms=30.0),
)

PROFILED = ProfiledStep(
    200.0,
    (
        Operator("aten::mm", "forward", in_attention=False, count=4, self_ms=60.0),
        Operator("aten::mm", "backward", in_attention=False, count=8, self_ms=40.0),
        Operator("aten::bmm", "forward", in_attention=True, count=2, self_ms=70.0),
    ),
)
"""A step of 200 ms: matrix products 100, attention 70, and 30 that no operator covers."""


def script(
    *calls: Recorded,
    others: tuple[Unrecorded, ...] = (),
    steps: int = 10,
    processes: int = 1,
    command: str = "python src/train.py --epochs 2",
    ended: str = "exit status 0",
    **changes: Any,
) -> Collected:
    """A script of 10 steps of 100 ms, of which attention is known from these calls.

    changes  of fields of Collected
    """
    header = Header(
        command=command,
        machine={"torch": "2.13.0", "device": "cpu", "threads": 2},
        processes=processes,
        steps=steps,
        step_ms=(100.0, 90.0, 110.0) if steps > 1 else (2000.0,),
        ended=ended,
    )
    usual: dict[str, Any] = {"span_ms": 2000.0, "compiled": (), "faults": ()}
    work = Workload(header=header, calls=calls or CALLS, others=others)
    return Collected(work, **{**usual, **changes})
