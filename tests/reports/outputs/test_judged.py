"""Judged candidates in the terminal and as lines of JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any

import pytest
from rich.console import Console

from reports.analysis.candidates import CandidateRow
from reports.outputs.export.judged_lines import JsonLines
from reports.outputs.terminal.judged import CandidateScreen, Lines
from reports.views.judged import sentences
from suites.records.record import Record
from tests.reports.judged_rows import LONG, SHORT, candidate, row, timed

FORGED = 'no\n{"kind":"candidate","candidate":"forged","verdict":"faster"}\x1b[2J\r'
ON = "[95 % interval] on"
FAST = "0.500 [0.450, 0.550]"
BETTER = "right and faster than sdpa_flash"


def printed(*rows: CandidateRow, by: float = 0.0) -> list[str]:
    """The lines in a terminal that is too narrow for them."""
    out = io.StringIO()
    shown = Lines(Console(file=out, width=40), [each.spec for each in rows], "sdpa_flash", by)
    shown.begin([each.problem for each in rows[0].rows])
    for each in rows:
        shown.candidate(each)
    shown.end(rows)
    return out.getvalue().splitlines()


def lines(rows: Sequence[CandidateRow], by: float = 0.0) -> list[dict[str, Any]]:
    out = io.StringIO()
    printer = JsonLines(out, "sdpa_flash", by)
    printer.begin([SHORT])
    for each in rows:
        printer.candidate(each)
    printer.end(rows)
    return [json.loads(line, parse_constant=pytest.fail) for line in out.getvalue().splitlines()]


def test_each_candidate_is_one_line_with_verdict_ratio_and_cause() -> None:
    assert printed(
        candidate(timed("faster", 0.5), spec="fast.py"),
        candidate(timed("same", 1.0), spec="b.py"),
        candidate(row("wrong", reason="out is wrong"), spec="a_wrong.py"),
    ) == [
        f"candidate   verdict            time over that of sdpa_flash {ON} {SHORT}, cause",
        "fast.py     faster             0.500 [0.450, 0.550]",
        "b.py        same within noise  1.000 [0.900, 1.100]",
        "a_wrong.py  wrong              out is wrong",
        f"3 candidates: 2 right, 1 {BETTER}: score 0.33.",
    ]


def test_with_several_problems_a_line_has_each_ratio_and_its_own_score() -> None:
    refused = row("refused", LONG, reason="takes full")
    found = printed(
        candidate(timed("faster", 0.5), refused),
        candidate(timed("slower", 2.0), timed("faster", 0.5, LONG)),
        by=0.05,
    )
    assert "on t64 full, t128 causal (b1 h2 d16 fp32 cpu), cause" in found[0]
    assert found[1:] == [
        f"mine.py    mixed              1/2  {FAST} faster, refused  t128 causal: takes full",
        f"mine.py    mixed              1/2  2.000 [1.800, 2.200] slower, {FAST} faster",
        f"4 answers of 2 candidates: 3 right, 2 {BETTER} by more than 5 %: score 0.50.",
        "Problems on which it is right and faster: mine.py 1/2, mine.py 1/2.",
    ]


def test_a_cause_that_all_problems_share_is_said_once() -> None:
    reasons = (row("wrong", reason="no mask"), row("wrong", LONG, reason="no mask"))
    assert printed(candidate(*reasons))[1].endswith("0/2  no mask")


def test_a_slip_is_said_with_its_cure_and_without_its_evidence() -> None:
    slip = row("wrong", reason="the scale is missing (out is wrong: 41 times)", slip="scale",
               cure="multiply by scale")  # fmt: skip
    assert printed(candidate(slip))[1].endswith("the scale is missing; multiply by scale")


def test_without_a_fault_it_is_said_how_it_was_called() -> None:
    called = row("same", ratio=1.0, low=1.0, high=1.0, notes="called with a dense mask")
    assert printed(candidate(called))[1].endswith("1.000 [1.000, 1.000]  called with a dense mask")


def test_the_reason_of_a_missing_file_is_said_in_full() -> None:
    found = candidate(row("missing", reason="a.py has no function; expected one of (q, k, v)"))
    assert printed(found)[1].endswith("a.py has no function; expected one of (q, k, v)")


def test_the_most_severe_cause_is_said() -> None:
    fault = row("wrong", LONG, reason="no mask")
    found = candidate(row("refused", reason="takes causal"), fault)
    assert printed(found)[1].endswith("0/2  t128 causal: no mask")


def test_many_good_candidates_are_counted() -> None:
    rows = [candidate(timed("faster", 0.5), timed("faster", 0.5, LONG), spec=f"{n}.py")
            for n in range(7)]  # fmt: skip
    assert sentences(rows, "sdpa_flash", 0.0)[-1].endswith("3.py 2/2, 4.py 2/2, 2 more.")


def test_a_forged_reason_stays_in_its_line() -> None:
    forged = candidate(row("failed", cause="exception", reason=FORGED), label="\x1b[2J.py\nx")
    shown = printed(forged)
    assert len(shown) == 3
    assert "\x1b" not in "".join(shown)
    first, score = lines([forged])
    assert (first["verdict"], first["problems"][0]["reason"]) == ("failed", FORGED)
    assert score["kind"] == "score"


def test_a_line_of_json_has_verdict_cause_ratio_and_score() -> None:
    rows = [
        candidate(
            timed("faster", 0.5),
            row("wrong", LONG, cause="wrong_output", reason="no mask", slip="mask", cure="read it",
                notes="called with q, k, v"),
        )
    ]  # fmt: skip
    first, score = lines(rows, by=0.2)
    problems = first.pop("problems")
    assert first == {
        "kind": "candidate",
        "candidate": "mine.py",
        "implementation": "attend",
        "sha256": "0123456789abcdef",
        "run": "judge-mine-1",
        "verdict": "wrong",
        "right": 1,
        "faster": 1,
        "answers": 2,
        "score": 0.5,
    }
    assert problems == [
        {"problem": str(SHORT), "verdict": "faster", "right": True, "faster": True, "ratio": 0.5,
         "low": 0.45, "high": 0.55, "cause": "", "reason": "", "slip": "", "cure": "",
         "notes": ""},
        {"problem": str(LONG), "verdict": "wrong", "right": False, "faster": False, "ratio": None,
         "low": None, "high": None, "cause": "wrong_output", "reason": "no mask", "slip": "mask",
         "cure": "read it", "notes": "called with q, k, v"},
    ]  # fmt: skip
    assert score == {
        "kind": "score",
        "baseline": "sdpa_flash",
        "faster_by": 0.2,
        "right": 1,
        "faster": 1,
        "answers": 2,
        "score": 0.5,
        "candidates": [{"candidate": "mine.py", "implementation": "attend", "right": 1,
                        "faster": 1, "answers": 2, "score": 0.5}],
    }  # fmt: skip


def test_the_progress_names_the_candidate_and_no_fault() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120)
    fault = Record(session=0, problem=SHORT, implementation="attend", status="wrong",
                   cause="wrong_output", reason="no mask")  # fmt: skip
    with CandidateScreen(console, "mine.py (3 of 9)") as screen:
        screen.phase("checking agreement", 1)
        screen.record(fault)
    assert "mine.py (3 of 9): checking agreement" in out.getvalue()
    assert "no mask" not in out.getvalue()
