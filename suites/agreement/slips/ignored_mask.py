"""The mask, or a part of it, is not applied."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch

from impls import reference
from impls.interface import FULL, Mask
from suites.agreement.observation import Observation
from suites.agreement.slip import Diagnosis, Slip, Suspect
from suites.agreement.variation import first_difference, masked

KEYS = ("window_ignored", "padding_ignored", "documents_ignored", "rows_ignored", "mask_ignored")


def _suspects(observation: Observation) -> Iterator[Suspect]:
    problem = observation.problem
    mask = problem.mask.resolved(problem.batch, problem.key_length)
    for key, what, other in _parts(mask):
        rows = torch.arange(problem.batch)
        seen = reference.visible(other, rows, observation.positions, observation.keys)
        sentence = f"{what} ignored: {first_difference(observation, seen)}"
        found = Diagnosis(key, sentence, _cure(mask, other))
        yield from (Suspect(found, outputs) for outputs in masked(observation, seen))


def _parts(mask: Mask) -> Iterator[tuple[str, str, Mask]]:
    """Each part with its name and the mask without it; the whole mask is last."""
    parts = {"left", "right", "padding", "documents", "rows"}
    present = {name for name in parts if getattr(mask, name) is not None}
    if mask.left is not None and mask.right is not None:
        yield "window_ignored", "the left side of the window is", replace(mask, left=None)
        yield "window_ignored", "the right side of the window is", replace(mask, right=None)
    if mask.left is not None and present - {"left", "right"}:
        yield "window_ignored", "the window is", replace(mask, left=None, right=None)
    if mask.left is None and mask.right == 0 and len(present) > 1:
        yield "mask_ignored", "the causal part of the mask is", replace(mask, right=None)
    for name, words in (
        ("padding", "padding is"),
        ("documents", "the ends of documents are"),
        ("rows", "the ends of rows are"),
    ):
        if name in present and len(present) > 1:
            yield f"{name}_ignored", words, replace(mask, **{name: None})
    if present:
        yield _whole(mask, present), _named(mask), FULL


def _whole(mask: Mask, present: set[str]) -> str:
    """The key of the whole mask: its only part's, where it has a single one."""
    if present in ({"padding"}, {"documents"}, {"rows"}):
        return f"{present.pop()}_ignored"
    return "window_ignored" if present <= {"left", "right"} and mask.left else "mask_ignored"


def _named(mask: Mask) -> str:
    return f"the mask ({mask.kind}) is"


def _cure(mask: Mask, other: Mask) -> str:
    hidden = "hidden = ~mask.dense(B, Tq, Tk, device); scores.masked_fill(hidden, float('-inf'))"
    limits = f", or state Limits(masks=({other.kind!r},))" if other.kind != mask.kind else ""
    return f"apply the mask before the softmax: {hidden}{limits}"


SLIP = Slip(order=50, keys=KEYS, suspects=_suspects)
