"""scaled_dot_product_attention on the stand-in: the backend asked for, or torch's refusal."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.attention import SDPBackend, _cur_sdpa_kernel_backends, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention


def scaled_dot_product(*args: Any, **kwargs: Any) -> Any:
    """The dense computation, whatever backend is enabled."""
    _cur_sdpa_kernel_backends()
    with sdpa_kernel(SDPBackend.MATH), torch._C.DisableTorchFunction():
        return scaled_dot_product_attention(*args, **kwargs)
