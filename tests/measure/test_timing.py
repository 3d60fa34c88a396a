from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from suites.measure import rounds, timing
from suites.measure.rounds import Arm, Moment, Schedule, orders, rounds_within, run_rounds, schedule
from suites.measure.timing import (
    ColdSampler,
    CudaClock,
    HostClock,
    HotSampler,
    calls_for,
    resolution_ms,
    stretched,
    warm_up,
)


class FakeTime:
    """A clock that stands still until work is done on it."""

    def __init__(self) -> None:
        self.ns = 0

    def now_ns(self) -> int:
        return self.ns

    def work(self, ms: float) -> Callable[[], None]:
        def call() -> None:
            self.ns += int(ms * 1e6)

        return call

    def works(self, *times_ms: float) -> Callable[[], None]:
        """One of these a call."""
        left = iter(times_ms)

        def call() -> None:
            self.ns += int(next(left) * 1e6)

        return call


def test_a_sample_is_the_mean_of_its_calls() -> None:
    time = FakeTime()
    assert HotSampler(HostClock(time.now_ns)).take([time.work(2.0), time.work(3.0)], 4) == 2.5


@pytest.mark.parametrize(
    ("call_ms", "calls"), [(0.005, 20), (0.03, 4), (0.1, 1), (50.0, 1), (5000.0, 1)]
)
def test_a_sample_holds_at_least_a_tenth_of_a_millisecond(call_ms: float, calls: int) -> None:
    assert calls_for(call_ms) == calls
    assert calls_for(call_ms) * call_ms >= timing.SAMPLE_MS


def test_a_call_too_short_to_see_does_not_make_an_endless_sample() -> None:
    assert calls_for(0.0) == 100
    assert calls_for(0.0, 1000.0) == timing.MOST_CALLS


@pytest.mark.parametrize(("call_ms", "calls"), [(1.0, 30), (20.0, 3), (400.0, 1), (2000.0, 1)])
def test_warming_up_takes_three_calls_and_thirty_milliseconds_or_one_long_call(
    call_ms: float, calls: int
) -> None:
    time = FakeTime()
    assert warm_up(time.work(call_ms), HostClock(time.now_ns)) == [call_ms] * calls


def test_warming_up_goes_on_while_the_calls_get_quicker() -> None:
    time = FakeTime()
    took_ms = warm_up(time.works(40.0, 30.0, 20.0, 15.0, 12.0, 11.95, 11.9), HostClock(time.now_ns))
    assert took_ms == [40.0, 30.0, 20.0, 15.0, 12.0, 11.95]


def test_warming_up_ends_after_300_milliseconds_however_the_times_move() -> None:
    time = FakeTime()
    took_ms = warm_up(time.works(*range(99, 0, -2)), HostClock(time.now_ns))
    assert sum(took_ms[:-1]) < timing.WARM_MOST_MS <= sum(took_ms)


def test_a_clock_that_stands_still_does_not_hang_the_warm_up() -> None:
    assert max(warm_up(lambda: None, HostClock(lambda: 0))) == 0


def test_a_clock_that_stands_still_is_refused() -> None:
    with pytest.raises(ValueError, match="the clock stands still"):
        resolution_ms(lambda: 7, tries=1)


def test_the_resolution_is_the_smallest_step_seen() -> None:
    steps = iter([0, 0, 500, 1000, 1000, 1040])
    assert resolution_ms(lambda: next(steps), tries=2) == 40 / 1e6


def test_a_cold_sample_empties_the_caches_before_each_call_outside_the_timer() -> None:
    time, flushed = FakeTime(), []

    def flush() -> None:
        flushed.append(time.ns)
        time.work(100.0)()

    assert ColdSampler(HostClock(time.now_ns), flush).take([time.work(2.0)], 3) == 2.0
    assert len(flushed) == 3


