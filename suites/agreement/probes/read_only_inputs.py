"""A call on inputs in read-only pages: writing to them ends the process, even if it is undone.

Only on a CPU: pages of other devices cannot be write-protected.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import torch
from torch import Tensor

from suites.agreement.trial import Probe, Trial
from suites.measure.inputs import Inputs

WROTE: Final = "it wrote to its inputs, which may only be read, even if it restored them"
"""The reason of an implementation whose process ended in this call."""


@contextlib.contextmanager
def read_only(inputs: Inputs) -> Iterator[Inputs]:
    """The same values and strides in pages of their own, write-protected within this.

    Raises OSError when the system refuses to protect them.
    """
    pages: list[mmap.mmap] = []

    def placed(x: Tensor | None) -> Tensor | None:
        return None if x is None else _placed(x, pages)

    q, k, v = (_placed(x, pages) for x in (inputs.q, inputs.k, inputs.v))
    bias = inputs.bias
    if bias is not None:
        bias = replace(bias, values=_placed(bias.values, pages))
    made = Inputs(q, k, v, placed(inputs.grad), bias, placed(inputs.sink))
    try:
        for each in pages:
            _protect(each, mmap.PROT_READ)
        yield made
    finally:
        for each in pages:
            _protect(each, mmap.PROT_READ | mmap.PROT_WRITE)


def _placed(x: Tensor, pages: list[mmap.mmap]) -> Tensor:
    """The tensor in new pages. One more page follows, for kernels that read past the end."""
    size = x.untyped_storage().nbytes()
    pages.append(mmap.mmap(-1, size + mmap.PAGESIZE))
    flat = torch.frombuffer(pages[-1], dtype=x.dtype, count=size // x.itemsize)
    made = flat.as_strided(x.shape, x.stride(), x.storage_offset())
    return made.copy_(x)


def _protect(pages: mmap.mmap, how: int) -> None:
    address = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(len(pages)), how):
        number = ctypes.get_errno()
        raise OSError(number, f"mprotect: {os.strerror(number)}")


def _applies(trial: Trial) -> bool:
    watched = trial.announce_risk is not None
    return watched and trial.case.is_plain_small and trial.problem.device == "cpu"


def _find(trial: Trial) -> str:
    if trial.announce_risk is None:
        return ""
    with read_only(trial.case.inputs) as given:
        call = trial.prober.call(trial.problem, given)
        trial.announce_risk(WROTE)
        call()
        trial.announce_risk("")
    return ""


PROBE = Probe(order=140, applies=_applies, find=_find)
