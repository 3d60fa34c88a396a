"""A model of a problem, with seeded weights and batches for its steps."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any, Final

import torch
from torch import Tensor, nn

from impls.interface import Problem
from suites.models import own_file
from suites.models.kinds import is_file
from suites.models.packages import EXTRA, MissingPackageError, expect_interface

FAMILIES: Final = {
    **dict.fromkeys(("bert", "modernbert", "llama", "mistral", "gemma2", "gpt_oss"), "text"),
    **dict.fromkeys(("lfm2", "jamba"), "hybrids"),
    **dict.fromkeys(("marian", "t5", "whisper"), "encoder_decoders"),
    **dict.fromkeys(("vit", "swin", "detr"), "vision"),
    "dit": "diffusion",
}
"""The module of this folder that builds a model: its function has the model's name."""

Batch = Mapping[str, Any]
"""Arguments of a model by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A model, and how a step of it is called.

    model    in evaluation mode, in the problem's dtype, with its own attention
    draw     a batch of a seed
    answer   the tensor that a step gives for a batch: logits, or what the model generates
    """

    model: nn.Module
    draw: Callable[[int], Batch]
    answer: Callable[[nn.Module, Batch], Tensor]

    def batch(self, seed: int) -> Batch:
        """A batch in the model's dtype, on its device."""
        return like(self.model, self.draw(seed))


def build(problem: Problem, seed: int) -> Built:
    """The model that a problem names; equal weights for equal seeds.

    Raises MissingPackageError where transformers is missing or too old, and ValueError for a user's
    function that returns no model with a batch.
    """
    name = problem.model_name
    expect_interface(problem)
    try:
        make = _of_file(name) if is_file(name) else _of_family(name)
    except ImportError as error:
        need = f"model:{name} needs another package ({error})"
        raise MissingPackageError(need if is_file(name) else f"{need}: {EXTRA}") from None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = make(problem)
    dtype = getattr(torch, problem.dtype)
    # The method of diffusers' models warns of modules in float32, of which it lists none.
    model = nn.Module.to(made.model, problem.device, dtype)
    return Built(model=model.eval(), draw=made.draw, answer=made.answer)


def twin(model: nn.Module) -> nn.Module:
    """A copy of a model with the same tensors: its attention can be another one."""
    shared = (*model.parameters(), *model.buffers())
    return copy.deepcopy(model, {id(x): x for x in shared})


def like(model: nn.Module, given: Any) -> Any:
    """Tensors in the dtype of a model, where they are floating, and on its device."""
    own = next(model.parameters())
    if isinstance(given, Tensor):
        return given.to(own.device, own.dtype if given.is_floating_point() else None)
    if isinstance(given, Mapping):
        return {name: like(model, each) for name, each in given.items()}
    if hasattr(given, "layers"):
        return _cache_like(own, given)
    return given


def _cache_like(own: Tensor, cache: Any) -> Any:
    """A copy of a cache of keys and values, with tensors of their own."""
    found = copy.copy(cache)
    found.layers = [copy.copy(layer) for layer in cache.layers]
    for layer in found.layers:
        layer.keys = layer.keys.to(own.device, own.dtype, copy=True)
        layer.values = layer.values.to(own.device, own.dtype, copy=True)
    return found


def _of_family(name: str) -> Callable[[Problem], Built]:
    module = import_module(f"suites.models.{FAMILIES[name]}")
    found: Callable[[Problem], Built] = getattr(module, name)
    return found


def _of_file(spec: str) -> Callable[[Problem], Built]:
    """The model of a user's function of a problem, which returns a model and its batch."""
    return partial(_users, spec, own_file.loaded(spec))


def _users(spec: str, make: Callable[[Problem], Any], problem: Problem) -> Built:
    made = make(problem)
    model, batch = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if not (isinstance(model, nn.Module) and isinstance(batch, Mapping)):
        raise ValueError(  # noqa: TRY004 - a mistake in a file, as others
            f"model:{spec}: it returned {_words(made)}; expected a model and its batch, the "
            'arguments of a call by name, as: return model, {"input_ids": ids}'
        )
    return Built(model=model, draw=lambda _: batch, answer=_of_words)


def _of_words(model: nn.Module, batch: Batch) -> Tensor:
    """The answer, with zeros at padding: a query of padding may see no key at all."""
    out, kept = answer(model, batch), batch.get("attention_mask")
    if isinstance(kept, Tensor) and kept.dim() == 2 and kept.shape == out.shape[:-1]:
        return out.masked_fill(~kept.bool()[..., None], 0.0)
    return out


def _words(made: object) -> str:
    """The type of a result, as "a tuple of BertModel and Tensor"."""
    if isinstance(made, tuple):
        return f"a tuple of {' and '.join(type(each).__name__ for each in made) or 'nothing'}"
    return type(made).__name__


def answer(model: nn.Module, batch: Batch) -> Tensor:
    """The logits of a call, or its first tensor."""
    made = model(**batch)
    if isinstance(made, Tensor):
        return made
    for name in ("logits", "sample", "last_hidden_state"):
        if isinstance(found := getattr(made, name, None), Tensor):
            return found
    found = made[0]
    if not isinstance(found, Tensor):
        raise TypeError(f"the model returned {type(made).__name__}; expected a tensor of logits")
    return found
