"""The study of methods: what its figures are made of, how time is shared out, and one small run."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from torch import Tensor

from suites.calibrate.protocol import PROBLEMS, Calibration
from suites.calibrate.study import __main__ as command
from suites.calibrate.study import child, schedule, summary
from suites.calibrate.study.methods import METHODS, OURS, Measured, Setting, measured, of_benchmarks
from suites.calibrate.study.pairs import Kind, Pair, Word, from_samples, from_sessions
from suites.calibrate.study.schedule import LEAST_ARM_S, Shares, Study, Turn

BEGAN = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
MACHINE = {
    "attnbench": "0.1.0",
    "cpu": "A CPU",
    "cores": 2,
    "os": "Linux",
    "python": "3.12.1",
    "threads": 1,
    "versions": {"torch": "2.13.0"},
}
TASK = child.MethodTask(method="do_bench", problems=(), slowed=0.03, threads=1, seed=1, arm_s=0.02)


def pair(kind: Kind, error: float, decided: Word = "no difference") -> Pair:
    truth = 1.0 if kind == "identical" else 1.03
    ratio = truth * (1 + error)
    return Pair(problem="b1", kind=kind, truth=truth, ratio=ratio, decided=decided)


def turn(method: str, wall_s: float, pairs: Sequence[Pair] = (), timed_s: float = 0.0) -> Turn:
    return Turn(method=method, repeat=1, wall_s=wall_s, timed_s=timed_s, pairs=pairs)


def calibration(session: int, *, twin: float, slowed: float) -> Calibration:
    times_ms = {
        "base": (1.0, 1.0),
        "twin": (twin, twin),
        "slowed": (slowed, slowed),
    }
    return Calibration(
        session=session,
        problem="b1",
        times_ms=times_ms,
        quiet=(0, 1),
        truth=1.03,
        wall_s=1.0,
    )


def setting(problems: Sequence[str] = ("b1", "b2"), sessions: int = 5) -> Setting:
    return Setting(problems=problems, sessions=sessions, threads=1)


def a_turn_of(*names: str) -> dict[str, Turn]:
    pairs = [pair("identical", 0.01), pair("slowed", 0.02, "slower")]
    return {name: turn(name, 10.0, pairs) for name in names}


class Stub:
    """Methods that take known times on a clock of their own."""

    def __init__(self, takes_s: Mapping[str, Callable[[Setting, float], float]]) -> None:
        self.now_s = 0.0
        self.asked: list[tuple[str, int, float]] = []
        self.methods = {name: self._method(name, take) for name, take in takes_s.items()}

    def _method(
        self, name: str, take: Callable[[Setting, float], float]
    ) -> Callable[[Setting, int, float], Measured]:
        def measure(given: Setting, repeat: int, arm_s: float) -> Measured:
            self.asked.append((name, repeat, arm_s))
            self.now_s += take(given, arm_s)
            timed_s = 0.0 if name == OURS else 3 * len(given.problems) * arm_s
            return Measured([pair("identical", 0.01), pair("slowed", 0.02)], timed_s)

        return measure

    def study(self) -> Study:
        return Study(setting=setting(), methods=self.methods, now_s=lambda: self.now_s)


def ours_and_another() -> Stub:
    return Stub(
        {OURS: lambda given, _: 4.0 * given.sessions, "other": lambda _, arm_s: 2 + 6 * arm_s}
    )


def test_sessions_that_differ_from_one_by_chance_show_no_difference() -> None:
    found = [calibration(n, twin=t, slowed=1.03) for n, t in enumerate((0.99, 1.01, 1.0))]
    identical, _ = from_sessions(found)
    assert (identical.kind, identical.truth, identical.decided) == (
        "identical",
        1.0,
        "no difference",
    )
    assert identical.error == pytest.approx(0, abs=1e-4)


def test_sessions_that_agree_on_a_difference_show_it() -> None:
    found = [calibration(n, twin=1.0, slowed=s) for n, s in enumerate((1.03, 1.031, 1.032))]
    _, slowed = from_sessions(found)
    assert (slowed.kind, slowed.decided) == ("slowed", "slower")
    assert slowed.truth == pytest.approx(1.03)
    assert slowed.ratio == pytest.approx(math.exp(sum(map(math.log, (1.03, 1.031, 1.032))) / 3))


def test_medians_are_compared_and_ranks_decide() -> None:
    base = [1.0 + n / 1000 for n in range(20)]
    times = {"base": base, "same": base[::-1], "slowed": [0.9 * t for t in base]}
    identical, slowed = from_samples("b1", times, 1.03)
    assert (identical.ratio, identical.decided) == (1.0, "no difference")
    assert (slowed.truth, slowed.decided) == (1.03, "faster")
    assert slowed.error == pytest.approx(1 - 0.9 / 1.03)


def test_what_pytest_benchmark_writes_is_sorted_by_problem_and_arm() -> None:
    def benchmark(problem: str, arm: str, times: list[float]) -> dict[str, Any]:
        info = {"problem": problem, "arm": arm}
        return {"extra_info": info, "stats": {"data": times}}

    written = [
        benchmark(p, arm, [seconds, seconds])
        for p in ("b1", "b2")
        for arm, seconds in (("base", 1.0), ("same", 1.0), ("slowed", 1.05))
    ]
    found = of_benchmarks({"benchmarks": written})
    assert found["b2"] == {"base": [1.0, 1.0], "same": [1.0, 1.0], "slowed": [1.05, 1.05]}
    of_all = measured(found)
    assert [(each.problem, each.kind) for each in of_all.pairs] == [
        ("b1", "identical"),
        ("b1", "slowed"),
        ("b2", "identical"),
        ("b2", "slowed"),
    ]
    assert of_all.timed_s == pytest.approx(12.2)


def test_the_time_of_an_arm_follows_from_our_turn_without_process_starts() -> None:
    shares = Shares(arms=30, foreseen_s=34.0)
    shares.pilot(turn("other", 5.0, timed_s=1.0))
    assert shares.arm_s("other", 1) == pytest.approx((34 - 4) / 30)
    shares.learn(turn(OURS, 25.0))
    assert shares.arm_s("other", 1) == pytest.approx((25 - 4) / 30)


def test_the_turn_after_a_long_one_is_shorter() -> None:
    shares = Shares(arms=30, foreseen_s=34.0)
    shares.learn(turn("other", 40.0, timed_s=36.0))
    assert shares.arm_s("other", 2) == pytest.approx((2 * 34 - 40 - 4) / 30)
    shares.learn(turn("other", 400.0, timed_s=396.0))
    assert shares.arm_s("other", 3) == LEAST_ARM_S


def test_a_pilot_foresees_our_turn_from_one_session() -> None:
    stub = ours_and_another()
    shares = stub.study().pilot()
    assert [(name, repeat) for name, repeat, _ in stub.asked] == [(OURS, 0), ("other", 0)]
    assert (shares.arms, shares.foreseen_s) == (6, 20.0)
    assert shares.arm_s("other", 1) == pytest.approx((20 - 2) / 6)


def test_all_methods_use_the_same_wall_time_in_random_order() -> None:
    stub = ours_and_another()
    study = stub.study()
    turns = list(study.turns(8, study.pilot()))
    used_s = {name: sum(t.wall_s for t in turns if t.method == name) for name in study.methods}
    assert used_s == {OURS: 160.0, "other": pytest.approx(160.0)}
    orders = [tuple(t.method for t in turns if t.repeat == n) for n in range(1, 9)]
    assert {frozenset(order) for order in orders} == {frozenset(study.methods)}
    assert len(set(orders)) == 2


def test_figures_count_errors_false_alarms_and_found_differences() -> None:
    ours = [pair("identical", 0.01), pair("slowed", -0.01, "slower")]
    others = [
        pair("identical", 0.03, "faster"),
        pair("slowed", 0.03),
        pair("slowed", 0.03, "faster"),
    ]
    first, second = summary.figures([turn("other", 7.0, others), turn(OURS, 5.0, ours)])
    assert (first.method, second.method) == (OURS, "other")
    assert (first.false_alarms, first.identical, first.found, first.slowed) == (0, 1, 1, 1)
    assert (second.false_alarms, second.identical, second.found, second.slowed) == (1, 1, 0, 2)
    assert second.wall_s == 7.0
    assert second.median_error == pytest.approx(0.03)
    assert second.high_error == pytest.approx(0.03)
    assert second.against_ours == pytest.approx(3.0)


def test_the_high_error_is_the_95th_percentile() -> None:
    pairs = [pair("identical", n / 100) for n in range(101)]
    (row,) = summary.figures([turn(OURS, 1.0, pairs)])
    assert row.median_error == pytest.approx(0.5)
    assert row.high_error == pytest.approx(0.95)


def test_the_table_holds_every_method_and_figure() -> None:
    rows = summary.figures(list(a_turn_of(*METHODS).values()))
    lines = summary.markdown(rows).splitlines()
    cells = [cell.strip() for cell in lines[2].strip("|").split("|")]
    assert cells == [OURS, "2", "10", "1.50", "1.95", "0 of 1", "1 of 1", "1.0"]
    assert {line.count("|") for line in lines} == {len(summary.HEADINGS) + 1}
    assert len({len(line) for line in lines}) == 1
    assert all(any(name in line for line in lines) for name in METHODS)


def test_one_line_names_date_machine_and_versions() -> None:
    line = summary.about(MACHINE, BEGAN)
    assert line.startswith(
        "2026-03-01 12:30 UTC; A CPU, 2 cores, 1 thread, Linux; "
        "attnbench 0.1.0, python 3.12.1, torch 2.13.0, pytest-benchmark "
    )
    assert line.count("\n") == 1


def test_the_arms_are_the_same_call_with_rotating_inputs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Tensor] = []

    def kept(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        seen.append(q)
        return q

    stand_in = SimpleNamespace(prepared=lambda _: lambda **_: kept)
    monkeypatch.setattr(child, "implementation", lambda: lambda function: stand_in)
    arms = child.arms_of("b1 h1 t4 d4", TASK)
    assert tuple(arms) == child.ARMS
    seen.clear()
    for call in arms.values():
        call()
    assert len(seen) == 3
    assert seen[0] is not seen[1]
    assert seen[0] is seen[2]


def test_blocks_are_timed_one_by_one_after_warming_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(s=0.0)

    def block() -> None:
        clock.s += 0.01

    monkeypatch.setattr(child, "time", SimpleNamespace(perf_counter=lambda: clock.s))
    times = child.one_by_one(block, replace(TASK, arm_s=0.095))
    assert times == pytest.approx([0.01] * 10)
    assert clock.s == pytest.approx(0.13)


def test_torch_times_blocks_until_its_time_is_used() -> None:
    times = child.with_torch(lambda: sum(range(10_000)), TASK)
    assert len(times) >= 1
    assert all(seconds > 0 for seconds in times)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--repeats", "0"], "--repeats: 0: expected at least 1"),
        (["--sessions", "1"], "--sessions: 1: expected at least 2"),
        (["--threads", "0"], "--threads: 0: expected 1 to "),
        (["--threads", "many"], "--threads: many: expected 1 to "),
        (["--out", "nowhere/at/all.json"], "expected a file in a folder that exists"),
        (
            ["--nonsense"],
            "unrecognized arguments: --nonsense (python -m suites.calibrate.study --help)",
        ),
    ],
)
def test_a_mistake_is_one_line_and_status_2(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("attnbench: ")
    assert said in err
    assert err.count("\n") == 1


def test_without_pytest_benchmark_it_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    assert command.main([]) == 2
    assert "pytest-benchmark is missing; install it" in capsys.readouterr().err


def test_the_command_prints_the_table_and_keeps_every_ratio(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    stub = ours_and_another()
    monkeypatch.setattr(schedule, "METHODS", stub.methods)
    monkeypatch.setattr(command, "open_catalogue", lambda names, threads: (MACHINE, ()))
    kept = tmp_path / "study.json"
    assert command.main(["--repeats", "2", "--out", str(kept)]) == 0
    out, err = capsys.readouterr()
    assert err == ""  # quiet where there is no terminal
    assert "other |     4 |" in out
    assert out.endswith("\n")
    turns = json.loads(kept.read_text())["turns"]
    assert [each["repeat"] for each in turns] == [1, 1, 2, 2]
    assert turns[0]["pairs"][0]["ratio"] == pytest.approx(1.01)


def test_a_method_that_fails_is_one_line_and_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stub_methods = dict.fromkeys(METHODS, METHODS["do_bench"])
    monkeypatch.setattr(schedule, "METHODS", stub_methods)
    monkeypatch.setattr(command, "PROBLEMS", ("b1 nonsense",))
    monkeypatch.setattr(command, "open_catalogue", lambda names, threads: (MACHINE, ()))
    assert command.main([]) == 1
    err = capsys.readouterr().err
    assert err.startswith(
        "attnbench: suites.calibrate.study.child ended with status 1: ValueError: "
    )
    assert err.count("\n") == 1


def test_every_method_measures_both_pairs_of_every_problem() -> None:
    small = Setting(problems=PROBLEMS[:2], sessions=2, threads=1)
    shares = Shares(arms=6, foreseen_s=0.0)
    for name in METHODS:  # so much besides measuring that an arm gets the least
        shares.pilot(turn(name, 1e6))
    turns = list(Study(setting=small).turns(1, shares))
    assert {each.method for each in turns} == set(METHODS)
    for each in turns:
        assert {(p.problem, p.kind) for p in each.pairs} == {
            (problem, kind) for problem in PROBLEMS[:2] for kind in ("identical", "slowed")
        }
        assert all(p.ratio > 0 for p in each.pairs)
        assert all(p.truth == 1 for p in each.pairs if p.kind == "identical")
        assert all(1.02 < p.truth < 1.05 for p in each.pairs if p.kind == "slowed")
    assert json.loads(json.dumps(summary.as_data(turns, MACHINE, BEGAN)))["turns"]
    assert summary.figures(turns)[0].method == OURS
