"""The call has not written to its inputs, not even the same values."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from suites.agreement.calls import tensors_of, versions_of
from suites.agreement.trial import Probe, Trial
from suites.measure.inputs import Inputs


def changed(given: Inputs, original: Inputs, versions: Sequence[int]) -> str:
    """The first input that a call has written to, as text; empty: none.

    versions  torch's write counters before the call
    """
    pairs = zip(tensors_of(given), tensors_of(original), versions, versions_of(given), strict=True)
    for (name, tensor), (_, was), before, now in pairs:
        if tensor.shape != was.shape or tensor.untyped_storage().nbytes() < _bytes_used(tensor):
            return f"its input {name} was freed or resized"
        if not torch.equal(tensor, was):
            return f"its input {name} was changed in place"
        if now != before:
            return f"its input {name} was written to, and restored"
    return ""


def _bytes_used(x: Tensor) -> int:
    """Bytes from the first element to the last; an expanded tensor has more elements than that."""
    steps = sum((n - 1) * step for n, step in zip(x.shape, x.stride(), strict=True))
    return (1 + steps) * x.element_size()


def _find(trial: Trial) -> str:
    return changed(trial.inputs, trial.case.inputs, trial.versions)


PROBE = Probe(order=20, applies=lambda _: True, find=_find)
