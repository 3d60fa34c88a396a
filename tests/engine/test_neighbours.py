"""The neighbour effect, on a fake clock: calls set what the product after them takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from suites.engine.neighbours import FEWEST, MOST, SHARE, neighbour_ratios
from suites.measure.rounds import Arm
from suites.measure.timing import Call

BUDGET_MS = 500.0
PAIR_MS = SHARE * BUDGET_MS / FEWEST
"""The longest pair of a call and a product that has time."""


class NoSampler:
    """No times are taken here."""

    name = "host"

    def take(self, calls: Sequence[Call], count: int) -> float:
        raise AssertionError((calls, count))

    def aside_ms(self, count: int) -> float:
        raise AssertionError(count)


class Machine:
    """A product takes 1 ms, and longer while the threads of the call before it spin."""

    def __init__(self) -> None:
        self.spins_ms = 0.0
        self.called: list[str] = []

    def arm(self, name: str, spins_ms: float, call_ms: float = 0.25) -> Arm:
        def call() -> None:
            self.called.append(name)
            self.spins_ms = spins_ms

        return Arm(name, [call], call_ms, NoSampler())

    def after(self) -> float:
        took_ms, self.spins_ms = 1.0 + self.spins_ms, 0.0
        return took_ms


def ratios(
    machine: Machine, *arms: Arm, announce: Callable[[int], None] = lambda _: None
) -> dict[str, float]:
    return neighbour_ratios(arms, "base", machine.after, announce, BUDGET_MS)


def test_a_row_whose_threads_spin_is_found() -> None:
    machine = Machine()
    found = ratios(machine, machine.arm("base", 0.0), machine.arm("spins", 5.3))
    assert found == {"spins": pytest.approx(6.3)}


def test_the_ratio_is_taken_against_the_baseline_wherever_it_stands() -> None:
    machine = Machine()
    arms = machine.arm("a", 2.0), machine.arm("base", 1.0), machine.arm("b", 0.0)
    assert ratios(machine, *arms) == {"a": pytest.approx(1.5), "b": pytest.approx(0.5)}


def test_each_call_is_announced_before_it_runs() -> None:
    machine = Machine()
    seen: list[tuple[int, int]] = []
    arms = machine.arm("base", 0.0), machine.arm("a", 0.0)
    ratios(machine, *arms, announce=lambda index: seen.append((index, len(machine.called))))
    assert seen == [(0, 0), (1, MOST)]
    assert machine.called == ["base"] * MOST + ["a"] * MOST


def test_long_calls_are_left_out() -> None:
    machine = Machine()
    arms = machine.arm("base", 0.0), machine.arm("long", 9.0, call_ms=PAIR_MS)
    assert ratios(machine, *arms) == {}
    assert "long" not in machine.called


def test_without_a_baseline_there_is_no_ratio() -> None:
    machine = Machine()
    assert ratios(machine, machine.arm("a", 3.0)) == {}
