"""Sentences of a synthetic language: the polarity of one word is the label, unless it is negated.

A sentence has neutral words and one polar word, positive or negative. In one sentence of four a
negation before the polar word reverses it. The label is 1 for positive, else 0. Words are drawn
independently; both labels are equally likely.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from impls.interface import Problem
from suites.learning.data.examples import Examples

PADDING: Final = 0
NEGATIONS: Final = (1, 4)
POSITIVE: Final = (4, 12)
NEGATIVE: Final = (12, 20)
NEUTRAL: Final = (20, 60)
"""The tokens of each kind of word: the first one, and the one behind the last."""
WORDS: Final = 60
"""Tokens of the language, the padding included."""
NEGATED: Final = 4
"""One sentence in so many has a negation."""
BATCHES: Final = 136
VALIDATION: Final = 8
"""Batches that are not trained on."""


def examples(problem: Problem, seed: int) -> Examples:
    """Sentences [batches, B, T]; each row is as long as the problem's padding leaves room for."""
    generator = torch.Generator().manual_seed(seed)
    mask = problem.mask.resolved(problem.batch, problem.key_length)
    x = torch.full((BATCHES, problem.batch, problem.key_length), PADDING)
    labels = torch.zeros(BATCHES, problem.batch, dtype=torch.long)
    for row in range(problem.batch):
        start, end = mask.interval(row, 0, problem.key_length)
        x[:, row, start:end], labels[:, row] = _sentences(end - start, generator)
    return Examples(x, labels, VALIDATION)


def _sentences(length: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """[BATCHES, length] sentences of two words or more, and their labels [BATCHES]."""

    def drawn(kind: tuple[int, int], *shape: int) -> Tensor:
        return torch.randint(*kind, (BATCHES, *shape), generator=generator)

    sentences, rows = drawn(NEUTRAL, length), torch.arange(BATCHES)
    place, is_positive = drawn((1, length)), drawn((0, 2))
    is_negated = (drawn((0, NEGATED)) == 0).long()
    sentences[rows, place] = torch.where(is_positive == 1, drawn(POSITIVE), drawn(NEGATIVE))
    before = (torch.rand(BATCHES, generator=generator) * place).long()
    negated = rows[is_negated == 1]
    sentences[negated, before[negated]] = drawn(NEGATIONS)[negated]
    return sentences, is_positive ^ is_negated
