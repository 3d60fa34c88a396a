"""Small models that call scaled_dot_product_attention, with random weights, and their calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import diffusers as df
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.bridges.small_models import IMAGES, Made, like

WIDTH: Final = 32
HEADS: Final = 4
LENGTH: Final = 24
TOKENS: Final = torch.randn(2, LENGTH, WIDTH, generator=torch.Generator().manual_seed(2))
PADDED: Final = torch.arange(LENGTH).expand(2, -1) >= torch.tensor([[LENGTH], [LENGTH - 7]])
"""[2, T]: whether a token is padding; the second row ends 7 tokens early."""
LATENTS: Final = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(3))
STEPS: Final = torch.tensor([7, 300])


class SelfAttention(nn.Module):
    """Attention with heads, as a hand-written model has it."""

    def __init__(self, key_heads: int = HEADS) -> None:
        super().__init__()
        self.key_heads, self.head_dim = key_heads, WIDTH // HEADS
        self.qkv = nn.Linear(WIDTH, WIDTH + 2 * key_heads * self.head_dim)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.options: dict[str, Any] = {"enable_gqa": True} if key_heads < HEADS else {}

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """[B, T, E] to [B, T, E]."""
        narrow = self.key_heads * self.head_dim
        q, k, v = (
            each.unflatten(-1, (-1, self.head_dim)).transpose(1, 2)
            for each in self.qkv(x).split([WIDTH, narrow, narrow], -1)
        )
        out = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, **self.options)
        return self.out(out.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """A layer of a transformer, with normalisation before."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.norm, self.attention = nn.LayerNorm(WIDTH), SelfAttention(**options)
        self.mlp = nn.Sequential(
            nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH)
        )

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """[B, T, E] to [B, T, E]."""
        x = x + self.attention(self.norm(x), mask)
        return x + self.mlp(x)


class Blocks(nn.Module):
    """Layers on tokens, with a mask for all of them."""

    def __init__(self, mask: Tensor | None = None, **options: Any) -> None:
        super().__init__()
        self.mask = mask
        self.blocks = nn.ModuleList([Block(**options) for _ in range(2)])

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, E] to [B, T, E]."""
        for block in self.blocks:
            x = block(x, self.mask)
        return x


class VisionTransformer(nn.Module):
    """Patches of images, layers, and classes by the first token."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, WIDTH, 8, 8)
        self.first = nn.Parameter(torch.randn(1, 1, WIDTH))
        self.positions = nn.Parameter(torch.randn(1, 17, WIDTH))
        self.layers, self.head = Blocks(), nn.Linear(WIDTH, 10)

    def forward(self, images: Tensor) -> Tensor:
        """[B, 3, 32, 32] to [B, 10]."""
        x = self.patches(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(len(x), -1, -1), x], 1) + self.positions
        return self.head(self.layers(x)[:, 0])


def seeded(make: Callable[[], nn.Module]) -> Any:
    """A model with seeded weights."""
    torch.manual_seed(0)
    return make().eval()


def of_tokens(make: Callable[[], nn.Module], layers: int = 2) -> Made:
    """A model that takes tokens."""
    return Made(seeded(make), lambda model: model(like(model, TOKENS)), layers)


def causal_padded() -> Tensor:
    """[2, 1, T, T], True where seen: causal, and padded on the left, so that rows see no key."""
    causal = torch.ones(LENGTH, LENGTH, dtype=torch.bool).tril()
    return causal & ~PADDED.flip(1)[:, None, None]


def encoder_layer() -> nn.Module:
    """A layer of torch's own transformer."""
    return nn.TransformerEncoderLayer(WIDTH, HEADS, 48, dropout=0.0, batch_first=True)


def encoder() -> nn.Module:
    """Torch's own transformer."""
    return nn.TransformerEncoder(encoder_layer(), 2)  # type: ignore[arg-type] # a layer it is


def of_encoder(make: Callable[[], nn.Module], layers: int) -> Made:
    """An encoder on padded tokens; outputs of padding do not count."""
    return Made(
        seeded(make),
        lambda model: model(like(model, TOKENS), src_key_padding_mask=PADDED)[~PADDED],
        layers,
    )


def unet() -> nn.Module:
    """A network of Stable Diffusion's kind: convolutions, self-attention and cross-attention."""
    kind: Any = df.UNet2DConditionModel
    model: nn.Module = kind(
        sample_size=8,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        cross_attention_dim=WIDTH,
        attention_head_dim=2,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )
    return model


def dit() -> nn.Module:
    """A diffusion transformer."""
    kind: Any = df.DiTTransformer2DModel
    model: nn.Module = kind(
        num_attention_heads=HEADS,
        attention_head_dim=8,
        in_channels=4,
        num_layers=2,
        sample_size=8,
        norm_num_groups=4,
        num_embeds_ada_norm=10,
    )
    return model


def encoder_decoder() -> nn.Module:
    """Torch's own encoder and decoder: self-attention, and cross-attention of unequal lengths."""
    return nn.Transformer(WIDTH, HEADS, 1, 1, 48, dropout=0.0, batch_first=True)


def translated(model: Any) -> Tensor:
    """[B, 10, E]: the output of an encoder and a causal decoder for padded tokens."""
    x, causal = like(model, TOKENS), nn.Transformer.generate_square_subsequent_mask(10)
    out: Tensor = model(
        x,
        x[:, :10],
        tgt_mask=like(model, causal),
        tgt_is_causal=True,
        src_key_padding_mask=PADDED,
        memory_key_padding_mask=PADDED,
    )
    return out


MODELS: Final[dict[str, Callable[[], Made]]] = {
    "dit": lambda: Made(
        seeded(dit),
        lambda model: (
            model(like(model, LATENTS), timestep=STEPS, class_labels=torch.tensor([1, 2])).sample
        ),
        2,
    ),
    "unet cross-attention": lambda: Made(
        seeded(unet),
        lambda model: (
            model(
                like(model, LATENTS),
                STEPS,
                like(model, TOKENS),
                encoder_attention_mask=~PADDED,
            ).sample
        ),
        8,
    ),
    "encoder layer right": lambda: of_encoder(encoder_layer, 1),
    "encoder right": lambda: of_encoder(encoder, 2),
    "encoder decoder": lambda: Made(seeded(encoder_decoder), translated, 3),
    "vision": lambda: Made(seeded(VisionTransformer), lambda model: model(like(model, IMAGES)), 2),
    "grouped": lambda: of_tokens(lambda: Blocks(key_heads=2)),
    "causal left": lambda: of_tokens(lambda: Blocks(causal_padded())),
}
"""By name: the model, and what is special about it."""
