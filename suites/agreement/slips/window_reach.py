"""A window or a causal mask reaches too far, or not far enough, on one side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from impls import reference
from impls.interface.rows import located
from suites.agreement.observation import Observation
from suites.agreement.slip import Diagnosis, Slip, Suspect
from suites.agreement.variation import first_difference, masked

KEYS = ("left_reach_too_long", "left_reach_too_short", "right_reach_too_long",
        "right_reach_too_short")  # fmt: skip


def _suspects(observation: Observation) -> Iterator[Suspect]:
    left, right = observation.problem.mask.left, observation.problem.mask.right
    if left is not None:
        for reach in (left + 1, left - 1, *(() if right is None else (right, right + 1))):
            if reach not in (left, 0):  # no key at all: another fault
                yield from _side(observation, "left", left, reach)
    if right is not None:
        for reach in (right + 1, right - 1, 0, *(() if left is None else (left - 1, left))):
            if reach != right:
                yield from _side(observation, "right", right, reach)


def _side(observation: Observation, side: str, expected: int, reach: int) -> Iterator[Suspect]:
    seen = _seen(observation, side, reach)
    word = "long" if reach > expected else "short"
    by, keys = abs(reach - expected), "key" if abs(reach - expected) == 1 else "keys"
    sentence = (
        f"the {'mask' if observation.problem.mask.left is None else 'window'} is {by} {keys} too "
        f"{word} on the {side}: {first_difference(observation, seen)}"
    )
    found = Diagnosis(f"{side}_reach_too_{word}", sentence, _cure(side))
    yield from (Suspect(found, outputs) for outputs in masked(observation, seen))


def _cure(side: str) -> str:
    """The condition on that side; the left reach counts the query's own key."""
    if side == "left":
        return "keep keys with q_position - k_position < left: the reach counts the query's own key"
    return "keep keys with k_position - q_position <= right; causal is right = 0"


def _seen(observation: Observation, side: str, reach: int) -> Tensor:
    """The visible pairs with another reach on one side; it may be negative."""
    problem = observation.problem
    mask = problem.mask.resolved(problem.batch, problem.key_length)
    left, right = mask.left, mask.right
    rest = replace(mask, left=None, right=None)
    rows = torch.arange(problem.batch)
    seen = reference.visible(rest, rows, observation.positions, observation.keys)
    left, right = (reach, right) if side == "left" else (left, reach)
    positions = observation.positions
    if mask.rows is not None:
        positions = located(mask.rows, positions)[1]
    distance = positions[:, None] - observation.keys
    if left is not None:
        seen = seen & (distance < left)
    return seen if right is None else seen & (distance >= -right)


SLIP = Slip(order=40, keys=KEYS, suspects=_suspects)
