"""Masks of attention calls as masks of the grammar, by the recorder's own rules."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from impls.interface import Mask
from suites.recording.site.attnbench_recorder.masks import Masks, recognised


class Recogniser:
    """Recognises a mask tensor once for each content and each size of a call."""

    def __init__(self) -> None:
        self._masks = Masks()

    def __call__(self, mask: Tensor, sizes: tuple[int, int, int, int]) -> Mask | str:
        """The mask, or why the grammar has none; the same object for the same content.

        sizes  B, Hq, Tq, Tk
        """
        found: Mask | str = self._masks.of([mask], sizes, partial(_recognised, mask, sizes))
        return found


def _recognised(mask: Tensor, sizes: tuple[int, int, int, int]) -> Mask | str:
    seen = recognised(mask, sizes)
    if seen.reason or seen.bias:
        return seen.reason or f"a bias, {seen.bias}"
    return Mask(left=seen.left, right=seen.right, padding=seen.padding, documents=seen.documents)
