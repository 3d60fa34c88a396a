"""Functions that implementations and instruments call: clocks, CUDA events, torch's functions.

Replaced clocks and events have been seen in kernel contests (gpu-mode/reference-kernels#142, #160
and #162, KernelBench#82).
"""

from __future__ import annotations

import time
from pathlib import Path
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
_FOLLOWS_DTYPE: Final = "torch.Storage"
"""torch replaces this one when the default dtype changes."""
_TORCH: Final = str(Path(torch.__file__).parent)


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
    return [
        f"{space}.{name}"
        for space, members in before.items()
        if now[space] != members  # a hundred times as fast as a comparison name by name
        for name in sorted(_differing(_NAMESPACES[space], members, now[space]))
        if f"{space}.{name}" != _FOLLOWS_DTYPE
    ]


def _differing(space: Any, before: dict[str, Any], now: dict[str, Any]) -> set[str]:
    replaced = {
        name
        for name, member in before.items()
        if callable(member) and now.get(name) is not member and not _is_torch_s(now.get(name))
    }
    parents = getattr(space, "__mro__", ())[1:-1]
    hiding = {name for name in now.keys() - before.keys() for p in parents if hasattr(p, name)}
    return replaced | hiding


def _is_torch_s(function: Any) -> bool:
    """Whether it is Python code of torch: importing torch's compiler replaces a few functions."""
    code = getattr(function, "__code__", None)
    return code is not None and code.co_filename.startswith(_TORCH)


def _describe_kernels(before: set[str], now: set[str]) -> str:
    """Names such as aten/bmm/CPU. Kernels for operators other than torch's own are additions."""
    overridden = sorted(each for each in now - before if each.startswith("aten/"))
    return f"replaced kernels of torch ({listed(overridden)})" if overridden else ""


WATCHED: Final = (
    Watched("functions", _members, _restore_members, _describe_members),
    Watched("kernels", torch.library._impls.copy, None, _describe_kernels),  # noqa: SLF001 - no public list
)
