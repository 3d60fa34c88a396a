"""The examples of the tasks: seeded, labelled right, and padded as their problems say."""

from __future__ import annotations

import pytest
import torch

from suites.learning.data import digits, recall, sentiment
from suites.learning.lessons import by_distance
from tests.learning.trained import needs_digits, problem_of


def test_digits_are_all_used_but_an_incomplete_batch() -> None:
    needs_digits("digits")
    found = digits.examples(problem_of("digits"), 0)
    assert found.x.shape == (1797 // 64, 64, 16, 4)
    assert (float(found.x.min()), float(found.x.max())) == (0.0, 1.0)
    assert sorted(set(found.labels.flatten().tolist())) == list(range(10))


def test_a_patch_is_a_square_of_the_image() -> None:
    image = torch.arange(64.0).view(1, 8, 8)
    assert digits._patches(image)[0, 5].tolist() == [18, 19, 26, 27]


def test_sentences_are_padded_exactly_where_the_mask_hides_keys() -> None:
    problem = problem_of("sentiment")
    found = sentiment.examples(problem, 0)
    mask = problem.mask.resolved(problem.batch, problem.key_length)
    seen = mask.dense(problem.batch, 1, problem.key_length, torch.device("cpu"))[:, 0, 0]
    assert seen.shape == found.x.shape[1:]
    assert not seen.all()
    assert ((found.x != sentiment.PADDING) == seen).all()


def is_of(x: torch.Tensor, kind: tuple[int, int]) -> torch.Tensor:
    return (x >= kind[0]) & (x < kind[1])


def test_the_label_of_a_sentence_is_its_polarity_and_a_negation_reverses_it() -> None:
    found = sentiment.examples(problem_of("sentiment"), 0)
    positive, negative = (is_of(found.x, kind) for kind in (sentiment.POSITIVE, sentiment.NEGATIVE))
    negated = is_of(found.x, sentiment.NEGATIONS)
    assert ((positive | negative).sum(-1) == 1).all()
    assert (negated.sum(-1) <= 1).all()
    assert (positive.any(-1) ^ negated.any(-1)).long().equal(found.labels)
    assert 0.2 < negated.any(-1).float().mean() < 0.3
    place = (positive | negative).long().argmax(-1)
    before = negated.long().argmax(-1)
    assert (before < place)[negated.any(-1)].all()


def test_the_answer_of_recall_is_the_value_beside_the_asked_key() -> None:
    found = recall.examples(problem_of("recall"), 0)
    x, labels = found.x[0], found.labels[0]
    distances = recall.distances(x)
    rows = torch.arange(len(x))
    asked = x[rows, x.shape[1] - 1 - distances]
    assert asked[:, 0].equal(x[:, -1, 0])
    assert asked[:, 1].equal(labels)
    assert (x[:, -1, 1] == recall.VALUES).all()
    assert all(len(set(row)) == len(row) for row in x[:, :-1, 0].tolist())


def test_accuracy_by_distance_is_that_of_each_distance() -> None:
    x = torch.tensor([[[0, 1], [1, 1], [0, 8]], [[0, 1], [1, 1], [1, 8]], [[0, 1], [1, 1], [1, 8]]])
    assert by_distance(x, torch.tensor([True, True, False])) == (0.5, 1.0)


@pytest.mark.parametrize("task", ["sentiment", "recall"])
def test_examples_are_equal_for_a_seed_and_differ_for_another(task: str) -> None:
    make = {"sentiment": sentiment.examples, "recall": recall.examples}[task]
    problem = problem_of(task)
    assert make(problem, 0).x.equal(make(problem, 0).x)
    assert not make(problem, 0).x.equal(make(problem, 1).x)


def test_training_and_validation_share_no_batch() -> None:
    found = recall.examples(problem_of("recall"), 0)
    drawn = {batch.x.data_ptr() for batch in found.training(found.trained, 0)}
    held_out = {batch.x.data_ptr() for batch in found.held_out()}
    assert (len(drawn), len(held_out)) == (found.trained, found.validation)
    assert not drawn & held_out
