"""Models of transformers by their configuration classes, with sizes of a problem."""

from __future__ import annotations

from typing import Any, Final

import transformers as hf
from torch import nn

from impls.interface import Problem
from suites.models.kinds import LAYERS

WORDS: Final = 1024
"""Words of the vocabulary."""
EXPANSION: Final = 4
"""Width of a feed-forward network, as a multiple of the model's."""
SPECIAL: Final = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}


def width_of(problem: Problem) -> int:
    """Numbers of an activation: heads times D."""
    return problem.query_heads * problem.head_dim


def sizes(problem: Problem) -> dict[str, Any]:
    """The fields of a configuration that most models share."""
    width = width_of(problem)
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
        "initializer_range": spread_of(width),
        **SPECIAL,
    }


def spread_of(width: int) -> float:
    """The standard deviation of random weights that gives scores one of about 1.

    Smaller weights, as a training begins with, give every key nearly the same weight: values of
    the wrong keys would change little.
    """
    return float(width**-0.5)


def grouped(problem: Problem) -> dict[str, Any]:
    """The same with key heads and a head dimension."""
    return {
        **sizes(problem),
        "num_key_value_heads": problem.key_heads,
        "head_dim": problem.head_dim,
    }


def configured(config: str, **values: Any) -> Any:
    """A configuration by the name of its class, which takes more than its signature states."""
    return getattr(hf, config)(**values)


def made(kind: str, config: str, **values: Any) -> nn.Module:
    """A model with random weights and its own eager attention.

    kind    the name of its class
    config  the name of the class of its configuration, with these values
    """
    # Experts in one grouped product have no float64.
    ways = {"attn_implementation": "eager", "experts_implementation": "eager"}
    model: nn.Module = getattr(hf, kind)._from_config(configured(config, **values), **ways)  # noqa: SLF001 - there is no public name
    return model.eval()


def with_spread_biases(model: nn.Module) -> nn.Module:
    """The model with standard-normal tables of relative positions, which begin near zero."""
    for name, parameter in model.named_parameters():
        if "relative" in name:
            nn.init.normal_(parameter)
    return model
