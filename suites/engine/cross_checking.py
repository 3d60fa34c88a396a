"""The time of triton's do_bench beside a record on a GPU. Its failure costs that figure only."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from suites.engine.call_limits import preparing
from suites.engine.pipe import Sender, one_line
from suites.measure.cuda import cross_check_ms
from suites.measure.device_errors import ends_cuda
from suites.measure.rounds import Arm
from suites.measure.timing import Call
from suites.process_state.state import ProcessState
from suites.records.record import Record

LONGEST_MS: Final = 100.0
"""Longest call that is cross-checked, ms: do_bench calls it eight times or more."""
SESSION: Final = 1
"""The session that cross-checks: more would add nothing to an instrument's check."""


def cross_checked(made: Record, arm: Arm, sender: Sender) -> Record:
    """The record with its cross-check, or with a note of why there is none.

    Triton compiles C at its first use: that has the time limit of preparing. What triton changes in
    the process is restored, and is no fault of the implementation. Raises errors that end CUDA.
    """
    on_gpu = made.problem.device != "cpu"
    if not on_gpu or made.status != "ok" or made.session != SESSION or arm.call_ms > LONGEST_MS:
        return made
    before = ProcessState()
    with preparing(sender):
        ms, fault = _measured(arm.calls[0])
    before.restore()
    notes = (f"no cross-check: triton's do_bench raised {fault}",) if fault else ()
    return replace(made, cross_check_ms=ms, notes=(*made.notes, *notes))


def _measured(call: Call) -> tuple[float | None, str]:
    """Milliseconds by do_bench, None without them; and what it raised."""
    try:
        return cross_check_ms(call), ""
    except Exception as error:
        if ends_cuda(error):
            raise  # the call itself failed on the device
        return None, one_line(f"{type(error).__name__}: {error}")
