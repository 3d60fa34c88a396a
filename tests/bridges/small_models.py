"""Small models of transformers with random weights, one for each mechanism, and their calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import torch
import transformers as hf
from torch import Tensor

VOCABULARY: Final = 64
LENGTH: Final = 24
SIZES: Final[dict[str, Any]] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
GROUPED: Final[dict[str, Any]] = {**SIZES, "num_key_value_heads": 2}
TOKENS: Final = torch.randint(
    3, VOCABULARY, (2, LENGTH), generator=torch.Generator().manual_seed(0)
)
IMAGES: Final = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
HIDDEN: Final = torch.where(
    torch.rand(2, 1, LENGTH, LENGTH, generator=torch.Generator().manual_seed(2)) < 0.5,
    torch.finfo(torch.float32).min,
    0.0,
).masked_fill(torch.eye(LENGTH, dtype=torch.bool), 0.0)
"""Added to the scores: half of the pairs are hidden, others in each batch row."""
ENCODER_DECODER: Final[dict[str, Any]] = {
    "d_model": 64,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "vocab_size": VOCABULARY,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}


def padding(side: str) -> Tensor:
    """[2, T]: the second row has 7 padded tokens on a side; "none": all are seen."""
    mask = torch.ones(2, LENGTH, dtype=torch.long)
    if side == "left":
        mask[1, :7] = 0
    elif side == "right":
        mask[1, -7:] = 0
    return mask


class Made(NamedTuple):
    """A model, and the logits of a call that count: those of tokens that are no padding."""

    model: Any
    logits: Callable[[Any], Tensor]
    layers: int


def text(kind: str, config: Any, side: str, layers: int = 2) -> Made:
    """A model of text on a padded batch."""
    mask = padding(side)

    def logits(model: Any) -> Tensor:
        out: Tensor = model(TOKENS, attention_mask=mask).logits
        return out[mask.bool()] if out.dim() == 3 else out

    return Made(made(kind, config), logits, layers)


def made(kind: str, config: Any) -> Any:
    """A model with seeded weights and its own eager attention."""
    torch.manual_seed(0)
    # Experts in one grouped product have no float64.
    ways = {"attn_implementation": "eager", "experts_implementation": "eager"}
    model = getattr(hf, kind)._from_config(config, **ways)
    return model.eval()


def spread(model: Any) -> Any:
    """The model with standard-normal tables of relative positions, as training spreads them."""
    for name, parameter in model.named_parameters():
        if "relative" in name:
            torch.nn.init.normal_(parameter)
    return model


def like(model: Any, x: Tensor) -> Tensor:
    """The tensor in the dtype of the model."""
    return x.to(next(model.parameters()).dtype)


def configured(kind: str, **values: Any) -> Any:
    """A configuration; its class takes more than its signature states."""
    return getattr(hf, kind)(**values)


def decoder(name: str, **more: Any) -> Any:
    """The configuration of a decoder with grouped heads."""
    return configured(f"{name}Config", **{**GROUPED, **more})


T5: Final = configured(
    "T5Config",
    vocab_size=VOCABULARY,
    d_model=64,
    d_kv=16,
    d_ff=64,
    num_layers=2,
    num_heads=4,
    pad_token_id=0,
    eos_token_id=2,
    decoder_start_token_id=1,
)


MODELS: Final[dict[str, Callable[[], Made]]] = {
    "bert right": lambda: text("BertForSequenceClassification", hf.BertConfig(**SIZES), "right"),
    "modernbert window": lambda: text(
        "ModernBertForSequenceClassification",
        configured("ModernBertConfig", **SIZES, local_attention=8, global_attn_every_n_layers=2),
        "right",
    ),
    "gpt2 packed qkv": lambda: text(
        "GPT2LMHeadModel",
        hf.GPT2Config(
            vocab_size=VOCABULARY, n_embd=64, n_layer=2, n_head=4, bos_token_id=1, eos_token_id=2
        ),
        "left",
    ),
    "llama": lambda: text("LlamaForCausalLM", decoder("Llama"), "none"),
    "llama left": lambda: text("LlamaForCausalLM", decoder("Llama"), "left"),
    "llama right": lambda: text("LlamaForCausalLM", decoder("Llama"), "right"),
    "mistral window": lambda: text(
        "MistralForCausalLM", decoder("Mistral", sliding_window=8), "left"
    ),
    "gemma2 softcap": lambda: text(
        "Gemma2ForCausalLM", decoder("Gemma2", head_dim=16, sliding_window=8), "left"
    ),
    "gpt-oss sinks": lambda: text(
        "GptOssForCausalLM",
        decoder(
            "GptOss",
            head_dim=16,
            sliding_window=8,
            num_local_experts=2,
            num_experts_per_tok=1,
            layer_types=["sliding_attention", "full_attention"],
        ),
        "left",
    ),
    "lfm2 convolution": lambda: text(
        "Lfm2ForCausalLM", decoder("Lfm2", layer_types=["conv", "full_attention"]), "left", 1
    ),
    "whisper": lambda: Made(
        made(
            "WhisperForConditionalGeneration",
            hf.WhisperConfig(
                **ENCODER_DECODER,
                num_mel_bins=8,
                max_source_positions=20,
                max_target_positions=32,
            ),
        ),
        lambda model: (
            model(
                input_features=like(model, torch.ones(2, 8, 40)), decoder_input_ids=TOKENS[:, :12]
            ).logits
        ),
        6,
    ),
    "marian": lambda: Made(
        made("MarianMTModel", hf.MarianConfig(**ENCODER_DECODER, max_position_embeddings=64)),
        lambda model: (
            model(
                input_ids=TOKENS, attention_mask=padding("right"), decoder_input_ids=TOKENS[:, :12]
            ).logits
        ),
        6,
    ),
    "t5 position bias": lambda: Made(
        spread(made("T5ForConditionalGeneration", T5)),
        lambda model: (
            model(
                input_ids=TOKENS, attention_mask=padding("right"), decoder_input_ids=TOKENS[:, :12]
            ).logits
        ),
        6,
    ),
    "swin shifted windows": lambda: Made(
        spread(
            made(
                "SwinForImageClassification",
                hf.SwinConfig(
                    image_size=32,
                    patch_size=2,
                    embed_dim=16,
                    depths=[2, 2],
                    num_heads=[2, 4],
                    window_size=4,
                    drop_path_rate=0.0,
                ),
            )
        ),
        lambda model: model(like(model, IMAGES)).logits,
        4,
    ),
    "beit relative bias": lambda: Made(
        spread(
            made(
                "BeitForImageClassification",
                configured(
                    "BeitConfig",
                    hidden_size=64,
                    num_hidden_layers=2,
                    num_attention_heads=4,
                    intermediate_size=64,
                    image_size=32,
                    patch_size=8,
                    use_relative_position_bias=True,
                    out_indices=[1],
                ),
            )
        ),
        lambda model: model(like(model, IMAGES)).logits,
        2,
    ),
    "vit": lambda: Made(
        made(
            "ViTForImageClassification",
            hf.ViTConfig(
                hidden_size=64,
                num_hidden_layers=2,
                num_attention_heads=4,
                intermediate_size=64,
                image_size=32,
                patch_size=8,
            ),
        ),
        lambda model: model(like(model, IMAGES)).logits,
        2,
    ),
    "detr": lambda: Made(
        made(
            "DetrForObjectDetection",
            configured(
                "DetrConfig",
                use_timm_backbone=False,
                use_pretrained_backbone=False,
                backbone_config=configured(
                    "ResNetConfig",
                    embedding_size=16,
                    hidden_sizes=[16, 16],
                    depths=[1, 1],
                    out_features=["stage2"],
                ),
                d_model=64,
                encoder_layers=1,
                decoder_layers=1,
                encoder_attention_heads=4,
                decoder_attention_heads=4,
                encoder_ffn_dim=64,
                decoder_ffn_dim=64,
                num_queries=6,
            ),
        ),
        lambda model: model(like(model, IMAGES)).logits,
        3,
    ),
    "llama dense masks": lambda: Made(
        made("LlamaForCausalLM", decoder("Llama")),
        lambda model: model(TOKENS, attention_mask=like(model, HIDDEN)).logits,
        2,
    ),
    "llama packed": lambda: Made(
        made("LlamaForCausalLM", decoder("Llama")),
        lambda model: (
            model(
                TOKENS[:1],
                position_ids=torch.cat([torch.arange(10), torch.arange(LENGTH - 10)])[None],
                use_cache=False,
            ).logits
        ),
        2,
    ),
}
"""By name: the model, and what is special about it."""
