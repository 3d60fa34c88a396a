"""Models of times: simulated series of every law are recognised and predicted, odd ones refused."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from statistics import median

import numpy as np
import pytest
from scipy.optimize import nnls

from reports.analysis.growth.exponents import local
from reports.analysis.growth.models import FEWEST, LEAST_SPAN, LOOSE, Model, Unmodelled, model
from reports.analysis.growth.power_fits import MODELS, TERMS, columns, fits
from reports.views.growth_tables import why_unmodelled
from tests.reports.analysis.growth.simulated import LAWS, NOISE, Made, series

SIZES = (128, 256, 512, 1024, 2048, 4096)


@lru_cache
def simulated() -> list[tuple[Made, Model]]:
    """Sixty series of each of twelve laws: three sessions with 3 % of noise each."""
    return [(made, modelled(made)) for made in series(60, seed=5)]


def modelled(made: Made) -> Model:
    found = model(made.sizes, made.medians)
    assert isinstance(found, Model)
    return found


def test_the_true_law_is_in_the_set_95_times_in_100() -> None:
    # `Made.accepted` says which models count as true where a term is invisible.
    within = [bool(set(found.models) & made.accepted) for made, found in simulated()]
    assert sum(within) >= 0.95 * len(within)


def test_the_set_says_something() -> None:
    assert median(len(found.models) for _, found in simulated()) == 1
    for law, wrong in (("quadratic", "T"), ("linear", "T²"), ("cubic", "T²"), ("n log n", "T")):
        shown = [set(found.models) for made, found in simulated() if made.law == law]
        assert not any(wrong in each for each in shown), law


def test_the_one_chosen_is_of_the_set_and_mostly_true() -> None:
    assert all(found.chosen in found.models for _, found in simulated())
    right = [found.chosen in made.accepted for made, found in simulated()]
    assert sum(right) >= 0.9 * len(right)


def test_sizes_held_out_are_predicted_within_3_percent() -> None:
    off = [abs(each.error) for _, found in simulated() for each in found.predictions]
    assert median(off) <= 0.03


def test_they_lie_within_their_bounds_about_95_times_in_100() -> None:
    hits = [each.hit for _, found in simulated() for each in found.predictions]
    assert 0.92 * len(hits) <= sum(hits) < len(hits)


@pytest.mark.parametrize("law", LAWS)
def test_local_exponents_lie_within_a_twentieth(law: str) -> None:
    wrong = []
    for made in (made for made, _ in simulated() if made.law == law):
        for i, size in enumerate(made.sizes[:-1]):
            short, longer = (dict(enumerate(made.times[:, place])) for place in (i, i + 1))
            true = math.log2(made.true[i + 1] / made.true[i])
            wrong.append(abs(local(size, made.sizes[i + 1], short, longer).value - true))
    assert median(wrong) <= 0.05


def test_every_fit_is_that_of_a_solver_with_the_same_bounds() -> None:
    made = next(iter(series(1, seed=8)))
    sizes, times = np.array(made.sizes, dtype=float), made.times[0]
    found = fits(sizes, times)
    for place, terms in enumerate(MODELS):
        for out in range(len(sizes)):
            kept = np.arange(len(sizes)) != out
            table = columns(sizes, sizes.max())[:, list(terms)] / times[:, None]
            solved, _ = nnls(table[kept], np.ones(kept.sum()))
            assert found.misses[place, out] == pytest.approx(table[out] @ solved - 1, abs=1e-7)


def test_times_without_noise_are_modelled_and_predicted_exactly() -> None:
    found = model(SIZES, [0.5 + 1e-4 * size**2 for size in SIZES])
    assert isinstance(found, Model)
    assert found.models == ("constant + T²",)
    assert found.chosen == "constant + T²"
    assert found.verdict == "hit"
    assert found.predictions[0].predicted == pytest.approx(0.5 + 1e-4 * 4096**2)


def test_one_size_is_held_out_and_two_of_seven() -> None:
    for sizes, held in ((SIZES, SIZES[-1:]), ((64, *SIZES), SIZES[-2:])):
        found = model(sizes, [float(size) for size in sizes])
        assert isinstance(found, Model)
        assert tuple(each.size for each in found.predictions) == held


def test_a_step_at_the_largest_size_is_a_miss() -> None:
    found = model(SIZES, [*(1e-4 * size**2 * 1.01 ** (size % 3) for size in SIZES[:-1]), 5e3])
    assert isinstance(found, Model)
    assert found.verdict == "miss"
    assert found.predictions[0].error == pytest.approx(-2 / 3, abs=0.02)


def test_four_sizes_are_enough() -> None:
    found = model(SIZES[:4], [1.0, 2.02, 3.98, 8.01])
    assert isinstance(found, Model)
    assert "T" in found.models


@pytest.mark.parametrize(
    ("times", "reason"),
    [
        ([], "a model needs 4 lengths, not 0"),
        ([1.0, 2.0, 4.0], "a model needs 4 lengths, not 3"),
        ([1.0, 2.0, 0.0, 8.0], "a time of 0 ms is implausible"),
        ([1.0, 2.0, 4.0, 1e-200], "a time of 1e-200 ms is implausible"),
        ([1.0, math.nan, 4.0, 8.0], "a time of nan ms is implausible"),
        ([1.0, 2.0, 4.0, math.inf], "a time of inf ms is implausible"),
        ([3.0, 3.0, 3.0, 3.0], "every length takes the same time: nothing grows"),
    ],
)
def test_times_without_a_model_have_a_reason(times: list[float], reason: str) -> None:
    found = model(SIZES[: len(times)], times)
    assert isinstance(found, Unmodelled)
    assert why_unmodelled(found).startswith(reason)


@pytest.mark.parametrize(
    "times", [[64.0, 32.0, 16.0, 8.0, 4.0, 2.0], [1.0, 9.0, 2.0, 30.0, 4.0, 60.0]]
)
def test_times_that_no_sum_follows_have_no_model(times: list[float]) -> None:
    found = model(SIZES, times)
    assert isinstance(found, Model)
    assert (found.models, found.chosen) == ((), "")
    assert found.worst > 0.25


def test_a_size_too_few_or_out_of_order_is_an_error() -> None:
    with pytest.raises(ValueError, match="3 times for 4 sizes; expected one time for each size"):
        model(SIZES[:4], [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="expected increasing sizes"):
        model((128, 128, 256, 512), [1.0, 2.0, 3.0, 4.0])


def test_bounds_that_hold_almost_anything_are_no_hit() -> None:
    found = model(SIZES[:5], [1.0, 2.3, 3.4, 9.0, 14.0])
    assert isinstance(found, Model)
    assert all(each.hit for each in found.predictions)
    assert found.verdict == "too wide"


@pytest.mark.parametrize(
    "sizes",
    [
        range(4094, 4099),
        range(8192, 8197),
        range(16384, 16388),
        range(1048576, 1048580),
        range(1000, 1004),
        (1000, 1001, 1002, 1003, 4000),  # the last is held out
    ],
)
def test_lengths_too_close_together_have_no_model(sizes: Sequence[int]) -> None:
    found = model(sizes, [float(size) for size in sizes])
    assert isinstance(found, Unmodelled)
    why = why_unmodelled(found)
    assert why.startswith(f"lengths from {sizes[0]} to {sizes[-2]}, without those held")
    assert "too close together to distinguish powers" in why


def test_lengths_just_far_enough_apart_have_a_model() -> None:
    assert isinstance(model((100, 120, 149, 200), [1.0, 1.2, 1.49, 2.0]), Unmodelled)
    found = model((100, 120, 150, 200), [1.0, 1.2, 1.5, 2.0])
    assert isinstance(found, Model)
    assert found.models == ("T",)


def huddles(count: int, seed: int) -> Iterator[list[int]]:
    """Lengths in two clusters, beside one far away, or anywhere, from 1 up to 2 ** 40."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        base, many = 1 + int(2 ** rng.uniform(0, 39)), int(rng.integers(3, 9))
        cluster = [base + i for i in range(many)]
        yield sorted({base // 2 + 1, *cluster})
        yield sorted({*cluster, *(2 * base + i for i in range(many))})
        yield sorted({1, *cluster, 1 << 40})
        yield sorted({1 + int(2**each) for each in rng.uniform(0, 40, many + 1)})


def test_any_lengths_have_a_model_or_a_reason() -> None:
    rng = np.random.default_rng(2)
    count = 0
    for sizes in huddles(100, seed=4):
        noise = np.exp(NOISE * rng.standard_normal(len(sizes)))
        times = [float(t) for t in 1e-6 * np.array(sizes) ** rng.uniform(0, 1.5) * noise]
        found = model(sizes, times)
        if isinstance(found, Unmodelled):
            fitted = sizes[: -2 if len(sizes) >= 7 else -1]
            assert len(sizes) < FEWEST or fitted[-1] < LEAST_SPAN * fitted[0]
            continue
        count += 1
        assert bool(found.models) == (found.worst <= LOOSE)
        for each in found.predictions:
            assert 0 <= each.low <= each.predicted <= each.high < math.inf
    assert count > 200


@pytest.mark.parametrize(
    ("times", "ruled_out"),
    [
        ([1.0, 1.0, 1.5, 8.0], ()),
        ([1.0, 1.0, 1.5, 4.0], ("T³",)),
        ([1.0, 3.0, 9.0, 40.0], ("constant",)),
    ],
)
def test_a_few_scattered_lengths_are_inconclusive(
    times: list[float], ruled_out: tuple[str, ...]
) -> None:
    found = model((256, 512, 1024, 2048), times)
    assert isinstance(found, Model)
    assert set(found.models) == set(TERMS) - set(ruled_out)
    assert found.ruled_out == ruled_out
    assert not found.is_conclusive
    assert found.lengths == 4


def test_simulated_lengths_are_conclusive() -> None:
    assert all(found.is_conclusive for _, found in simulated())
