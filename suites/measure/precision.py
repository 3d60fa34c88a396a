"""How exactly matrix products are summed: set the same in every process, and told.

A "float32" product may be one of 10-bit numbers where TF32 is allowed, and a half-precision one may
be summed in half precision: what is compared would differ from machine to machine.
"""

from __future__ import annotations

import torch


def settle() -> None:
    """Have float32 mean float32, and half-precision products summed in float32."""
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    products = torch.backends.cuda.matmul
    products.allow_tf32 = False
    products.allow_fp16_reduced_precision_reduction = False
    products.allow_bf16_reduced_precision_reduction = False
    products.allow_fp16_accumulation = False


def describe() -> dict[str, str]:
    """The settings as they are now, in words."""
    products = torch.backends.cuda.matmul
    reduced = (
        products.allow_fp16_reduced_precision_reduction,
        products.allow_bf16_reduced_precision_reduction,
        products.allow_fp16_accumulation,
    )
    return {
        "float32 products": torch.get_float32_matmul_precision(),
        "TF32": "allowed" if products.allow_tf32 or torch.backends.cudnn.allow_tf32 else "off",
        "half-precision sums": "in half precision" if any(reduced) else "in float32",
    }
