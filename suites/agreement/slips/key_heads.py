"""Query heads read other key heads than `h // (Hq // Hk)`."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from suites.agreement.observation import Observation
from suites.agreement.slip import Diagnosis, Slip, Suspect
from suites.agreement.variation import right_heads, varied

REPEAT = "k.repeat_interleave(Hq // Hk, dim=1)"
TILED = f"use {REPEAT} instead of k.repeat(1, Hq // Hk, 1, 1), for v as well"
FIRST = (
    f"use {REPEAT}, for v as well: k.expand repeats one head; or state Limits(grouped_heads=False)"
)


def _suspects(observation: Observation) -> Iterator[Suspect]:
    problem = observation.problem
    every = torch.arange(problem.query_heads)
    if problem.key_heads in (1, problem.query_heads):
        return
    yield _of(observation, every % problem.key_heads, "key_heads_tiled", "tiled", TILED)
    yield _of(observation, 0 * every, "key_heads_first_only", "all the first", FIRST)


def _of(observation: Observation, heads: Tensor, key: str, how: str, cure: str) -> Suspect:
    expected = right_heads(observation)
    head = int((heads != expected).nonzero()[0])
    sentence = (
        f"key heads are {how}: query head {head} of {observation.problem.query_heads} reads key "
        f"head {int(heads[head])} of {observation.problem.key_heads}, should read "
        f"{int(expected[head])}"
    )
    return Suspect(Diagnosis(key, sentence, cure), lambda: varied(observation, heads=heads))


SLIP = Slip(order=70, keys=("key_heads_tiled", "key_heads_first_only"), suspects=_suspects)
