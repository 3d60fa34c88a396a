"""Thermal warm-up: how long the load lasts, on a virtual clock and on the stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, count, repeat

import pytest
import torch

from suites.measure import warm_up
from suites.records.facts import WarmUp
from tests.stand_in.device import stand_in

LOOK_S = 0.5
"""Virtual seconds between two looks."""


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in shortens the load; here its usual length counts, on a virtual clock."""
    monkeypatch.setattr(warm_up, "TOGETHER", 1)


def warmed(temperatures: Iterator[int | None], longest_s: float) -> WarmUp:
    times = (LOOK_S * each for each in count())
    with stand_in(), pytest.MonkeyPatch.context() as patched:
        patched.setattr(warm_up, "LONGEST_S", longest_s)
        return warm_up.warm_up(torch.cuda, lambda: next(temperatures), lambda: next(times))


@pytest.mark.usefixtures("small")
def test_a_device_that_heats_up_is_loaded_for_ten_seconds() -> None:
    assert warm_up.LONGEST_S == 10.0
    found = warmed(iter(range(40, 90)), warm_up.LONGEST_S)
    assert found == WarmUp(seconds=10.0, before_c=40, after_c=60)


@pytest.mark.usefixtures("small")
def test_the_load_ends_when_the_temperature_is_steady() -> None:
    rising = chain((40, 50, 60), repeat(60))
    assert warmed(rising, 10.0) == WarmUp(
        seconds=2 * LOOK_S + warm_up.STEADY_S, before_c=40, after_c=60
    )
    assert warmed(repeat(61), 10.0).seconds == warm_up.STEADY_S


@pytest.mark.usefixtures("small")
def test_without_a_temperature_the_load_lasts_the_longest_time() -> None:
    assert warmed(repeat(None), 10.0) == WarmUp(seconds=10.0, before_c=None, after_c=None)


@pytest.mark.parametrize(
    ("capability", "kind"), [((7, 5), torch.float16), ((8, 0), torch.bfloat16)]
)
def test_the_load_is_of_the_16_bit_dtype_and_leaves_the_random_state_alone(
    capability: tuple[int, int], kind: torch.dtype
) -> None:
    before = torch.get_rng_state()
    with stand_in(capability=capability):
        made = warm_up._product(torch.cuda)()
        assert (made.dtype, str(made.device)) == (kind, "cuda:0")
    assert torch.equal(torch.get_rng_state(), before)
