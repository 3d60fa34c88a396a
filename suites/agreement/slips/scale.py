"""The scores are multiplied by another number than the scale."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from math import exp, log
from typing import Final

import torch
from torch import Tensor

from suites.agreement.gate import apart_as_text
from suites.agreement.observation import Observation, apart
from suites.agreement.slip import Diagnosis, Slip, Suspect
from suites.agreement.variation import right_score, varied

GRID, FARTHEST = 48, 256.0
"""Factors of the scale that are tried, and the largest of them."""
NARROWINGS: Final = 60
"""Steps of the golden section: the interval shrinks to 1e-12 of its width."""
GOLDEN: Final = (5**0.5 - 1) / 2
DEFAULT: Final = "use scale = q.shape[-1] ** -0.5, the head dimension of one head"


def _suspects(observation: Observation) -> Iterator[Suspect]:
    problem = observation.problem
    right = problem.softmax_scale
    for key, scale, how, cure in _named(observation):
        if abs(scale / right - 1) > 1e-6:
            sentence = f"scores are multiplied by {how}, expected {right:.6g}"
            yield Suspect(Diagnosis(key, sentence, cure), partial(_scaled, observation, scale))
    mean = "the scores have no effect: out is the mean of v over the visible keys"
    used = Diagnosis("scores_ignored", mean, "use scale * (q @ k.transpose(-1, -2)) as the scores")
    yield Suspect(used, partial(_scaled, observation, 0.0))
    if problem.key_length > 1 and (fitted := _fitted(observation)) is not None:
        found, expected = apart_as_text(fitted, right)
        sentence = f"scores are multiplied by {found}, expected {expected}"
        cure = "use the argument scale" if problem.scale is not None else DEFAULT
        found_there = Diagnosis("scale_wrong", sentence, cure)
        yield Suspect(found_there, partial(_scaled, observation, fitted))


def _named(observation: Observation) -> Iterator[tuple[str, float, str, str]]:
    """Keys, scales, their descriptions and cures."""
    problem = observation.problem
    right, dim, heads = problem.softmax_scale, problem.head_dim, problem.query_heads
    default = dim**-0.5
    multiply = "multiply q @ k.transpose(-1, -2) by scale = q.shape[-1] ** -0.5"
    once = "multiply by the scale once: scaled_dot_product_attention does so itself"
    if problem.scale is not None:
        own = "use the argument scale, or state Limits(own_scale=False)"
        yield "scale_ignored", default, f"{default:.6g}, that is 1/sqrt(D)", own
    yield "scale_missing", 1.0, "1: the scale is missing", multiply
    square = f"{right**2:.6g}" if problem.scale is not None else f"{right**2:.6g} = 1/D"
    yield "scale_twice", right**2, f"{right:.6g} twice, that is {square}", once
    others = {
        "1/D": 1 / dim,
        f"1/sqrt(E), E = Hq * D = {heads * dim} of all heads together": (heads * dim) ** -0.5,
        "1/sqrt(Dv), of the values": problem.value_size**-0.5,
        "1/sqrt(Tk), of the key length": problem.key_length**-0.5,
        "1/sqrt(Hq), of the number of heads": heads**-0.5,
        "sqrt(D)": dim**0.5,
    }
    for name, scale in others.items():
        yield "scale_wrong", scale, f"{scale:.6g}, that is {name}", DEFAULT
    base = "multiply the scores by log2(e) = 1.442695 where 2 ** x replaces exp(x)"
    yield "scale_wrong", right * log(2), f"{right * log(2):.6g}, that is scale * ln(2)", base


def _scaled(observation: Observation, scale: float) -> Iterator[Tensor]:
    return varied(observation, score=right_score(observation, scale))


def _fitted(observation: Observation) -> float | None:
    """The scale with the smallest error, by golden section; None: none comes close."""
    made = observation.made[0]
    right = observation.values["out"]
    if made.shape != right.shape or not made.isfinite().all() or observation.agrees_with([right]):
        return None

    def error(exponent: float) -> float:
        with torch.no_grad():
            return apart(made, next(_scaled(observation, exp(exponent))))

    centre, width = log(observation.problem.softmax_scale), log(FARTHEST)
    grid = [centre + width * (2 * step / GRID - 1) for step in range(GRID + 1)]
    best = min(grid, key=error)
    if best in (grid[0], grid[-1]):
        return None
    step = 2 * width / GRID
    return exp(_narrowed(error, best - step, best + step))


def _narrowed(error: Callable[[float], float], low: float, high: float) -> float:
    """The place of the smallest error between two numbers."""
    places = [high - GOLDEN * (high - low), low + GOLDEN * (high - low)]
    errors = [error(place) for place in places]
    for _ in range(NARROWINGS):
        if errors[0] < errors[1]:
            high, places[1], errors[1] = places[1], places[0], errors[0]
            places[0] = high - GOLDEN * (high - low)
            errors[0] = error(places[0])
        else:
            low, places[0], errors[0] = places[0], places[1], errors[1]
            places[1] = low + GOLDEN * (high - low)
            errors[1] = error(places[1])
    return (low + high) / 2


SLIP = Slip(
    order=90,
    keys=("scale_ignored", "scale_missing", "scale_twice", "scores_ignored", "scale_wrong"),
    suspects=_suspects,
)
