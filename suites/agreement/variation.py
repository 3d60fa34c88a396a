"""Attention in float64 with one step replaced: what a function with one mistake returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import torch
from torch import Tensor

from impls import reference
from suites.agreement.observation import Observation

Score = Callable[[Tensor], Tensor]
"""Unscaled products [B, Hq, Tq, Tk] to scores, before the mask."""
Weigh = Callable[[Tensor, Tensor], Tensor]
"""Scores [B, Hq, Tq, Tk] and visible pairs [B, 1, Tq, Tk] to weights."""

Change = Callable[[Tensor], Tensor]


def _same(x: Tensor) -> Tensor:
    return x


def varied(
    observation: Observation,
    *,
    seen: Tensor | None = None,
    heads: Tensor | None = None,
    score: Score | None = None,
    weigh: Weigh | None = None,
    given: tuple[Change, Change, Change] = (_same, _same, _same),
) -> Iterator[Tensor]:
    """The outputs with some steps replaced: out, then in training dq, dk and dv.

    seen   the visible pairs
    heads  the key head of every query head, [Hq]
    given  applied to q, k and v first, one each

    Gradients are computed when they are taken from the iterator.
    """
    inputs = observation.inputs
    training = inputs.grad is not None
    leaves = [x.detach().requires_grad_(training) for x in (inputs.q, inputs.k, inputs.v)]
    q, k, v = (change(x) for change, x in zip(given, leaves, strict=True))
    heads = right_heads(observation) if heads is None else heads
    raw = q @ k[:, heads].mT
    scores = right_score(observation)(raw) if score is None else score(raw)
    weigh = right_weigh(observation) if weigh is None else weigh
    out = weigh(scores, observation.seen if seen is None else seen) @ v[:, heads]
    yield out.detach()
    if inputs.grad is not None:
        yield from torch.autograd.grad(
            out, leaves, inputs.grad, allow_unused=True, materialize_grads=True
        )


def right_heads(observation: Observation) -> Tensor:
    """The key head of every query head, [Hq]."""
    problem = observation.problem
    return torch.arange(problem.query_heads) // (problem.query_heads // problem.key_heads)


def right_score(observation: Observation, scale: float | None = None) -> Score:
    """Products times the scale (or another one), capped, plus the bias."""
    factor = observation.problem.softmax_scale if scale is None else scale
    softcap, added = observation.problem.softcap, right_bias(observation)

    def score(raw: Tensor) -> Tensor:
        scores = raw * factor
        capped = scores if softcap is None else softcap * torch.tanh(scores / softcap)
        return capped if added is None else capped + added

    return score


def right_bias(observation: Observation) -> Tensor | None:
    """The bias of every pair, [Hq, Tq, Tk]; None without one."""
    bias = observation.inputs.bias
    if bias is None:
        return None
    return bias.of_pairs(observation.positions[:, None], observation.keys)


def right_weigh(observation: Observation) -> Weigh:
    """Softmax over the visible keys, with the sink: rows without a key are zero."""
    sink = observation.inputs.sink
    column = None if sink is None else sink[:, None, None]
    return lambda scores, seen: reference.weights(scores.masked_fill(~seen, float("-inf")), column)


def _filled(observation: Observation, fill: Weigh) -> Weigh:
    """The right weights, with rows that see no key filled by another function."""
    right = right_weigh(observation)

    def weigh(scores: Tensor, seen: Tensor) -> Tensor:
        keyless = ~seen.any(-1, keepdim=True)
        return torch.where(keyless, fill(scores, seen), right(scores, seen))

    return weigh


MEAN, NAN, EVERY = "the mean of v", "NaN", "attention to all keys"
KEYLESS: Final[dict[str, Weigh]] = {
    MEAN: lambda scores, _: torch.full_like(scores, 1 / scores.shape[-1]),
    NAN: lambda scores, _: torch.full_like(scores, float("nan")),
    EVERY: lambda scores, _: torch.softmax(scores, -1),
}
"""Weights of rows that see no key, as common functions make them: where every score is one large
negative number, where it is -inf, and where such a number is added to the scores."""


def keyless_weighs(observation: Observation) -> dict[str, Weigh]:
    """The right weights with each filling of rows that see no key."""
    return {name: _filled(observation, fill) for name, fill in KEYLESS.items()}


def masked(observation: Observation, seen: Tensor) -> Iterator[Callable[[], Iterator[Tensor]]]:
    """Outputs with other visible pairs; rows that see no key are zero, or filled as in KEYLESS."""
    yield lambda: varied(observation, seen=seen)
    if not seen.any(-1).all():
        for weigh in keyless_weighs(observation).values():
            yield lambda weigh=weigh: varied(observation, seen=seen, weigh=weigh)  # type: ignore[misc] # mypy infers no type for a lambda with a default


def first_difference(observation: Observation, seen: Tensor) -> str:
    """The first query with other visible keys: `query 0 of Tq=33, Tk=129 sees keys 0..0, ...`."""
    right, seen = observation.seen, seen.expand_as(observation.seen)
    differing = (right != seen).any(-1).nonzero()
    if not len(differing):
        return ""
    b, _, row = (int(i) for i in differing[0])
    found, expected = runs(seen[b, 0, row]), runs(right[b, 0, row])
    return f"{query(observation, row, b)} sees keys {found}, expected {expected}"


def query(observation: Observation, row: int, b: int = 0) -> str:
    """A query by number and lengths: `query 0 of Tq=33, Tk=129`."""
    batch = f" in batch row {b}" if b else ""
    problem = observation.problem
    return f"query {row}{batch} of Tq={problem.query_length}, Tk={problem.key_length}"


def runs(row: Tensor) -> str:
    """The keys of a row of bools as runs: `3..9, 12..12`, `none`."""
    edges = torch.nn.functional.pad(row.int(), (1, 1)).diff()
    starts, ends = (edges == 1).nonzero().flatten(), (edges == -1).nonzero().flatten() - 1
    texts = [f"{int(start)}..{int(end)}" for start, end in zip(starts, ends, strict=True)]
    more = f" and {len(texts) - 3} more runs" if len(texts) > 3 else ""
    return ", ".join(texts[:3]) + more or "none"
