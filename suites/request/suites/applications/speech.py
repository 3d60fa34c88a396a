"""Whisper: speech to text.

Shapes: arXiv 2212.04356, and openai/whisper-large-v3 config.json: encoder_layers 32,
decoder_layers 32 (4 in openai/whisper-large-v3-turbo), encoder_attention_heads and
decoder_attention_heads 20, d_model 1280, max_source_positions 1500, max_target_positions 448. Every
window has 30 s and 1500 positions, so that no batch is padded.

Greedy decoding samples at most 224 tokens a window: max_target_positions / 2, the default of
DecodingTask in whisper/decoding.py. A query reads all earlier keys of the decoder. Four key lengths
stand for 56 tokens each: 28, 84, 140 and 196 are the middles of the four quarters of 224. The few
tokens of the prompt are left out.

Whisper scales its queries before the product; the scale here is the same, 1/sqrt(64).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from suites.request.suites.model_steps import Call, ModelStep, cases_of
from suites.request.suites.suite import Suite

LAYERS: Final = {"large-v3": (32, 32), "large-v3-turbo": (32, 4)}
"""Encoder and decoder layers by model."""
TOKENS: Final = 224
"""Tokens that greedy decoding samples in a window, at most."""
QUARTERS: Final = tuple(TOKENS * part // 8 for part in (1, 3, 5, 7))
"""Key lengths, the middle of each quarter of the tokens."""


def _steps(*, on_gpu: bool) -> Iterator[ModelStep]:  # noqa: ARG001 - one window on every device
    for model in LAYERS:
        yield _decoding(model)
    yield _one_pass("large-v3")


def _decoding(model: str) -> ModelStep:
    layers = LAYERS[model][1]
    each = TOKENS // len(QUARTERS) * layers
    return ModelStep(
        f"Whisper {model}, one 30 s window, {TOKENS} tokens",
        _source(model),
        (
            _encoder(model),
            Call(f"Whisper {model} cross-attention, one token", _tokens(1, 1500), TOKENS * layers),
            *(
                Call(f"Whisper {model} decoder, one token over {keys} keys", _tokens(1, keys), each)
                for keys in QUARTERS
            ),
        ),
    )


def _one_pass(model: str) -> ModelStep:
    """As in training: all tokens of the text at once. Forward alone."""
    layers = LAYERS[model][1]
    return ModelStep(
        f"Whisper {model}, forward pass over 30 s and a text of 448 tokens",
        _source(model),
        (
            _encoder(model),
            Call(f"Whisper {model} decoder", "h20 t448 d64 causal", layers),
            Call(f"Whisper {model} cross-attention", _tokens(448, 1500), layers),
        ),
    )


def _encoder(model: str) -> Call:
    return Call(f"Whisper {model} encoder", "h20 t1500 d64 full", LAYERS[model][0])


def _tokens(queries: int, keys: int) -> str:
    return f"h20 t{queries}/{keys} d64 full"


def _source(model: str) -> str:
    return (
        f"arXiv 2212.04356; openai/whisper-{model} config.json: encoder_layers, decoder_layers, "
        "encoder_attention_heads, d_model, max_source_positions, max_target_positions"
    )


SUITE: Final = Suite(
    name="speech",
    asks="What does attention cost in Whisper, for one window of 30 s?",
    description="Whisper large-v3 and large-v3-turbo: encoder at 1500 positions, decoder and "
    "cross-attention for one token and for a text of 448 tokens; float32 on a CPU, 16 bits on a "
    "GPU",
    cases=cases_of(_steps),
    minutes=5.0,
    budget_s=4.5 * 60.0,
    panels=("attention",),
    left_out=(
        "beam search: five rows of one query instead of one, the default of the command whisper",
        "a training step of Whisper large-v3: five times the forward pass, which alone fits",
    ),
)
