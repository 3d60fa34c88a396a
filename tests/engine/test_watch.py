"""The watch of a session: limits of time and memory, with a fake clock."""

from __future__ import annotations

from impls.interface import Problem
from suites.engine.watch import OWN_LIMIT_S, START_LIMIT_S, Watch

GIB = 1 << 30
P = Problem.parse("t8")


def working(**limits: float) -> Watch:
    watch = Watch(
        time_limit_s=limits.get("time", 10.0),
        memory_limit=int(limits.get("memory", GIB)),
        prepare_limit_s=limits.get("prepare", 100.0),
    )
    watch.started(0.0)
    watch.begins((P, "a"), 100.0, 2 * GIB)
    return watch


def test_a_session_within_its_limits_goes_on() -> None:
    assert working().ending(110.0, 3 * GIB) is None


def test_an_implementation_beyond_the_time_limit_is_timed_out() -> None:
    ending = working().ending(110.1, 0)
    assert ending is not None
    assert (ending.status, ending.cause) == ("timed_out", "time_limit")
    assert ending.reason == "spent more than 10 s on this problem (--time-limit)"


def test_time_adds_up_over_the_turns_of_one_implementation() -> None:
    watch = working()
    for turn in range(3):
        watch.begins((P, "a"), 100.0 + 5 * turn, 0)
        watch.begins((P, "b"), 104.0 + 5 * turn, 0)
    watch.begins((P, "a"), 115.0, 0)
    assert watch.ending(112.0 + 4, 0) is not None  # 4 + 4 + 4 seconds, and one more
    assert watch.at_work == (P, "a")


def test_time_of_other_implementations_and_of_the_engine_does_not_count() -> None:
    watch = working()
    watch.rests(101.0)
    assert watch.ending(101.0 + OWN_LIMIT_S, 0) is None
    watch.begins((P, "a"), 1000.0, 0)
    assert watch.ending(1008.9, 0) is None
    assert watch.ending(1009.1, 0) is not None


def test_preparing_does_not_count_as_time_on_the_problem() -> None:
    watch = working()
    watch.prepares(105.0, begins=True)
    assert watch.ending(200.0, 0) is None
    watch.prepares(200.0, begins=False)
    assert watch.ending(204.9, 0) is None
    ending = watch.ending(205.1, 0)  # 5 seconds before, and 5.1 after
    assert ending is not None
    assert ending.cause == "time_limit"


def test_preparing_has_a_limit_of_its_own_for_all_that_is_prepared_for_a_problem() -> None:
    watch = working(prepare=30.0)
    for began_s in (100.0, 200.0):
        watch.prepares(began_s, begins=True)
        watch.prepares(began_s + 14.0, begins=False)
        watch.rests(began_s + 14.0)
        watch.begins((P, "a"), began_s + 90.0, 0)
    watch.prepares(290.0, begins=True)
    assert watch.ending(291.9, 0) is None
    ending = watch.ending(292.1, 0)
    assert ending is not None
    assert (ending.status, ending.cause) == ("timed_out", "prepare_limit")
    assert ending.reason == "preparing took more than 30 s (--prepare-limit)"


def test_preparing_ends_with_the_turn() -> None:
    watch = working()
    watch.prepares(100.0, begins=True)
    watch.begins((P, "b"), 101.0, 0)
    assert watch.ending(112.0, 0) is not None


def test_nothing_prepares_while_the_engine_itself_works() -> None:
    watch = working()
    watch.rests(101.0)
    watch.prepares(102.0, begins=True)
    assert not watch.is_preparing


def test_a_session_in_which_no_implementation_is_at_work_is_ended_when_silent() -> None:
    watch = working()
    watch.rests(101.0)
    ending = watch.ending(102.0 + OWN_LIMIT_S, 0)
    assert ending is not None
    assert (ending.status, ending.cause) == ("timed_out", "silent_session")
    assert "the session itself was silent" in ending.reason


def test_memory_counts_from_the_bytes_held_when_the_turn_began() -> None:
    watch = working()
    assert watch.ending(100.0, 3 * GIB) is None
    watch.begins((P, "b"), 101.0, 5 * GIB)
    assert watch.ending(101.0, 6 * GIB) is None
    watch.begins((P, "a"), 102.0, 7 * GIB)
    ending = watch.ending(102.0, 8 * GIB + 1)
    assert ending is not None
    assert (ending.status, ending.cause) == ("out_of_memory", "memory_limit")
    assert ending.reason == "added 1.00 GiB, the limit is 1.00 GiB (--memory-limit)"


def test_a_process_that_never_sends_a_message_is_ended_sooner() -> None:
    watch = Watch(time_limit_s=10.0, memory_limit=GIB)
    watch.started(0.0)
    assert watch.ending(START_LIMIT_S, 0) is None
    assert watch.ending(START_LIMIT_S + 1, 0) is not None
