"""What `check` prints: the verdict first, one line a feature, one line a cause, then Limits."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from impls.interface import Limits
from reports.analysis.run_analysis import Analysis
from reports.outputs.terminal.check_report import MOST_CAUSES, check_report
from suites.discover.discovery import DeviceFinding, Discovery
from suites.discover.limits import Feature, Unsupported
from suites.records.plan import Entry
from suites.records.record import Record
from suites.records.store import Run
from tests.saved_run import PROBLEMS, entries, small_run

SENTENCE = "RuntimeError: The size of tensor a (4) must match the size of tensor b (2)"
DETAILS = ["What it can", "What it cannot"]
MINE = Entry(name="mine", limits=(Limits(),))


def printed(run: Run, records: list[Record], *found: Discovery, width: int = 100) -> list[str]:
    kept = io.StringIO()
    made = check_report(Analysis(run, records), found)
    Console(file=kept, width=width).print(*made, sep="\n", crop=False)
    return [line.rstrip() for line in kept.getvalue().splitlines()]


def fault(record: Record, status: str = "wrong", **others: Any) -> Record:
    """The record with a fault."""
    cause = {"wrong": "wrong_output", "failed": "exception"}[status]
    changes = {"status": status, "cause": cause, "reason": "off", **others}
    return replace(record, **changes)


def mine(*faults: int, **others: Any) -> tuple[Run, list[Record]]:
    """A check of one implementation on eighteen problems, with faults on some of them."""
    run, records = small_run(sessions=0, made=(MINE,))
    made = [fault(r, **others) if place in faults else r for place, r in enumerate(records)]
    return run, made


def test_an_implementation_that_agrees_has_its_verdict_then_its_features() -> None:
    lines = printed(*mine())
    assert lines[0] == "mine agrees on 18 of 18 problems"
    assert lines[2] == "What it can"
    rows = {" ".join(line.split()) for line in lines}
    assert {"masks: full, window", "dtypes: float32", "head dimensions: 64"} <= rows
    assert {"worst share of the gate: 0.05", "masks read out: exact on 18 problems"} <= rows
    assert not any(row.startswith(("training", "biases")) for row in rows)
    assert "What it cannot" not in lines


def test_a_wrong_one_has_its_main_cause_in_the_first_line_and_each_cause_once() -> None:
    run, records = mine(0, 1, 2, 3, status="failed", reason=SENTENCE)
    slip = {"slip": "top_left", "reason": "causal is aligned top-left (out: 9 times)"}
    records[4] = fault(records[4], cure="use tril(diagonal=Tk - Tq)", **slip)
    records[5] = fault(records[5], **slip)
    lines = printed(run, records, width=200)
    assert lines[0] == (
        "mine is wrong: causal is aligned top-left (it agrees on 12 of 18 problems)"
    )
    place = lines.index("What it cannot")
    found = f"- causal is aligned top-left (wrong on 2 problems, first {PROBLEMS[4]})"
    assert lines[place + 1 :] == [
        f"{found}; cure: use tril(diagonal=Tk - Tq)",
        f"- {SENTENCE} (failed on 4 problems, first {PROBLEMS[0]})",
    ]


def test_the_verdict_says_once_that_it_is_wrong() -> None:
    far = "out is wrong: RMS error 9 times the rounding bound (2 allowed); at [0] it is 1"
    lines = printed(*mine(0, reason=far), width=200)
    assert lines[0] == (
        "mine is wrong: out: RMS error 9 times the rounding bound (2 allowed) "
        "(it agrees on 17 of 18 problems)"
    )


def test_what_it_does_not_accept_is_counted() -> None:
    run, records = small_run(sessions=0, made=entries()[2:3])
    lines = printed(run, records)
    assert lines[0] == "local_window agrees on 9 of 9 problems"
    assert "  9 problems of the suite outside of what it accepts" in lines


def test_one_that_is_not_wrong_but_fails_says_on_how_much_it_agrees() -> None:
    lines = printed(*mine(0, status="failed", reason=SENTENCE), width=200)
    assert lines[0] == f"mine agrees on 17 of 18 problems; 1 cause of the others: {SENTENCE}"
    every = printed(*mine(*range(18), status="failed", reason=SENTENCE), width=200)
    assert every[0] == f"mine agrees on none of 18 problems: {SENTENCE}"


def test_several_have_a_verdict_each_and_details_of_those_at_fault_only() -> None:
    lines = printed(*small_run(sessions=0), width=140)
    assert lines[0] == "naive agrees on 18 of 18 problems"
    assert lines[2] == "local_window agrees on 9 of 9 problems"
    assert lines[5].startswith("off_by_one is wrong: out: 41 times what rounding explains")
    assert lines[6].startswith("xformers was checked on no problem: device cpu: runs on cuda")
    assert lines[7] == "flash_attn cannot be imported: No module named 'flash_attn'"
    titles = [line for line in lines[len(entries()) :] if line and line[0] not in " -"]
    assert titles == ["sdpa_math", *DETAILS, "off_by_one", "What it cannot"]


def test_an_approximation_has_its_error_in_the_verdict() -> None:
    near = Entry(name="near", limits=(Limits(),), panel="approximations")
    lines = printed(*small_run(sessions=0, made=(near,)))
    assert lines[0] == "near runs on 18 of 18 problems; it approximates, RMS error up to 3e-05 %"


def test_many_causes_are_counted() -> None:
    run, records = mine()
    made = [fault(r, reason=f"reason {'x' * place}") for place, r in enumerate(records)]
    lines = printed(run, made, width=200)
    assert lines[-1] == f"- {18 - MOST_CAUSES} more causes: --verbose lists every problem"


def test_problems_are_listed_with_verbose_only() -> None:
    run, records = mine(3, cure="turn it")
    kept = io.StringIO()
    console = Console(file=kept, width=140)
    console.print(*check_report(Analysis(run, records), verbose=True), sep="\n")
    rows = [" ".join(line.split()) for line in kept.getvalue().splitlines()]
    assert f"{PROBLEMS[0]} agrees 0.05" in rows
    assert f"{PROBLEMS[3]} wrong 0.05 off; cure: turn it" in rows
    assert f"{PROBLEMS[0]} agrees 0.05" not in [" ".join(r.split()) for r in printed(run, records)]


def test_a_plain_function_has_the_features_that_fail_beside_their_cause_and_limits() -> None:
    run, records = mine()
    grouped = replace(PROBLEMS[0], key_heads=4)
    sink = replace(PROBLEMS[0], sink=True)
    trial = fault(replace(records[0], problem=grouped), "failed", reason=SENTENCE)
    limits = Limits(devices=("cpu",), grouped_heads=False, length_multiple=64)
    device = DeviceFinding(
        device="cpu",
        tried={},
        base=PROBLEMS[0],
        limits=limits,
        unsupported=(
            Unsupported(Feature("grouped_heads", True, (grouped,)), grouped, "failed"),
            Unsupported(Feature("sink", True, (sink,)), sink, "takes none"),
        ),
    )
    found = Discovery(
        name="mine", devices=(device,), limits=(limits,), wrong=1, verified=(), faults=(trial,)
    )
    lines = printed(run, records, found, width=200)
    assert lines[0] == f"mine agrees on 18 of 18 problems; 1 cause of the others: {SENTENCE}"
    rows = [" ".join(line.split()) for line in lines]
    assert "lengths in multiples of: 64" in rows
    assert not any(row.startswith("grouped heads:") for row in rows)
    assert not any(row.startswith("windows") for row in rows)
    place = lines.index("What it cannot")
    assert lines[place + 1].startswith(f"- grouped heads: {SENTENCE} (failed on 1 problem, first")
    assert lines[place + 2] == "- not accepted by its parameters: sink"
    assert lines.index("To paste above `def mine`:") > place
    assert "    Limits(" in lines


def test_how_it_was_called_is_said() -> None:
    run, records = mine()
    sizes = [f"called with a dense mask (True: visible; {each} KiB)" for each in range(18)]
    noted = [
        replace(r, notes=(size, "gradients by backward()"))
        for r, size in zip(records, sizes, strict=True)
    ]
    said = "  called with a dense mask (True: visible; … KiB); gradients by backward()"
    assert said in printed(run, noted)
    alone = [replace(r, notes=(sizes[4],)) for r in records]
    assert f"  {sizes[4]}" in printed(run, alone)


def test_a_function_that_imports_and_cannot_be_called_is_said_so() -> None:
    unable = replace(MINE, files={"mine": "mine.py"}, missing="line 3: nothing fills `foo`")
    lines = printed(*small_run(sessions=0, made=(unable,)))
    assert lines[0] == "mine cannot be called: line 3: nothing fills `foo`"


@pytest.mark.parametrize("width", [40, 80])
def test_no_line_is_wider_than_the_terminal_and_no_number_is_cut(width: int) -> None:
    run, records = mine(1, reason="off by 1234567890.123 on the row 1234567890.456")
    lines = printed(run, records, width=width)
    assert max(map(len, lines)) <= width
    words = " ".join(lines).split()
    assert "  worst share of the gate: 0.05" in lines
    assert {"1234567890.123", "1234567890.456"} <= set(words)


def test_the_limits_to_paste_are_not_broken_however_narrow_the_terminal_is() -> None:
    run, records = mine()
    limits = Limits(devices=("cpu",))
    device = DeviceFinding(device="cpu", tried={}, base=PROBLEMS[0], limits=limits)
    found = Discovery(name="mine", devices=(device,), limits=(limits,), wrong=0, verified=None)
    lines = printed(run, records, found, width=30)
    assert "from impls.interface import Limits, implementation" in lines
