"""Encoders and decoders of text, by their configuration classes."""

from __future__ import annotations

from typing import Any, Final

from torch import nn

from impls.interface import Problem
from suites.models.built import Built, answer
from suites.models.caches import decoder
from suites.models.configured import SPECIAL, grouped, made, sizes, width_of
from suites.models.kinds import WINDOW_SHARE
from suites.models.words import words

ALTERNATING: Final = ["sliding_attention", "full_attention"]
"""Kinds of the layers of a model with a window in every other one."""
EXPERTS: Final = 2
ROPE_THETA: Final = 150_000.0
"""Of GPT-OSS, whose configuration otherwise stretches positions to 32 times a length."""


def bert(problem: Problem) -> Built:
    """A classifier of sentences."""
    model = made("BertForSequenceClassification", "BertConfig", **sizes(problem))
    return _classifier(model, problem)


def modernbert(problem: Problem) -> Built:
    """A classifier of sentences whose first layer has a window."""
    values: dict[str, Any] = {
        **sizes(problem),
        "local_attention": 2 * (problem.mask.right or 0),
        "layer_types": ALTERNATING,
        "cls_token_id": SPECIAL["bos_token_id"],
        "sep_token_id": SPECIAL["eos_token_id"],
        # The first word is padding in rows that are padded on the left.
        "classifier_pooling": "mean",
    }
    model = made("ModernBertForSequenceClassification", "ModernBertConfig", **values)
    return _classifier(model, problem)


def llama(problem: Problem) -> Built:
    """A decoder with a cache."""
    return decoder(
        made("LlamaForCausalLM", "LlamaConfig", **grouped(problem)), problem, problem.key_length
    )


def mistral(problem: Problem) -> Built:
    """A decoder with windows; a token is decoded after twice as many."""
    window = problem.mask.left or problem.key_length
    context = problem.key_length if problem.mask.left else 2 * window
    values = {
        **grouped(problem),
        "sliding_window": window,
        "max_position_embeddings": context,
    }
    return decoder(made("MistralForCausalLM", "MistralConfig", **values), problem, context)


def gemma2(problem: Problem) -> Built:
    """A decoder with capped scores, and a window in every other layer."""
    values = {
        **_alternating(problem),
        "attn_logit_softcapping": problem.softcap,
        "query_pre_attn_scalar": problem.head_dim,
    }
    return decoder(made("Gemma2ForCausalLM", "Gemma2Config", **values), problem, problem.key_length)


def gpt_oss(problem: Problem) -> Built:
    """A decoder with sinks, and a window in every other layer.

    Every token takes all experts: which ones it takes cannot depend on rounding.
    """
    values = {
        **_alternating(problem),
        "rope_parameters": {"rope_type": "default", "rope_theta": ROPE_THETA},
        "intermediate_size": width_of(problem),
        "num_local_experts": EXPERTS,
        "num_experts_per_tok": EXPERTS,
    }
    return decoder(made("GptOssForCausalLM", "GptOssConfig", **values), problem, problem.key_length)


def _alternating(problem: Problem) -> dict[str, Any]:
    """The sizes of a model with windows in every other layer."""
    window = problem.mask.left or max(problem.key_length // WINDOW_SHARE, 2)
    return {**grouped(problem), "sliding_window": window, "layer_types": ALTERNATING}


def _classifier(model: nn.Module, problem: Problem) -> Built:
    return Built(model=model, draw=words(problem, problem.key_length), answer=answer)
