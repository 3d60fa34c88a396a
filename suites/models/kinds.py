"""The models that a problem can name, as data: what each one has, and the problems that it takes.

A problem with `model:llama` has the sizes of the model's attention layers; the width of the model
is heads times D. Where layers differ, the problem is that of one of them, which `says` names.
"""

from __future__ import annotations

import difflib
from typing import Final

from impls.interface import Problem
from suites.models.kind import (
    SQUARE_KEYS,
    UNSCALED,
    WINDOW_WITHIN,
    ModelKind,
    Rule,
    is_square,
    width_multiple,
)
from suites.models.kind import limits_of_models as limits

LAYERS: Final = 2
"""Layers of a stack: models with two kinds of layers have one of each."""
WINDOW_SHARE: Final = 4
"""Keys of a decoded token over the window, in models that alternate windows with full layers."""
_CAUSAL: Final = ("causal", "causal+padding", "causal+documents")
_WINDOW: Final = ("window", "window+padding")
_EVEN: Final = range(2, 1025, 2)
"""Rotary positions turn pairs of numbers."""
_ROTARY: Final = {"grouped_heads": True, "head_dims": _EVEN}
_WINDOWS: Final = {**_ROTARY, "windows": "causal"}

_ENCODERS: Final = (
    ModelKind(
        name="bert",
        says="An encoder that classifies padded sentences",
        class_="transformers.BertForSequenceClassification",
        example="b4 h4 t128 d64 padding:0.75",
        limits=limits("full", "padding"),
    ),
    ModelKind(
        name="modernbert",
        says="An encoder whose layers alternate full attention with the problem's local window",
        class_="transformers.ModernBertForSequenceClassification",
        example="b2 h6 t256 d64 window:33:32+padding:0.5",
        limits=limits(*_WINDOW, head_dims=_EVEN, windows="symmetric"),
        rules=(WINDOW_WITHIN,),
    ),
)
_DECODERS: Final = (
    ModelKind(
        name="llama",
        says="A decoder with grouped heads, rotary positions and a cache",
        class_="transformers.LlamaForCausalLM",
        example="b1 h8/2 t512 d64 causal",
        decoded="b1 h8/2 t1/2048 d64 full",
        limits=limits(*_CAUSAL, **_ROTARY),
    ),
    ModelKind(
        name="mistral",
        says="A decoder with a window in every layer; the keys of a decoded token are its window",
        class_="transformers.MistralForCausalLM",
        example="b1 h8/2 t512 d64 window:128",
        decoded="b1 h8/2 t1/1024 d64 full",
        limits=limits(*_WINDOW, **_WINDOWS),
        rules=(WINDOW_WITHIN,),
    ),
    ModelKind(
        name="gemma2",
        says="A decoder that caps scores; layers alternate the problem's window with causal "
        "attention, and a decoded token is that of a layer without a window",
        class_="transformers.Gemma2ForCausalLM",
        example="b1 h8/4 t512 d64 window:128 softcap50",
        decoded="b1 h8/4 t1/2048 d64 full softcap50",
        limits=limits(*_WINDOW, **_WINDOWS, softcap=True),
        needs=("softcap",),
        rules=(WINDOW_WITHIN,),
    ),
    ModelKind(
        name="gpt_oss",
        says="A decoder with a sink for each head and two experts; layers alternate the problem's "
        "window with causal attention, and a decoded token is that of a layer without a window",
        class_="transformers.GptOssForCausalLM",
        example="b1 h8/2 t512 d64 window:128 sink",
        decoded="b1 h8/2 t1/2048 d64 full sink",
        limits=limits(*_WINDOW, **_WINDOWS, sink=True),
        needs=("sink",),
        rules=(WINDOW_WITHIN,),
    ),
    ModelKind(
        name="lfm2",
        says="A decoder of a short convolution and an attention layer",
        class_="transformers.Lfm2ForCausalLM",
        example="b1 h8/2 t512 d64 causal",
        limits=limits("causal", "causal+padding", **_ROTARY),
    ),
    ModelKind(
        name="jamba",
        says="A decoder of a recurrent (Mamba) and an attention layer, without positions",
        class_="transformers.JambaForCausalLM",
        example="b1 h4/2 t128 d64 causal",
        limits=limits("causal", "causal+padding", grouped_heads=True),
    ),
)
_ENCODER_DECODERS: Final = (
    ModelKind(
        name="marian",
        says="Translation with an encoder and a decoder: the problem is the attention from Tq "
        "words to Tk padded words of the source",
        class_="transformers.MarianMTModel",
        example="b2 h8 t64/128 d64 padding:0.5",
        limits=limits("full", "padding", unequal_lengths=True),
        rules=(width_multiple(2),),
    ),
    ModelKind(
        name="t5",
        says="Translation with a bias by the distance of words: the problem is the attention of "
        "the encoder",
        class_="transformers.T5ForConditionalGeneration",
        example="b2 h8 t128 d64 padding:0.5 dense scale1.0",
        limits=limits("full", "padding", biases=("dense",), own_scale=True),
        rules=(UNSCALED,),
    ),
    ModelKind(
        name="whisper",
        says="Speech to text: the problem is the attention from Tq words to Tk frames of sound, "
        "with queries that are scaled before",
        class_="transformers.WhisperForConditionalGeneration",
        example="b1 h6 t64/500 d64 full scale1.0",
        limits=limits("full", own_scale=True, unequal_lengths=True),
        rules=(UNSCALED, width_multiple(2)),
    ),
)
_VISION: Final = (
    ModelKind(
        name="vit",
        says="Image classification with a token for each of T - 1 patches and one for the class",
        class_="transformers.ViTForImageClassification",
        example="b2 h6 t197 d64 full",
        limits=limits("full", least_key_length=2),
        rules=(
            Rule(
                lambda p: is_square(p.key_length - 1),
                "T {p.key_length}: one more than the patches of a square image, as 65 or 197",
            ),
        ),
    ),
    ModelKind(
        name="swin",
        says="Image classification in B windows of one image, of T patches each, with a bias by "
        "their distance; the second layer has windows across the borders of the first",
        class_="transformers.SwinForImageClassification",
        example="b64 h3 t49 d32 full dense",
        limits=limits("full", biases=("dense",)),
        rules=(
            SQUARE_KEYS,
            Rule(lambda p: is_square(p.batch), "batch {p.batch}: its windows fill a square image"),
        ),
    ),
    ModelKind(
        name="detr",
        says="Detection after a convolutional network: the problem is the attention from Tq "
        "objects to Tk places of the image",
        class_="transformers.DetrForObjectDetection",
        example="b2 h8 t100/400 d32 full",
        limits=limits("full", unequal_lengths=True, backward=False),
        rules=(SQUARE_KEYS, width_multiple(4)),
    ),
)
_DIFFUSION: Final = (
    ModelKind(
        name="dit",
        says="A step of diffusion, with a token for each of T patches of a latent image",
        class_="diffusers.DiTTransformer2DModel",
        example="b2 h6 t256 d64 full",
        limits=limits("full", backward=False),
        rules=(SQUARE_KEYS, width_multiple(4)),
    ),
)

_KINDS: Final = (*_ENCODERS, *_DECODERS, *_ENCODER_DECODERS, *_VISION, *_DIFFUSION)
KINDS: Final = {kind.name: kind for kind in _KINDS}
"""By name, in the order in which they are listed."""


def expect_possible(problem: Problem) -> None:
    """Raise ValueError for a problem in a model that is not known, or that cannot have it."""
    name = problem.model_name
    if not name or is_file(name):
        return
    if name not in KINDS:
        near = difflib.get_close_matches(name, KINDS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(
            f"unknown model {name!r}; {hint}expected one of {', '.join(KINDS)}, or FILE.py:FUNCTION"
        )
    if reasons := KINDS[name].refusals(problem):
        raise ValueError(
            f"{problem}: {'; '.join(reasons)}; a problem of {name} is {KINDS[name].example!r}"
        )


def is_file(name: str) -> bool:
    """Whether a model is named by a function of a file."""
    return ".py:" in name
