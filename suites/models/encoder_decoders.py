"""Models of an encoder and a decoder, by their configuration classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch

from impls.interface import Problem
from suites.models.built import Batch, Built, answer
from suites.models.configured import (
    EXPANSION,
    SPECIAL,
    WORDS,
    made,
    spread_of,
    width_of,
    with_spread_biases,
)
from suites.models.kinds import LAYERS
from suites.models.words import drawn, words

MEL_BINS: Final = 80
"""Frequencies of a frame of sound."""
FRAMES: Final = 2
"""Frames of sound that become one place of the encoder."""
BEGIN: Final = 1
"""The word that a translation begins with."""
OTHER_WORDS: Final = 1_000_003
"""Added to a seed for the words of the decoder."""


def marian(problem: Problem) -> Built:
    """A translator: words of the source, of which some are padding, and words of the target."""
    lengths = {"max_position_embeddings": max(problem.query_length, problem.key_length)}
    model = made("MarianMTModel", "MarianConfig", **_sizes(problem), **lengths)
    return Built(model=model, draw=_translation(problem), answer=answer)


def t5(problem: Problem) -> Built:
    """A translator whose scores get a bias by the distance of words."""
    width = width_of(problem)
    model = made(
        "T5ForConditionalGeneration",
        "T5Config",
        vocab_size=WORDS,
        d_model=width,
        d_kv=problem.head_dim,
        d_ff=EXPANSION * width,
        num_layers=LAYERS,
        num_heads=problem.query_heads,
        dropout_rate=0.0,
        decoder_start_token_id=BEGIN,
        **SPECIAL,
    )
    return Built(model=with_spread_biases(model), draw=_translation(problem), answer=answer)


def whisper(problem: Problem) -> Built:
    """A model of speech: frames of sound, and the words that are said."""
    values = {
        **_sizes(problem),
        "num_mel_bins": MEL_BINS,
        "max_source_positions": problem.key_length,
        "max_target_positions": problem.query_length,
    }
    model = made("WhisperForConditionalGeneration", "WhisperConfig", **values)
    return Built(model=model, draw=_speech(problem), answer=answer)


def _translation(problem: Problem) -> Callable[[int], Batch]:
    source = words(problem, problem.key_length, use_cache=False)

    def draw(seed: int) -> Batch:
        return {**source(seed), "decoder_input_ids": _target(problem, seed)}

    return draw


def _speech(problem: Problem) -> Callable[[int], Batch]:
    shape = (problem.batch, MEL_BINS, FRAMES * problem.key_length)

    def draw(seed: int) -> Batch:
        generator = torch.Generator().manual_seed(seed)
        sound = torch.randn(shape, generator=generator)
        return {
            "input_features": sound,
            "decoder_input_ids": _target(problem, seed),
            "use_cache": False,
        }

    return draw


def _target(problem: Problem, seed: int) -> torch.Tensor:
    return drawn(problem.batch, problem.query_length, seed + OTHER_WORDS)


def _sizes(problem: Problem) -> dict[str, Any]:
    """The fields of a configuration that models of this kind share."""
    width, heads = width_of(problem), problem.query_heads
    found: dict[str, Any] = {
        "vocab_size": WORDS,
        "d_model": width,
        "dropout": 0.0,
        "attention_dropout": 0.0,
        "activation_dropout": 0.0,
        "decoder_start_token_id": BEGIN,
        "init_std": spread_of(width),
        **SPECIAL,
    }
    for part in ("encoder", "decoder"):
        found |= {
            f"{part}_layers": LAYERS,
            f"{part}_attention_heads": heads,
            f"{part}_ffn_dim": EXPANSION * width,
        }
    return found
