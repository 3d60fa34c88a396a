"""Right for the usual slopes, tables and scales; wrong for others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tests.agreement.attention_call import AttentionCall, attend
from tests.agreement.impostors import rejected

OTHER = "another bias"
_KEPT: dict[Any, Any] = {}


def with_slopes(call: AttentionCall, slopes: Tensor) -> Tensor:
    return attend(replace(call, bias=replace(call.bias, values=slopes)))


@rejected("h4 t64 d16 causal alibi", f"{OTHER}.*out is wrong", by="rounding_bound", on=OTHER)
@rejected("h3 t64 d16 full alibi", f"{OTHER}.*out is wrong", by="rounding_bound", on=OTHER)
def slopes_of_the_usual_series(call: AttentionCall) -> Tensor:
    """It never reads the given slopes, unless they are zero."""
    if call.bias is None or not call.bias.values.any():
        return attend(call)
    heads = torch.arange(1, call.q.shape[1] + 1)
    return with_slopes(call, 2.0 ** (-8 * heads / call.q.shape[1]))


@rejected("h4 t64 d16 causal alibi", f"{OTHER}.*out is wrong", by="rounding_bound", on=OTHER)
def slopes_as_powers_of_the_first(call: AttentionCall) -> Tensor:
    if call.bias is None:
        return attend(call)
    return with_slopes(call, call.bias.values[0] ** torch.arange(1, call.q.shape[1] + 1))


@rejected("h2 t64 d16 causal relative:8", "is wrong", by="rounding_bound", on=OTHER)
def table_of_the_first_call(call: AttentionCall) -> Tensor:
    if call.bias is None or not call.bias.values.any():
        return attend(call)
    table = call.bias.values
    return with_slopes(call, _KEPT.setdefault(table.shape, table.clone()))


@rejected(
    "h4 t64 d16 full scale0.3",
    "(another scale|two values of the scale).*out is wrong",
    by="rounding_bound",
    on="another scale",
)
def scale_of_two_known_ones(call: AttentionCall) -> Tensor:
    known = (0.3, call.q.shape[3] ** -0.5)
    return attend(replace(call, scale=min(known, key=lambda each: abs(each - call.scale))))
