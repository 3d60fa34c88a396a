"""The examples of a task, and the model that learns them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from impls.interface import Problem
from suites.learning.data import digits, recall, sentiment
from suites.learning.data.examples import Examples
from suites.learning.models import Classifier, KeysAndValues
from suites.learning.tasks import SEED

LAYERS = 2
"""Encoder layers of the judged models. Recall has one: two windows would reach twice as far."""
DIGITS = 10
"""Classes of the digits."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """The examples of a task, and its model with the weights it starts from."""

    examples: Examples
    model: nn.Module


def lesson(task: str, problem: Problem) -> Lesson:
    """The lesson of a task on the problem's device; the same for every implementation."""
    examples, make = _PARTS[task]
    found = examples(problem, SEED)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = make(problem, found).to(problem.device)
    moved = Examples(found.x.to(problem.device), found.labels.to(problem.device), found.validation)
    return Lesson(moved, model)


def _digits(problem: Problem, _: Examples) -> Classifier:
    width = problem.query_heads * problem.head_dim
    embedding = nn.Linear(digits.PATCH**2, width)
    return Classifier(problem, embedding, LAYERS, DIGITS, torch.ones(1, problem.query_length))


def _sentiment(problem: Problem, examples: Examples) -> Classifier:
    width = problem.query_heads * problem.head_dim
    real = (examples.x[0] != sentiment.PADDING).float()  # the same places in every batch
    return Classifier(problem, nn.Embedding(sentiment.WORDS, width), LAYERS, 2, real)


def _recall(problem: Problem, _: Examples) -> Classifier:
    width = problem.query_heads * problem.head_dim
    last = torch.zeros(1, problem.query_length)
    last[0, -1] = 1
    embedding = KeysAndValues(problem.query_length - 1, recall.VALUES + 1, width)
    return Classifier(problem, embedding, 1, recall.VALUES, last)


_PARTS: dict[
    str, tuple[Callable[[Problem, int], Examples], Callable[[Problem, Examples], Classifier]]
] = {
    "digits": (digits.examples, _digits),
    "sentiment": (sentiment.examples, _sentiment),
    "recall": (recall.examples, _recall),
}


def by_distance(x: Tensor, right: Tensor) -> tuple[float, ...]:
    """The accuracy of recall at distance 1, 2, ...; NaN without an example.

    x      [N, T, 2] words
    right  [N], whether the answer is right
    """
    found = recall.distances(x)
    return tuple(
        right[found == distance].float().mean().item() for distance in range(1, x.shape[1])
    )
