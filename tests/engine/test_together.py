"""Implementations in processes of their own are measured in the rounds of the first process."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from suites.engine.together import link, resting
from suites.engine.together.following import Steps
from suites.engine.together.leading import Follower, Followers, LostArmError
from suites.engine.together.link import Link, connected, listening
from suites.engine.together.steps import Took
from suites.measure import affinity
from suites.measure.interference import Waited, Waits
from suites.measure.rounds import Arm
from suites.measure.timing import HostClock, HotSampler
from suites.records.record import Conditions
from tests.engine.real_sessions import (
    Records,
    assert_settled,
    records_of,
    surviving_processes,
)

APART = ("honest_apart", "changes_the_threads")


@pytest.fixture(scope="module")
def records() -> Records:
    return records_of("apart.py")


@pytest.mark.parametrize("name", ["honest_first", "honest_last", *APART])
def test_all_that_are_right_are_measured(records: Records, name: str) -> None:
    check, timed = records[name]
    assert (check.status, timed.status) == ("ok", "ok"), (check.reason, timed.reason)
    assert timed.process == (name if name in APART else "")
    assert timed.unbound == ""


def test_samples_of_all_processes_are_of_the_same_rounds(records: Records) -> None:
    timed = [records[name][1] for name in ("honest_first", "honest_last", *APART)]
    assert len({record.conditions for record in timed}) == 1
    assert len({len(record.times_ms) for record in timed}) == 1


def test_the_baseline_alone_is_timed_once_more_in_another_process(records: Records) -> None:
    first, *others = (records[name][1] for name in ("honest_first", "honest_last", *APART))
    assert len(first.again_ms) == len(first.times_ms) == len(first.twin_ms)
    assert first.again_ms != first.twin_ms
    assert not any(record.again_ms for record in others)


def test_one_that_fails_in_another_process_costs_its_own_record(records: Records) -> None:
    assert_settled(records["raises_in_a_sample"], "failed", "RuntimeError: only in the rounds")
    assert_settled(records["exits_in_a_sample"], "crashed", "the process ended with status 0")


def test_no_process_outlives_the_run(records: Records) -> None:
    assert surviving_processes() == []


class Rounds:
    """The work of a process that follows, without calls."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def set_up(self) -> list[Arm]:
        self.arms = [Arm(name, (), 1.0, HotSampler(HostClock())) for name in ("one", "two")]
        return self.arms

    def capture(self, *, graphs: bool) -> list[Arm]:
        self.heard.append(graphs)
        return self.arms

    def take(self, arm: Arm, refreshed: int) -> Took:
        self.heard.append((arm.name, refreshed))
        return Took(ms=None if arm.name == "two" else 2.5, waited_ms=0.5, switches=1, wall_ms=5.0)

    def start_over(self, names: tuple[str, ...]) -> list[Arm]:
        self.heard.append(names)
        self.arms = [arm for arm in self.arms if arm.name in names]
        return self.arms

    def finish(self, conditions: Conditions | None) -> None:
        self.heard.append(conditions)


def test_a_process_follows_step_by_step(tmp_path: Path) -> None:
    address, work = str(tmp_path / "meeting"), Rounds()

    def follow() -> None:
        with connected(address) as joined:
            Steps(joined, work).follow()

    other = threading.Thread(target=follow)
    other.start()
    with listening(address, 1) as links:
        waits = Waits()
        others = Followers([Follower(each, waits) for each in links], waits)
        others.set_up()
        others.capture(graphs=False)
        one, two = others.arms
        others.refreshed()
        assert one.sampler.take(one.calls, one.count) == 2.5
        others.refreshed()
        with pytest.raises(LostArmError) as lost:
            two.sampler.take(two.calls, two.count)
        others.start_over(lost.value.arm)
        assert [arm.name for arm in others.arms] == ["one"]
        assert waits.drain() == Waited(1.0, 2, 10.0)
        others.finish(Conditions(disturbed=("", "load")))
    other.join()
    ended = Conditions(disturbed=("", "load"))
    assert work.heard == [False, ("one", 1), ("two", 2), ("one",), ended]


def test_a_distant_arm_has_no_lead_in_call_here_and_pays_for_handing_over() -> None:
    follower = Follower(link=Any)  # type: ignore[arg-type] # it is not used
    from suites.engine.together.leading import DistantArm, DistantSampler

    arm = DistantArm("one", (), 1.0, DistantSampler(), follower=follower, index=0, calls_a_sample=3)
    assert not arm.leads_in
    assert arm.count == 3
    assert arm.round_ms == pytest.approx(4 + 2 * resting.HANDOVER_MS)


def test_a_link_waits_to_be_ended_when_the_other_process_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    import socket

    one, other = socket.socketpair()
    ours = Link(one)
    other.close()
    with pytest.raises(RuntimeError, match="another process of this session ended"):
        ours.receive()
    assert slept == [link.ENDS_S]
    ours.close()


def test_rest_waits_for_threads_that_run() -> None:
    stop = threading.Event()

    def spin() -> None:
        while not stop.is_set():
            pass

    spinning = threading.Thread(target=spin)
    spinning.start()
    try:
        assert not resting.rest()
    finally:
        stop.set()
        spinning.join()
    assert resting.rest()


def test_a_process_without_bound_threads_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(affinity, "_places", lambda: (frozenset({0}), frozenset({1})))
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0})
    assert affinity.unbound() == ""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    assert affinity.unbound() == "its threads are not bound to CPUs"
    monkeypatch.setattr(affinity, "_places", tuple)
    assert "does not say where" in affinity.unbound()
    monkeypatch.delattr("os.sched_getaffinity")
    assert affinity.unbound() == "this system binds no threads to CPUs"
