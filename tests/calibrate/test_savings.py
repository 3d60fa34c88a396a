"""The study of foretold savings: its scripts, its arithmetic and its table."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from torch.nn import functional

from impls.bridges.substitution import Substitution
from impls.interface import Problem
from suites.calibrate.savings import __main__ as command
from suites.calibrate.savings import child, foretold, obtained, summary
from suites.calibrate.savings.foretold import SCRIPTS, Change, Figure
from suites.calibrate.savings.summary import Row
from suites.recording.recognising import Recogniser
from suites.records.lengths import alike

SAVES = {"ms": 3.0, "low": 1.0, "high": 5.0}
DATA = {
    "steps": [
        {
            "now": {"ms": 20.0, "low": 19.0, "high": 21.0},
            "changes": [
                {
                    "problems": ["b1 h8 t64 d64 full fp32 cpu"],
                    "places": ["a.py:1 f"],
                    "calls": 2.0,
                    "now": "sdpa",
                    "implementation": "naive",
                    "saves": SAVES,
                }
            ],
        }
    ]
}


def row(ms: float, low: float = 1.0, high: float = 5.0) -> Row:
    """A change that was foretold to save 1 to 5 of 20 ms, and saved `ms`."""
    (change,) = foretold._changes("vision", DATA)
    change = Change(
        **{name: getattr(change, name) for name in Change.__dataclass_fields__}
        | {"saves": Figure(3.0, low, high)}
    )
    return Row(change, Figure(ms, ms - 0.5, ms + 0.5))


def script(name: str) -> Callable[[], None]:
    """One step of a script."""
    found: Any = __import__(f"{foretold.PACKAGE}.{name}", fromlist=["prepared"])
    step: Callable[[], None] = found.prepared()
    return step


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_call_of_a_script_is_a_problem_that_can_be_replaced(name: str) -> None:
    step = script(name)
    with Substitution({}, Recogniser()) as found:
        step()
    problems = {Problem.parse(label.partition(": ")[0]) for label in found.left}
    with Substitution(dict.fromkeys(problems, "naive"), Recogniser()) as replaced:
        step()
    assert replaced.replaced.total() == found.left.total() > 0
    assert not replaced.left


def test_the_scripts_have_at_least_twenty_changes() -> None:
    total = 0
    for name in SCRIPTS:
        with Substitution({}, Recogniser()) as found:
            script(name)()
        kinds = {alike(Problem.parse(label.partition(": ")[0])) for label in found.left}
        total += len(kinds) * len(foretold.implementations(name))
    assert total >= 20


def test_changes_are_read_from_the_export() -> None:
    (change,) = foretold._changes("vision", DATA)
    assert (change.script, change.implementation, change.attention) == ("vision", "naive", 20.0)
    assert change.saves == Figure(**SAVES)


def test_the_interval_over_processes_is_students() -> None:
    found = obtained.figure([1.0, 2.0, 3.0])
    assert found.ms == 2.0
    assert found.high - found.ms == pytest.approx(4.302653 / math.sqrt(3))


def test_a_round_is_a_step_without_two_with_and_one_without(monkeypatch: Any) -> None:
    """The clock runs 1 ms for a step of torch, and 3 ms with the change."""
    now = [0]
    original = functional.scaled_dot_product_attention

    def step() -> None:
        changed = functional.scaled_dot_product_attention is not original
        now[0] += 3_000_000 if changed else 1_000_000

    monkeypatch.setattr("time.perf_counter_ns", lambda: now[0])
    monkeypatch.setattr("time.monotonic", lambda: now[0] / 1e9)
    changes = [Substitution({}, Recogniser()) for _ in range(2)]
    assert child.measured(step, changes, 0.0, Random(1)) == [-2.0, -2.0]
    assert now[0] == 2 * child.FEWEST_ROUNDS * 8 * 1_000_000


def test_a_process_says_what_every_change_saved(monkeypatch: Any, capsys: Any) -> None:
    change = {"problems": ["b2 h6 t197 d64 full fp32 bthd cpu"], "implementation": "naive"}
    task = {"script": "vision", "changes": [change], "seconds": 0.0, "seed": 0}
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(task)))
    child.main()
    answer = json.loads(capsys.readouterr().out)
    assert len(answer["saved_ms"]) == 1
    assert answer["replaced"] == [4 * (1 + 2 * child.FEWEST_ROUNDS)]


def test_a_change_that_replaced_no_call_is_an_error(monkeypatch: Any) -> None:
    done = SimpleNamespace(returncode=0, stdout='{"saved_ms": [1.0], "replaced": [0]}')
    monkeypatch.setattr("subprocess.run", lambda *_, **__: done)
    with pytest.raises(ValueError, match="vision: naive replaced no call of b1 h8 t64"):
        obtained.obtain([row(1.0).change], processes=2, seconds=1.0)


def test_a_saving_within_its_interval_is_counted() -> None:
    found = summary.table([row(3.0), row(6.0)])
    assert "1 of 2 obtained savings lie in the foretold 95 % interval." in found
    assert "| no, by 5.0% |" in found


@pytest.mark.parametrize(
    ("rows", "proven"),
    [
        ([row(3.0)] * 10, True),
        ([row(3.0)] * 9 + [row(9.0)], True),
        ([row(3.0)] * 8 + [row(9.0)] * 2, False),
        ([row(3.0, low=-3.0, high=9.0)] * 10, False),
    ],
)
def test_nine_of_ten_within_narrow_intervals_are_a_proof(rows: list[Row], *, proven: bool) -> None:
    assert summary.is_proven(rows) is proven


def test_the_command_prints_the_table_and_writes_every_change(
    monkeypatch: Any, capsys: Any, tmp_path: Path
) -> None:
    monkeypatch.setattr(command, "open_catalogue", lambda *_, **__: ({"cpu": "A CPU"}, ()))
    monkeypatch.setattr(foretold, "foretell", lambda *_: [row(3.0).change])
    monkeypatch.setattr(obtained, "obtain", lambda *_, **__: [Figure(3.0, 2.0, 4.0)])
    out = tmp_path / "out.json"
    assert command.main(["--scripts", "vision,padded", "--out", str(out)]) == 0
    assert "2 of 2 obtained savings" in capsys.readouterr().out
    data = json.loads(out.read_text())
    assert [each["within"] for each in data["rows"]] == [True, True]


def test_a_command_that_fails_is_one_line(monkeypatch: Any, capsys: Any) -> None:
    done = SimpleNamespace(returncode=2, stderr="attnbench: no\n", stdout="")
    monkeypatch.setattr("subprocess.run", lambda *_, **__: done)
    monkeypatch.setattr(command, "open_catalogue", lambda *_, **__: ({}, ()))
    assert command.main(["--scripts", "vision"]) == 1
    assert "run_bench.py record ended with 2" in capsys.readouterr().err


def test_an_unknown_script_is_refused(capsys: Any) -> None:
    with pytest.raises(SystemExit):
        command.main(["--scripts", "nothing"])
    assert "nothing: expected some of training" in capsys.readouterr().err
