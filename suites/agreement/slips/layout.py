"""The axes of heads and of positions are taken for each other."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from suites.agreement.observation import Observation
from suites.agreement.slip import Diagnosis, Slip, Suspect
from suites.agreement.variation import right_score, right_weigh, varied

TRANSPOSE = "return out.transpose(1, 2), or state layout='bthd' where q, k, v and out are so"
SPLIT = (
    "q, k and v are [B, H, T, D] already: no view or reshape to (B, T, H, D); or state "
    "layout='bthd' where the function takes [B, T, H, D]"
)


def _suspects(observation: Observation) -> Iterator[Suspect]:
    out, made = observation.values["out"], observation.made[0]
    b, heads, length, columns = out.shape
    merged = out.transpose(1, 2)
    shapes = f"{list(made.shape)}, expected {list(out.shape)}"
    sentence = f"out is [B, T, H, D] instead of [B, H, T, D]: its shape is {shapes}"
    yield Suspect(Diagnosis("output_transposed", sentence, TRANSPOSE), lambda: _alone(merged))
    sentence = "out is reshaped from [B, T, H, D] to [B, H, T, D], which mixes heads and positions"
    yield Suspect(
        Diagnosis("output_transposed", sentence, "return out.transpose(1, 2), not a reshape"),
        lambda: _alone(merged.reshape(out.shape)),
    )
    sentence = f"out is [B, T, H * D], with merged heads: its shape is {shapes}"
    cure = "return out.view(B, Tq, Hq, D).transpose(1, 2), without merging the heads"
    yield Suspect(
        Diagnosis("heads_merged", sentence, cure),
        lambda: _alone(merged.reshape(b, length, heads * columns)),
    )
    if not observation.problem.sink and observation.problem.bias.kind == "none":
        yield from _of_inputs(observation)


def _alone(out: Tensor) -> Iterator[Tensor]:
    """The output without gradients: those of a swapped output cannot be taken."""
    yield out


def _of_inputs(observation: Observation) -> Iterator[Suspect]:
    problem = observation.problem
    b, heads, length = problem.batch, problem.query_heads, problem.query_length
    if (heads, length) != (problem.key_heads, problem.key_length):
        return
    sentence = (
        f"attention is taken over the {heads} heads of each position, expected over the "
        f"{length} positions of each head: q is read as [B, T, H, D]"
    )
    for seen in (torch.ones(heads, heads).bool(), torch.ones(heads, heads).tril().bool()):
        yield Suspect(
            Diagnosis("heads_and_length_swapped", sentence, SPLIT),
            lambda seen=seen: _over_heads(observation, seen),  # type: ignore[misc] # a default has no inferred type
        )

    def split(x: Tensor) -> Tensor:
        return x.reshape(b, length, heads, -1).transpose(1, 2)

    sentence = "q, k and v are reshaped to [B, T, H, D], which mixes heads and positions"
    found = Diagnosis("heads_and_length_swapped", sentence, SPLIT)
    yield Suspect(found, lambda: varied(observation, given=(split,) * 3))

    def back() -> Iterator[Tensor]:
        out = next(varied(observation, given=(split,) * 3))
        yield out.transpose(1, 2).reshape(out.shape)

    yield Suspect(found, back)


def _over_heads(observation: Observation, seen: Tensor) -> Iterator[Tensor]:
    """Attention of heads over heads at each position."""
    inputs = observation.inputs
    training = inputs.grad is not None
    leaves = [x.detach().requires_grad_(training) for x in (inputs.q, inputs.k, inputs.v)]
    q, k, v = (x.transpose(1, 2) for x in leaves)
    scores = right_score(observation)(q @ k.mT)
    out = (right_weigh(observation)(scores, seen) @ v).transpose(1, 2)
    yield out.detach()
    if inputs.grad is not None:
        yield from torch.autograd.grad(out, leaves, inputs.grad)


SLIP = Slip(
    order=20,
    keys=("output_transposed", "heads_merged", "heads_and_length_swapped"),
    suspects=_suspects,
)
