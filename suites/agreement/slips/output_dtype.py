"""The output has another dtype than q."""

from __future__ import annotations

from collections.abc import Iterator

from suites.agreement.bounds.expected import NAMES
from suites.agreement.observation import Observation
from suites.agreement.slip import Diagnosis, Slip, Suspect


def _suspects(observation: Observation) -> Iterator[Suspect]:
    for name, made in zip(NAMES, observation.made, strict=False):
        if made.dtype != observation.dtype and made.shape == observation.values[name].shape:
            sentence = f"{name} is {made.dtype}, expected {observation.dtype}, the dtype of q"
            cure = "return out.to(q.dtype)"
            yield Suspect(Diagnosis("output_dtype", sentence, cure))
            return


SLIP = Slip(order=10, keys=("output_dtype",), suspects=_suspects)
