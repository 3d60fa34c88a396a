"""Vision transformers: images cut into patches, windows and object queries.

| model | source | attention |
|---|---|---|
| ViT-B/16 | arXiv 2010.11929, table 1 | 12 layers, 12 heads, D 64; (S / 16)^2 + 1 positions |
| DETR R50 | arXiv 2005.12872 | 6 + 6 layers, 8 heads, D 32; 100 object queries |
| Swin-T | arXiv 2103.14030, 3.3 | windows of 7 x 7; 2, 2, 6, 2 layers of 3 to 24 heads, D 32 |
| ViTDet ViT-B | arXiv 2203.16527, 3 | 8 layers in windows of 14 x 14, 4 over 64 x 64 patches |

Windows are rows of the batch: 56 x 56 patches of Swin-T are 64 windows of 49; 64 x 64 patches of
ViTDet, filled up to 70 x 70, are 25 windows of 196.

An image of 640 x 480 is resized to 1066 x 800 for DETR; a stride of 32 leaves 34 x 25 = 850
positions. One image has no padded pixels, so that no mask hides any.

Not expressed, and so not measured:

* Swin's bias is a table of (2 * 7 - 1)^2 = 169 offsets in two dimensions for each head. `relative`
  has a table over the distance in one dimension, here of 170 rows. The work is similar: a table is
  read, and a bias of [heads, 49, 49] is added to the scores. The values differ.
* Every second layer of Swin's first three stages shifts its windows and masks patches of other
  regions. They are measured without that mask.
* ViTDet adds decomposed relative positions, computed from its queries. They are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from suites.request.suites.model_steps import Call, ModelStep, cases_of, counted, part
from suites.request.suites.suite import Suite

VIT_BATCH: Final = 512
"""Images of a fine-tuning step (arXiv 2010.11929, section 4.1; config.batch of
google-research/vision_transformer vit_jax/configs/common.py)."""
SWIN_STAGES: Final = ((64, 3, 2), (16, 6, 2), (4, 12, 6), (1, 24, 2))
"""Windows, heads and layers of each stage of Swin-T."""


def _steps(*, on_gpu: bool) -> Iterator[ModelStep]:
    images = VIT_BATCH if on_gpu else 1
    for side, patches in ((224, 14), (384, 24)):
        yield _vit(side, patches**2 + 1, images)
    yield _detr()
    yield _swin()
    yield _vitdet()


def _vit(side: int, positions: int, images: int) -> ModelStep:
    return ModelStep(
        f"ViT-B/16 at {side} px, forward pass, {counted(images, 'image')}",
        f"arXiv 2010.11929, table 1; google/vit-base-patch16-{side} config.json: "
        "num_hidden_layers, num_attention_heads, hidden_size, image_size, patch_size",
        (Call(f"ViT-B/16 at {side} px", f"b{images} h12 t{positions} d64 full", 12),),
        part(images, VIT_BATCH),
    )


def _detr() -> ModelStep:
    return ModelStep(
        "DETR R50, forward pass, 1 image of 640 x 480",
        "arXiv 2005.12872; facebook/detr-resnet-50 config.json: encoder_layers, decoder_layers, "
        "encoder_attention_heads, decoder_attention_heads, d_model, num_queries",
        (
            Call("DETR encoder", "h8 t850 d32 full", 6),
            Call("DETR decoder self-attention", "h8 t100 d32 full", 6),
            Call("DETR decoder cross-attention", "h8 t100/850 d32 full", 6),
        ),
    )


def _swin() -> ModelStep:
    return ModelStep(
        "Swin-T at 224 px, forward pass, 1 image",
        "arXiv 2103.14030; microsoft/swin-tiny-patch4-window7-224 config.json: depths, num_heads, "
        "embed_dim, window_size, image_size, patch_size",
        tuple(
            Call(
                f"Swin-T stage {stage}, {counted(windows, 'window')}",
                f"b{windows} h{heads} t49 d32 full relative:170",
                layers,
            )
            for stage, (windows, heads, layers) in enumerate(SWIN_STAGES, start=1)
        ),
        "a bias over one dimension; windows are not shifted",
    )


def _vitdet() -> ModelStep:
    return ModelStep(
        "ViTDet ViT-B at 1024 px, forward pass, 1 image",
        "arXiv 2203.16527, section 3; facebookresearch/detectron2 "
        "configs/common/models/mask_rcnn_vitdet.py: depth, num_heads, embed_dim, img_size, "
        "patch_size, window_size, window_block_indexes",
        (
            Call("ViTDet in windows, 25 windows", "b25 h12 t196 d64 full", 8),
            Call("ViTDet over the image", "h12 t4096 d64 full", 4),
        ),
        "without relative positions",
    )


SUITE: Final = Suite(
    name="vision",
    asks="What does attention cost in ViT, DETR, Swin and ViTDet, for one image?",
    description="ViT-B/16 at 224 and 384 px, DETR encoder and decoder, Swin-T windows with a bias, "
    "ViTDet windows and whole image at 1024 px; float32 on a CPU, 16 bits on a GPU, there ViT with "
    "512 images",
    cases=cases_of(_steps),
    minutes=7.0,
    budget_s=6 * 60.0,
    panels=("attention",),
    left_out=(
        (
            "the table of offsets in two dimensions and the shifted windows of Swin: no problem "
            "expresses them"
        ),
        "the relative positions of ViTDet: no problem expresses them",
    ),
)
