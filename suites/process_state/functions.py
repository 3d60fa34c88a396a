"""Functions that implementations and instruments call: clocks, CUDA events, torch's functions.

Replaced clocks and events have been seen in kernel contests (gpu-mode/reference-kernels#142, #160
and #162, KernelBench#82).
"""

from __future__ import annotations

import re
import time
from typing import Any, Final

import torch
from torch.nn import functional

from suites.process_state.watched import Watched, listed

Members = dict[str, dict[str, Any]]
"""Members of namespaces, by namespace and name."""

_NAMESPACES: Final[dict[str, Any]] = {
    "time": time,
    "torch": torch,
    "torch.Tensor": torch.Tensor,
    "torch.nn.functional": functional,
    "torch.autograd": torch.autograd,
    "torch.nn.Linear": torch.nn.Linear,
    "torch.nn.Module": torch.nn.Module,
    "torch.nn.MultiheadAttention": torch.nn.MultiheadAttention,
    "torch.cuda": torch.cuda,
    "torch.cuda.Event": torch.cuda.Event,
}
_REPLACED_BY_TORCH: Final = {
    "torch.Storage",  # when the default dtype changes
    "torch.manual_seed",  # when its compiler is imported
    "torch.nn.Module.__init__",  # when it first compiles
    "torch.nn.Module.__setstate__",  # likewise
}
_KERNEL: Final = re.compile(r"aten/.*/(CPU|CUDA|Autograd|Composite)")
"""A kernel of one of torch's own operators for the devices in use."""


def _members() -> Members:
    return {name: dict(vars(space)) for name, space in _NAMESPACES.items()}


def _restore_members(before: Members) -> None:
    for name in _replaced(before, _members()):
        space, _, member = name.rpartition(".")
        if member in before[space]:
            setattr(_NAMESPACES[space], member, before[space][member])
        else:
            delattr(_NAMESPACES[space], member)


def _describe_members(before: Members, now: Members) -> str:
    names = _replaced(before, now)
    return f"replaced {listed(names)}" if names else ""


def _replaced(before: Members, now: Members) -> list[str]:
    """The full names of replaced functions, and of new ones that hide an inherited one."""
    names = [
        f"{space}.{name}"
        for space, members in before.items()
        if now[space] != members  # a hundred times as fast as a comparison name by name
        for name in sorted(_differing(_NAMESPACES[space], members, now[space]))
    ]
    return [name for name in names if name not in _REPLACED_BY_TORCH]


def _differing(space: Any, before: dict[str, Any], now: dict[str, Any]) -> set[str]:
    replaced = {n for n, member in before.items() if callable(member) and now.get(n) is not member}
    parents = getattr(space, "__mro__", ())[1:-1]
    hiding = {n for n in now.keys() - before.keys() if any(hasattr(p, n) for p in parents)}
    return replaced | hiding


def _describe_kernels(before: set[str], now: set[str]) -> str:
    """Names such as aten/bmm/CPU. New operators and batching rules replace nothing."""
    overridden = sorted(each for each in now - before if _KERNEL.match(each))
    return f"replaced kernels of torch ({listed(overridden)})" if overridden else ""


WATCHED: Final = (
    Watched("functions", _members, _restore_members, _describe_members),
    Watched("kernels", torch.library._impls.copy, None, _describe_kernels),  # noqa: SLF001 - no public list
)
