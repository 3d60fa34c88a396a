"""Precision of matrix products: set to the same values in every process, and recorded.

With TF32 a "float32" product has a 10-bit mantissa. A half-precision product may accumulate in half
precision. Either would make results differ between machines.
"""

from __future__ import annotations

import torch


def settle() -> None:
    """Turn TF32 off, and accumulate half-precision products in float32."""
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    products = torch.backends.cuda.matmul
    products.allow_tf32 = False
    products.allow_fp16_reduced_precision_reduction = False
    products.allow_bf16_reduced_precision_reduction = False
    products.allow_fp16_accumulation = False


def describe() -> dict[str, str]:
    """The current settings, for the record of a session."""
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
