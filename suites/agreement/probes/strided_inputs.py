"""Views of larger tensors give an equally good result, and the memory around them stays.

Models hand over slices of one projection, and tensors whose strides differ from each other. An
exception is no fault here: the problem states one layout.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import torch
from torch import Tensor

from suites.agreement.attempts import Raised, attempt
from suites.agreement.calls import tensors_of
from suites.agreement.probes.interleaved_calls import fault_unless_equal
from suites.agreement.trial import Probe, Trial
from suites.measure.inputs import Inputs

AROUND: Final = 16
"""Elements before and after a view, and columns beside it: kernels may need aligned addresses."""
GUARD: Final = 7.0
"""Value of the memory around a view."""
SEQUENCE_FIRST, TOKENS_FIRST, HEADS_FIRST = (2, 0, 1), (0, 2, 1), (0, 1, 2)
"""Orders of batch, heads and length in memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Inputs that are views, and the buffers that hold them by name."""

    inputs: Inputs
    buffers: dict[str, Tensor]

    def written_around(self) -> str:
        """The first view around which memory was written, as text; empty: none."""
        views = dict(tensors_of(self.inputs))
        for name in self.buffers:
            views[name].fill_(GUARD)
        for name, buffer in self.buffers.items():
            if not bool((buffer == GUARD).all()):
                return f"it wrote to memory around its input {name}"
        return ""


def slices_of_one_projection(inputs: Inputs) -> Placed:
    """q, k and v as slices of one tensor [B, T, columns]; k and v alone where lengths differ."""
    if inputs.q.shape[2] == inputs.k.shape[2]:
        (q, k, v), buffer = _slices((inputs.q, inputs.k, inputs.v))
        return Placed(replace(inputs, q=q, k=k, v=v), {"q": buffer, "k": buffer, "v": buffer})
    (q,), queries = _slices((inputs.q,))
    (k, v), keys = _slices((inputs.k, inputs.v))
    return Placed(replace(inputs, q=q, k=k, v=v), {"q": queries, "k": keys, "v": keys})


def different_strides(inputs: Inputs) -> Placed:
    """q, k, v and the output's gradient in three memory layouts, each at an offset in a buffer."""
    q, k, v = (
        _placed(inputs.q, HEADS_FIRST),
        _placed(inputs.k, TOKENS_FIRST),
        _placed(inputs.v, SEQUENCE_FIRST),
    )
    made = replace(inputs, q=q[0], k=k[0], v=v[0])
    buffers = {"q": q[1], "k": k[1], "v": v[1]}
    if inputs.grad is not None:
        grad, buffers["grad"] = _placed(inputs.grad, TOKENS_FIRST)
        made = replace(made, grad=grad)
    return Placed(made, buffers)


def _slices(tensors: Sequence[Tensor]) -> tuple[Iterator[Tensor], Tensor]:
    """[B, H, T, D] views into one buffer of [B, T, columns], side by side."""
    widths = [x.shape[1] * x.shape[3] for x in tensors]
    batch, _, length, _ = tensors[0].shape
    flat, whole = _buffer(tensors[0], (batch, length, sum(widths) + AROUND))

    def views() -> Iterator[Tensor]:
        first = 0
        for x, width in zip(tensors, widths, strict=True):
            part = torch.unflatten(whole[..., first : first + width], -1, (x.shape[1], x.shape[3]))
            yield part.transpose(1, 2).copy_(x)
            first += width

    return iter(list(views())), flat


def _placed(x: Tensor, order: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    """A view with other columns beside it, in this order of the first three axes; its buffer."""
    flat, whole = _buffer(x, (*(x.shape[axis] for axis in order), x.shape[3] + AROUND))
    back = [order.index(axis) for axis in range(3)]
    return whole[..., : x.shape[3]].permute(*back, 3).copy_(x), flat


def _buffer(like: Tensor, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """A flat buffer full of guard values, and a tensor of this shape within it."""
    size = torch.Size(shape).numel()
    flat = like.new_full((AROUND + size + AROUND,), GUARD)
    return flat, flat[AROUND : AROUND + size].view(shape)


FORMS: Final = {
    "slices of one projection": slices_of_one_projection,
    "inputs of different strides": different_strides,
}


def _find(trial: Trial) -> str:
    for name, form in FORMS.items():
        placed = form(trial.case.inputs)
        made = attempt(partial(trial.again, placed.inputs))
        if isinstance(made, Raised):
            continue
        if fault := fault_unless_equal(trial, made) or placed.written_around():
            return f"with {name}, {fault}"
    return ""


def _applies(trial: Trial) -> bool:
    return trial.case.is_plain_small and not trial.implementation.approximates


PROBE = Probe(order=120, applies=_applies, find=_find, other_forms=True)
