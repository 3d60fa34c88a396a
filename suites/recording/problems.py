"""A recorded call as a problem of the grammar, or the reason why there is none."""

from __future__ import annotations

import math
from typing import Any

from impls.interface import Bias, Mask, Problem


def problem_of(call: dict[str, Any], *, training: bool) -> Problem:
    """The problem that a call answers.

    call  as the recorder wrote it

    Raises ValueError with the reason where the grammar cannot express the call.
    """
    if call["reason"]:
        raise ValueError(call["reason"])
    (batch, query_heads, queries, width), (_, key_heads, keys, _), (*_, value_width) = call[
        "shapes"
    ]
    scale = call["scale"]
    if scale is not None and math.isclose(scale, width**-0.5, rel_tol=1e-6):
        scale = None
    return Problem(
        batch=batch,
        query_heads=query_heads,
        key_heads=key_heads,
        query_length=queries,
        key_length=keys,
        head_dim=width,
        value_dim=None if value_width == width else value_width,
        mask=_mask(call),
        bias=Bias(call["bias"] or "none"),
        scale=scale,
        softcap=call["softcap"],
        sink=call["sink"],
        dtype=call["dtype"],
        device=call["device"],
        training=training,
        layout=layout(call["shapes"], call["strides"]),
    )


def layout(shapes: list[list[int]], strides: list[list[int]]) -> str:
    """The layout of the problem that is nearest to these strides, by the largest tensor.

    A view of packed q, k and v counts as `bthd`: the keys of a head are apart in memory.
    """
    (shape, stride) = max(zip(shapes, strides, strict=True), key=lambda pair: math.prod(pair[0]))
    (_, heads, length, _), (_, head, row, _) = shape, stride
    return "bthd" if heads > 1 and length > 1 and 0 < head < row else "bhtd"


def _mask(call: dict[str, Any]) -> Mask:
    padding, documents, rows = call["padding"], call["documents"], call["rows"]
    return Mask(
        left=call["left"],
        right=call["right"],
        padding=None if padding is None else tuple((s, e) for s, e in padding),
        documents=None if documents is None else tuple(documents),
        rows=None if rows is None else tuple((q, k) for q, k in rows),
    )
