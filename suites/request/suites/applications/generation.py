"""Models that generate images.

| model | source | attention |
|---|---|---|
| DiT-XL/2 | arXiv 2212.09748, table 1 | 28 layers, 16 heads, D 72; (S / 16)^2 patches |
| SDXL | arXiv 2307.01952, table 1 | 10 blocks of 10 heads, 60 of 20 heads; D 64 |
| ImageGPT small | openai/imagegpt-small | 24 layers, 8 heads, D 64; 32 x 32 pixels, causal |

SDXL at 1024 px has latents of 128 x 128. Its highest resolution has no attention; blocks at 64 x 64
are 2 in each of 2 layers down and 3 up, blocks at 32 x 32 are 10 in each of 2 down, 3 up and 1
between. Each block has self-attention and cross-attention over 77 tokens of text.

DiT and SDXL double the batch for classifier-free guidance. SDXL is measured without it on a CPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from suites.request.suites.model_steps import Call, ModelStep, cases_of, part
from suites.request.suites.suite import Suite

GUIDED: Final = 2
"""Rows of the batch for an image with classifier-free guidance."""


def _steps(*, on_gpu: bool) -> Iterator[ModelStep]:
    yield _dit(256)
    yield _image_gpt()
    yield _dit(512)
    yield _sdxl(GUIDED if on_gpu else 1)
    if on_gpu:
        yield _sdxl_decoder()


def _dit(side: int) -> ModelStep:
    tokens = (side // 8 // 2) ** 2
    return ModelStep(
        f"DiT-XL/2 at {side} px, one denoising step with guidance, 1 image",
        "arXiv 2212.09748, table 1; facebookresearch/DiT models.py, DiT_XL_2: depth, hidden_size, "
        "num_heads, patch_size",
        (Call(f"DiT-XL/2 at {side} px", f"b{GUIDED} h16 t{tokens} d72 full", 28),),
    )


def _image_gpt() -> ModelStep:
    return ModelStep(
        "ImageGPT small, forward pass over 32 x 32 pixels, 1 image",
        "openai/imagegpt-small config.json: n_layer, n_head, n_embd, n_positions",
        (Call("ImageGPT small", "h8 t1024 d64 causal", 24),),
    )


def _sdxl(rows: int) -> ModelStep:
    guidance = "with" if rows == GUIDED else "without"
    return ModelStep(
        f"SDXL at 1024 px, one denoising step {guidance} guidance, 1 image",
        "arXiv 2307.01952, table 1; stabilityai/stable-diffusion-xl-base-1.0 unet/config.json: "
        "attention_head_dim, block_out_channels, layers_per_block, transformer_layers_per_block, "
        "sample_size",
        (
            Call("SDXL self-attention at 32 x 32", f"b{rows} h20 t1024 d64 full", 60),
            Call("SDXL cross-attention at 32 x 32", f"b{rows} h20 t1024/77 d64 full", 60),
            Call("SDXL cross-attention at 64 x 64", f"b{rows} h10 t4096/77 d64 full", 10),
            Call("SDXL self-attention at 64 x 64", f"b{rows} h10 t4096 d64 full", 10),
        ),
        part(rows, GUIDED),
    )


def _sdxl_decoder() -> ModelStep:
    return ModelStep(
        "SDXL at 1024 px, decoder of the latents, 1 image",
        "stabilityai/stable-diffusion-xl-base-1.0 vae/config.json: block_out_channels; sample_size "
        "of unet/config.json",
        (Call("SDXL decoder of the latents", "h1 t16384 d512 full", 1),),
    )


SUITE: Final = Suite(
    name="generation",
    asks="What does attention cost in DiT, Stable Diffusion XL and ImageGPT, for one image?",
    description="DiT-XL/2 at 256 and 512 px, SDXL self-attention and cross-attention at 1024 px, "
    "ImageGPT small; float32 on a CPU, there SDXL without guidance; 16 bits on a GPU, there with "
    "the decoder of SDXL",
    cases=cases_of(_steps),
    minutes=7.0,
    budget_s=6 * 60.0,
    panels=("attention",),
    left_out=(
        (
            "the decoder of SDXL on a CPU: T 16384, one head and D 512 are 550 GFLOP a call; for "
            'this call: run --problem "h1 t16384 d512 full"'
        ),
        "ImageGPT one pixel at a time: 1024 lengths; the suite decode has one query over more keys",
    ),
)