@pytest.mark.parametrize("call_ms", [0.5, 2.0])
def test_a_stretched_call_returns_that_much_later_however_fast_it_is(call_ms: float) -> None:
    time = FakeTime()

    def now_ns() -> int:
        time.ns += 10  # each look at the clock takes a while
        return time.ns

    plain, slowed = (stretched(time.work(call_ms), part, now_ns) for part in (0.0, 0.03))
    plain()
    assert time.ns == pytest.approx(call_ms * 1e6, abs=50)
    time.ns = 0
    slowed()
    assert time.ns == pytest.approx(1.03 * call_ms * 1e6, abs=50)


def test_every_arm_is_once_at_every_position_of_a_square() -> None:
    order = orders(5, Random(3))
    for _ in range(4):
        square = [next(order) for _ in range(5)]
        for place in range(5):
            assert sorted(row[place] for row in square) == list(range(5))


def test_two_arms_make_abba() -> None:
    order = orders(2, Random(1))
    for _ in range(10):
        assert next(order) == next(order)[::-1]


def test_each_square_has_a_new_random_order() -> None:
    order = orders(4, Random(5))
    assert len({tuple(next(order)) for _ in range(40)}) > 4


def arm(time: FakeTime, name: str, ms: float) -> Arm:
    return Arm(name, [time.work(ms)], ms, HotSampler(HostClock(time.now_ns)))


class FakeGauge:
    """Tells what it was told to tell of each round, then nothing."""

    def __init__(self, *disturbed: str) -> None:
        self.disturbed = list(disturbed)

    def start(self) -> None:
        pass

    def stop(self) -> Moment:
        why = self.disturbed.pop(0) if self.disturbed else ""
        return Moment(probe_ms=0.3, run_delay_ms=0.0, involuntary_switches=1, disturbed=why)


def test_rounds_are_allotted_by_cost() -> None:
    time = FakeTime()
    short, middling, long = (arm(time, "x", ms) for ms in (1.0, 60.0, 900.0))
    assert rounds_within(4000, [short]) == rounds.MOST
    assert rounds_within(400, [short, middling]) == 3
    assert rounds_within(170, [short, middling]) == rounds.FEWEST
    assert rounds_within(400, [short, long]) == 1


def test_a_fewest_number_of_rounds_takes_up_to_four_times_the_budget() -> None:
    time = FakeTime()
    long = arm(time, "x", 60.0)  # a lead-in call, and one that is timed
    assert rounds_within(400, [long], fewest=5) == 5
    assert rounds_within(4000, [long], fewest=5) == 33
    assert rounds_within(100, [long], fewest=5) == 3
    assert rounds_within(10, [long], fewest=5) == 1


def test_the_cost_of_a_round_includes_cache_flushes() -> None:
    time = FakeTime()
    sampler = ColdSampler(HostClock(time.now_ns), time.work(98.0), flush_ms=98.0)
    cold = replace(arm(time, "x", 1.0), sampler=sampler, sample_ms=0.0)
    assert cold.count == 1
    assert cold.round_ms == 100.0  # a lead-in call, a flush, a call
    assert rounds_within(400, [cold]) == 4


def test_rounds_interleave_with_a_lead_in_call_before_each_short_sample() -> None:
    time = FakeTime()
    arms = [arm(time, "short", 4.0), arm(time, "long", 200.0)]
    announced: list[int] = []
    changed: list[int] = []
    made = run_rounds(
        arms,
        Schedule(3),
        Random(1),
        gauge=FakeGauge(),
        refresh=lambda: changed.append(time.ns),
        announce=announced.append,
        page_faults=lambda: time.ns // 4_000_000,
    )
    assert sorted(announced[:2]) == sorted(announced[2:4]) == [0, 1]
    assert [len(each.times_ms) for each in arms] == [3, 3]
    assert arms[0].times_ms == [4.0] * 3
    assert arms[1].times_ms == [200.0] * 3
    assert time.ns == 3 * ((1 + 1) * 4 + 200) * 1e6  # one lead-in and one call; one call
    assert arms[0].faults == [1] * 3  # the lead-in's faults do not count
    assert len(changed) == 3  # the inputs, before each round
    assert made.disturbed == ("", "", "")
    assert made.quiet == (0, 1, 2)
    assert made.involuntary_switches == (1, 1, 1)


