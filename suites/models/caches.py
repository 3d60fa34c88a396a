"""Caches of keys and values that a model has filled, for the token that comes next."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor, nn

from impls.interface import Problem
from suites.models.built import Batch, Built, answer, like
from suites.models.words import answer_of_words, words

NAMES: Final = "cache", "past_key_values"
"""Names of the cache among the arguments of a model: the first one is that of later releases."""


def decoder(model: nn.Module, problem: Problem, context: int) -> Built:
    """The step of a decoder that a problem names.

    context  tokens up to the decoded one
    """
    if problem.model_step == "decode":
        return Built(model=model, draw=_with_cache(model, problem, context), answer=_decoded)
    if problem.model_step == "prefill":
        options = {"use_cache": True, "logits_to_keep": 1}
        return Built(model=model, draw=words(problem, problem.key_length, **options), answer=answer)
    draw = words(problem, problem.key_length, use_cache=False)
    return Built(model=model, draw=draw, answer=answer_of_words)


def _with_cache(model: nn.Module, problem: Problem, context: int) -> Callable[[int], Batch]:
    """Draws a word after a cache of the others, which the model's own attention has filled."""
    earlier = words(problem, context - 1, use_cache=True, logits_to_keep=1)
    later = words(problem, problem.key_length, use_cache=True)
    name = _name_of_cache(model)

    def draw(seed: int) -> Batch:
        with torch.no_grad():
            made: Any = model(**like(model, earlier(seed)))
        filled = next(getattr(made, each) for each in NAMES if hasattr(made, each))
        batch = later(seed)
        return {**batch, "input_ids": batch["input_ids"][:, -1:], name: filled}

    return draw


def _name_of_cache(model: nn.Module) -> str:
    known = inspect.signature(model.forward).parameters
    return next(name for name in NAMES if name in known)


def _decoded(model: nn.Module, batch: Batch) -> Tensor:
    """The logits of one token; the cache of the batch stays as it is."""
    kept = {name: _reused(given) for name, given in batch.items() if name in NAMES}
    return answer(model, {**batch, **kept})


def _reused(cache: Any) -> Any:
    """A cache with the same tensors, to which a token is appended: that makes new tensors."""
    found = type(cache)()
    found.__dict__ = {**cache.__dict__, "layers": [_layer(each) for each in cache.layers]}
    return found


def _layer(layer: Any) -> Any:
    made = object.__new__(type(layer))
    made.__dict__ = dict(layer.__dict__)
    return made
