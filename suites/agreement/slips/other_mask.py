"""The mask is read the wrong way round: inverted, transposed, or of another batch row."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from suites.agreement.observation import Observation
from suites.agreement.slip import Diagnosis, Slip, Suspect
from suites.agreement.variation import first_difference, masked

INVERT = (
    "invert the mask: here True means visible; scores.masked_fill(~mask, float('-inf')), as in "
    "scaled_dot_product_attention, not as in nn.MultiheadAttention"
)
TRANSPOSED = "use tril(): query q sees keys up to q; rows are queries, columns are keys"
ROWS = "use the key range of each batch row: a mask of [B, 1, 1, Tk], not of its first row"


def _suspects(observation: Observation) -> Iterator[Suspect]:
    seen = observation.seen
    if observation.problem.mask.is_full:
        return
    yield from _of(observation, ~seen, "mask_inverted", "the mask is inverted", INVERT)
    if seen.shape[-1] == seen.shape[-2]:
        yield from _of(observation, seen.mT, "mask_transposed", "the mask is transposed",
                       TRANSPOSED)  # fmt: skip
    first = seen[:1].expand_as(seen)
    if observation.problem.mask.padding is not None:
        sentence = "every batch row gets the padding of the first"
        yield from _of(observation, first, "padding_of_another_row", sentence, ROWS)
        queries = _hidden_queries(observation)
        sentence = "padding hides queries, too; it hides keys only"
        cure = "hide padded keys only: a mask of [B, 1, 1, Tk] without its transpose"
        yield from _of(observation, seen & queries, "padding_hides_queries", sentence, cure)


def _of(
    observation: Observation, seen: Tensor, key: str, sentence: str, cure: str
) -> Iterator[Suspect]:
    where = first_difference(observation, seen)
    if where:
        found = Diagnosis(key, f"{sentence}: {where}", cure)
        yield from (Suspect(found, outputs) for outputs in masked(observation, seen))


def _hidden_queries(observation: Observation) -> Tensor:
    """Whether a query's position is not padded, [B, 1, Tq, 1]."""
    problem = observation.problem
    mask = problem.mask.resolved(problem.batch, problem.key_length)
    ranges = mask.padding if isinstance(mask.padding, tuple) else ()
    found = observation.seen.new_zeros(problem.batch, 1, problem.query_length, 1)
    for b, (start, end) in enumerate(ranges):
        positions = observation.positions
        found[b, 0, :, 0] = (positions >= start) & (positions < end)
    return found


SLIP = Slip(
    order=60,
    keys=("mask_inverted", "mask_transposed", "padding_of_another_row", "padding_hides_queries"),
    suspects=_suspects,
)