@pytest.mark.parametrize(
    ("disturbed", "kept"),
    [
        (["x"], ["x", "", ""]),
        (["", "x", "x"], ["", "x", "x", ""]),
        (["x", "x", "x"], ["x", "x", "x", ""]),
        (["x"] * 9, ["x"] * 4),
    ],
)
def test_a_disturbed_round_is_repeated_as_a_whole_and_every_attempt_is_kept(
    disturbed: list[str], kept: list[str]
) -> None:
    time = FakeTime()
    arms = [arm(time, "a", 40.0), arm(time, "b", 50.0)]
    made = run_rounds(
        arms,
        Schedule(2),
        Random(1),
        gauge=FakeGauge(*disturbed),
        refresh=lambda: None,
        announce=lambda _: None,
        page_faults=lambda: 0,
    )
    assert list(made.disturbed) == kept
    assert [len(each.times_ms) for each in arms] == [len(kept)] * 2


def test_without_repeats_every_round_is_tried_once_and_kept() -> None:
    time = FakeTime()
    arms = [arm(time, "a", 40.0), arm(time, "b", 50.0)]
    made = run_rounds(
        arms,
        Schedule(3, repeats=0),
        Random(1),
        gauge=FakeGauge("x", "x"),
        refresh=lambda: None,
        announce=lambda _: None,
        page_faults=lambda: 0,
    )
    assert made.disturbed == ("x", "x", "")
    assert [len(each.times_ms) for each in arms] == [3] * 2


def test_single_calls_end_with_their_budget_however_long_a_warm_call_was() -> None:
    def taken(ms: float, warm_ms: float) -> int:
        time = FakeTime()
        one = replace(arm(time, "a", ms), call_ms=warm_ms, sample_ms=0.0)
        run_rounds(
            [one],
            schedule(20_000, [one], single=True),
            Random(1),
            gauge=FakeGauge(),
            refresh=lambda: None,
            announce=lambda _: None,
            page_faults=lambda: 0,
        )
        return len(one.times_ms)

    assert taken(1.0, warm_ms=1.0) == taken(1.0, warm_ms=90.0) == rounds.TAIL_MOST
    assert taken(40.0, warm_ms=40.0) == taken(40.0, warm_ms=90.0) == 250
    assert taken(30_000.0, warm_ms=900.0) == 1


def test_short_rounds_are_watched_and_repeated_together() -> None:
    time = FakeTime()
    arms = [arm(time, "a", 4.0), arm(time, "b", 5.0)]  # a round takes 18 ms, so three are watched
    made = run_rounds(
        arms,
        Schedule(4),
        Random(1),
        gauge=FakeGauge("x", "", ""),
        refresh=lambda: None,
        announce=lambda _: None,
        page_faults=lambda: 0,
    )
    assert made.disturbed == ("x", "x", "x", "", "", "")
    assert made.quiet == (3, 4, 5)
    assert [len(each.times_ms) for each in arms] == [6, 6]


class FakeEvent:
    def __init__(self, device: FakeDevice) -> None:
        self._device, self.at_ms = device, 0.0

    def record(self) -> None:
        self._device.called.append("record")
        self.at_ms = self._device.ms

    def elapsed_time(self, end: FakeEvent) -> float:
        return end.at_ms - self.at_ms


class FakeDevice:
    """Stands in for torch.cuda: events on a clock of its own."""

    def __init__(self) -> None:
        self.ms = 0.0
        self.called: list[str] = []

    def Event(self, *, enable_timing: bool) -> FakeEvent:  # noqa: N802 - torch's own name
        assert enable_timing
        return FakeEvent(self)

    def synchronize(self) -> None:
        self.called.append("synchronize")


def test_on_a_device_time_is_taken_between_events_with_the_device_synchronised() -> None:
    device = FakeDevice()

    def call() -> None:
        device.ms += 1.5

    assert HotSampler(CudaClock(device)).take([call], 4) == 1.5
    assert device.called == ["synchronize", "record", "record", "synchronize"]
