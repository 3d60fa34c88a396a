"""Batches of words, with the padding and the documents of a problem, and answers to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from impls.interface import Problem
from suites.models.built import Batch, answer
from suites.models.configured import WORDS


def words(problem: Problem, length: int, **options: Any) -> Callable[[int], Batch]:
    """Draws words [B, length], with the padding and the documents of the problem's mask.

    length   of the rows; shorter than Tk where the rest comes in a later call
    options  further arguments of the model
    """
    mask = problem.mask.resolved(problem.batch, problem.key_length)

    def draw(seed: int) -> Batch:
        batch: dict[str, Any] = {"input_ids": drawn(problem.batch, length, seed), **options}
        if isinstance(mask.padding, tuple):
            batch["attention_mask"] = seen(mask.padding, problem.key_length)[:, :length]
        if mask.documents is not None:
            places = torch.cat([torch.arange(size) for size in mask.documents])
            batch["position_ids"] = places.expand(problem.batch, -1)
        return batch

    return draw


def drawn(batch: int, length: int, seed: int) -> Tensor:
    """Words of a seed, none of them special."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(3, WORDS, (batch, length), generator=generator)


def seen(ranges: tuple[tuple[int, int], ...], length: int) -> Tensor:
    """[B, T], 1 for words and 0 for padding, of the range of words in each row."""
    places = torch.arange(length)
    return torch.stack([(places >= start) & (places < end) for start, end in ranges]).long()


def answer_of_words(model: nn.Module, batch: Batch) -> Tensor:
    """The logits of the words that are no padding, [words, vocabulary].

    A padded query may see no key: each attention answers it in its own way.
    """
    logits = answer(model, batch)
    mask = batch.get("attention_mask")
    return logits if mask is None else logits[mask.bool()]
