"""Kernels: what one call of an implementation ran, and when two calls ran the same.

Two implementations run the same kernel on a problem if both call the same attention kernels of a
library as often and on the same shapes, and neither computes another product or softmax. Then they
do the same work, and their times differ by the cost of the call only. Generated code (inductor,
Triton) has the same name for different kernels, and is never the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from suites.records.codec import STRICT, Average, Count

COMPILED: Final = "compiled loops of inductor"
"""Stands for the loops that torch.compile generates: the profiler has one event for all of them."""
MATH: Final = "aten::_scaled_dot_product_attention_math"
"""torch's attention in separate operators; recorded as one kernel."""
TRACED: Final = "prims::"
"""Operators that torch.compile traces a graph with; no other call runs them."""
FELL_BACK: Final = "fell back to"
"""How the operator text of an implementation starts if its library chose a slow path."""
UNSEEN: Final = "its kernels run outside torch, whose profiler does not see them"
"""The note on a record without kernels."""
RAN_MATH: Final = "ran torch's math"
"""The fallback of an implementation that names no operator."""

_ATTENTION: Final = re.compile(
    r"aten::_(scaled_dot_product|flash|efficient|cudnn)_\w*attention"
    r"|(pytorch_)?flash::|FlashAttn|fmha_|cudnn_generated_\w*sdpa"
)
"""Attention kernels of libraries: torch, FlashAttention, CUTLASS in torch and xformers, cuDNN."""
_LIGHT: Final = ("aten::", "at::native::", "Memcpy", "Memset", COMPILED)
"""Starts of names of kernels that copy, fill and compute elementwise, unless _HEAVY matches."""
_HEAVY: Final = re.compile(r"::\w*(mm|mv|dot)_?$|_softmax|SoftMax|gemm|mkldnn")
"""Products and softmax. aten::softmax, matmul and linear are left out: they call these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """One kernel of a call.

    name     of torch's operator on a CPU, of the device kernel on a GPU; without arguments
    share    its part of the time of all kernels, without those that it calls
    calls    how often it ran
    variant  of an attention kernel: the shapes of its inputs, or its template arguments on a GPU
    """

    __pydantic_config__: ClassVar = STRICT

    name: str
    share: Average
    calls: Count
    variant: str = ""


def is_attention(name: str) -> bool:
    """Whether a name is that of an attention kernel of a library."""
    return _ATTENTION.match(name) is not None


def is_seen(kernels: Sequence[Kernel]) -> bool:
    """Whether any kernel does more than copy: otherwise the attention runs outside torch."""
    return any(not is_light(each.name) or each.name == COMPILED for each in kernels)


def attention(kernels: Sequence[Kernel]) -> tuple[tuple[str, int, str], ...]:
    """The attention kernels with calls and variants; empty where other kernels compute, too.

    Two calls for which this is equal, and not empty, ran the same kernel.
    """
    own = [each for each in kernels if is_attention(each.name)]
    if not all(is_light(each.name) for each in kernels if each not in own):
        return ()
    return tuple(sorted((each.name, each.calls, each.variant) for each in own))


def fallback(operator: str, kernels: Sequence[Kernel]) -> str:
    """The slow path that ran although none was requested; empty for none.

    operator  the kernel that the implementation names. One that names its kernel is believed; one
              that names none ran a slow path if torch's math ran
    """
    if operator:
        return operator if operator.startswith(FELL_BACK) else ""
    return RAN_MATH if any(each.name == MATH for each in kernels) else ""


def is_light(name: str) -> bool:
    """Whether it copies, fills or computes elementwise: the way a call is made, not its work."""
    heavy = is_attention(name) or _HEAVY.search(name)
    return name.startswith(_LIGHT) and not heavy
