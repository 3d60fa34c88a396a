"""Associative recall: the last word asks for a key, and the answer is the value beside that key.

Every earlier word is a key with a value. Keys are all different; values are drawn. The distance of
an example is that from the last word back to the asked key.
"""

from __future__ import annotations

import torch
from torch import Tensor

from impls.interface import Problem
from suites.learning.data.examples import Examples

VALUES = 8
"""Values a key may have; chance is one in eight."""
BATCHES = 224
VALIDATION = 24
"""Batches that are not trained on: about fifty examples of each distance."""


def examples(problem: Problem, seed: int) -> Examples:
    """Words [batches, B, T, 2], a key and a value; VALUES stands for the asked value."""
    generator = torch.Generator().manual_seed(seed)
    shape, length = (BATCHES, problem.batch), problem.key_length
    keys = torch.rand((*shape, length - 1), generator=generator).argsort(-1)
    values = torch.randint(VALUES, (*shape, length - 1), generator=generator)
    asked = torch.randint(length - 1, (*shape, 1), generator=generator)
    last = torch.stack((keys.gather(-1, asked), torch.full_like(asked, VALUES)), -1)
    words = torch.cat((torch.stack((keys, values), -1), last), -2)
    return Examples(words, values.gather(-1, asked)[..., 0], VALIDATION)


def distances(x: Tensor) -> Tensor:
    """[B] distances of the asked keys in [B, T, 2] words: 1 is the word before the last."""
    earlier, asked = x[:, :-1, 0], x[:, -1:, 0]
    return x.shape[1] - 1 - (earlier == asked).long().argmax(1)
