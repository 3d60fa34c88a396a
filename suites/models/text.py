"""Encoders and decoders of text, by their configuration classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
import transformers as hf
from torch import Tensor, nn

from impls.interface import Problem
from suites.models.built import Batch, Built, answer, like
from suites.models.kinds import LAYERS

WORDS: Final = 1024
"""Words of the vocabulary."""
EXPANSION: Final = 4
"""Width of a feed-forward network, as a multiple of the model's."""


def bert(problem: Problem) -> Built:
    """A classifier of sentences."""
    return _encoder("BertForSequenceClassification", hf.BertConfig(**_sizes(problem)), problem)


def llama(problem: Problem) -> Built:
    """A decoder with a cache."""
    return _decoder("LlamaForCausalLM", hf.LlamaConfig(**_grouped(problem)), problem)


def _sizes(problem: Problem) -> dict[str, Any]:
    """The fields of a configuration that most models share."""
    width = problem.query_heads * problem.head_dim
    return {
        "vocab_size": WORDS,
        "hidden_size": width,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": problem.query_heads,
        "intermediate_size": EXPANSION * width,
        "max_position_embeddings": problem.key_length,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "attention_dropout": 0.0,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }


def _grouped(problem: Problem) -> dict[str, Any]:
    return {
        **_sizes(problem),
        "num_key_value_heads": problem.key_heads,
        "head_dim": problem.head_dim,
    }


def made(kind: str, config: Any) -> nn.Module:
    """A model with random weights and its own eager attention."""
    model: nn.Module = getattr(hf, kind)._from_config(config, attn_implementation="eager")  # noqa: SLF001 - there is no public name
    return model.eval()


def _encoder(kind: str, config: Any, problem: Problem) -> Built:
    return Built(model=made(kind, config), draw=_tokens(problem, problem.key_length), answer=answer)


def _decoder(kind: str, config: Any, problem: Problem) -> Built:
    model = made(kind, config)
    if problem.model_step == "decode":
        return Built(model=model, draw=_with_cache(model, problem), answer=_decoded)
    if problem.model_step == "prefill":
        options = {"use_cache": True, "logits_to_keep": 1}
    else:
        options = {"use_cache": False}
    return Built(model=model, draw=_tokens(problem, problem.key_length, **options), answer=answer)


def _tokens(problem: Problem, length: int, **options: Any) -> Callable[[int], Batch]:
    """Draws words, with the padding and the documents of the problem's mask."""
    mask = problem.mask.resolved(problem.batch, length)

    def draw(seed: int) -> Batch:
        generator = torch.Generator().manual_seed(seed)
        words = torch.randint(3, WORDS, (problem.batch, length), generator=generator)
        batch: dict[str, Any] = {"input_ids": words, **options}
        if isinstance(mask.padding, tuple):
            batch["attention_mask"] = _kept(mask.padding, length)
        if mask.documents is not None:
            places = torch.cat([torch.arange(size) for size in mask.documents])
            batch["position_ids"] = places.expand(problem.batch, -1)
        return batch

    return draw


def _kept(padding: tuple[tuple[int, int], ...], length: int) -> Tensor:
    """[B, T], 1 for words and 0 for padding."""
    places = torch.arange(length)
    return torch.stack([(places >= start) & (places < end) for start, end in padding]).long()


def _with_cache(model: nn.Module, problem: Problem) -> Callable[[int], Batch]:
    """Draws a word after a cache of the others, which the model's own attention has filled."""
    earlier = _tokens(problem, problem.key_length - 1, use_cache=True, logits_to_keep=1)

    def draw(seed: int) -> Batch:
        batch = earlier(seed)
        with torch.no_grad():
            filled = model(**like(model, batch)).past_key_values
        word = batch["input_ids"][:, :1]
        return {"input_ids": word, "past_key_values": filled, "use_cache": True}

    return draw


def _decoded(model: nn.Module, batch: Batch) -> Tensor:
    """The logits of one token; the cache of the batch stays as it is."""
    return answer(model, {**batch, "past_key_values": _reused(batch["past_key_values"])})


def _reused(cache: Any) -> Any:
    """A cache with the same tensors, to which a token is appended: that makes new tensors."""
    found = type(cache)()
    found.__dict__ = {**cache.__dict__, "layers": [_layer(each) for each in cache.layers]}
    return found


def _layer(layer: Any) -> Any:
    made = object.__new__(type(layer))
    made.__dict__ = dict(layer.__dict__)
    return made
