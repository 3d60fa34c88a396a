"""A causal mask or a window is aligned to the first key instead of the last (top-left)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from impls import reference
from impls.interface import Mask
from impls.interface.rows import slices
from suites.agreement.observation import Observation
from suites.agreement.slip import Diagnosis, Slip, Suspect
from suites.agreement.variation import first_difference, masked

CURE = (
    "use torch.ones(Tq, Tk, dtype=torch.bool).tril(diagonal=Tk - Tq) instead of is_causal=True or "
    "tril() where Tq != Tk, or state Limits(unequal_lengths=False)"
)
WINDOW_CURE = (
    "use the positions torch.arange(Tq) + Tk - Tq for the queries, or state "
    "Limits(unequal_lengths=False)"
)


def _suspects(observation: Observation) -> Iterator[Suspect]:
    problem = observation.problem
    band = problem.mask.left, problem.mask.right
    if problem.query_length == problem.key_length or band == (None, None):
        return
    seen = _top_left(observation)
    is_causal = band == (None, 0)
    what = "causal" if is_causal else "the window"
    found = Diagnosis(
        "causal_top_left" if is_causal else "window_top_left",
        f"{what} is aligned to the first key (top-left): {first_difference(observation, seen)}",
        CURE if is_causal else WINDOW_CURE,
    )
    yield from (Suspect(found, outputs) for outputs in masked(observation, seen))


def _top_left(observation: Observation) -> Tensor:
    """The visible pairs with the first query lined up with the first key, [B, 1, Tq, Tk]."""
    problem = observation.problem
    rows, queries = torch.arange(problem.batch), torch.arange(problem.query_length)
    mask = problem.mask.resolved(problem.batch, problem.key_length)
    if mask.rows is None:
        return reference.visible(mask, rows, queries, observation.keys)
    within = reference.visible(Mask(rows=mask.rows), rows, observation.positions, observation.keys)
    firsts = torch.tensor([keys.start - own.start for own, keys in slices(mask.rows)])
    queries += firsts.repeat_interleave(torch.tensor([own for own, _ in mask.rows]))
    return within & reference.visible(mask.of_one_row, rows, queries, observation.keys)


SLIP = Slip(order=30, keys=("causal_top_left", "window_top_left"), suspects=_suspects)
