"""Rows of queries that see no key are not zero."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from suites.agreement.observation import Observation
from suites.agreement.slip import Diagnosis, Slip, Suspect
from suites.agreement.variation import Weigh, keyless_weighs, query, varied

CURE = (
    "zero these rows: out.masked_fill(hidden.all(-1, keepdim=True), 0), or state "
    "Limits(keyless_rows=False)"
)


def _suspects(observation: Observation) -> Iterator[Suspect]:
    keyless = (~observation.seen.any(-1)).nonzero()
    if not len(keyless):
        return
    b, _, row = (int(i) for i in keyless[0])
    for name, weigh in keyless_weighs(observation).items():
        sentence = (
            f"{query(observation, row, b)} sees no key: its row of out is {name}, expected zeros"
        )
        found = Diagnosis("keyless_rows_not_zero", sentence, CURE)

        def outputs(weigh: Weigh = weigh) -> Iterator[Tensor]:
            return varied(observation, weigh=weigh)

        yield Suspect(found, outputs)
    yield from _of_other_values(observation, row, b)


def _of_other_values(observation: Observation, row: int, b: int) -> Iterator[Suspect]:
    """Any other values of these rows, where all other rows are right."""
    made, right = observation.made[0], observation.values["out"]
    if made.shape == right.shape:
        keyless = ~observation.seen.any(-1, keepdim=True)
        sentence = f"{query(observation, row, b)} sees no key: its row of out is not zero"
        found = Diagnosis("keyless_rows_not_zero", sentence, CURE)
        yield Suspect(found, lambda: [torch.where(keyless, made.double(), right)])


SLIP = Slip(order=25, keys=("keyless_rows_not_zero",), suspects=_suspects)
