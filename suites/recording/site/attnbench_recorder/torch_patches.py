"""Patches of torch: functions of attention, torch.compile, and steps of optimizers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from time import perf_counter_ns
from types import ModuleType
from typing import Any

from . import native_layers, sdpa
from .patching import let_script, replace
from .recorder import Recorder

SDPA = "scaled_dot_product_attention"


def patch(torch: ModuleType, recorder: Recorder) -> None:
    """Patch torch after its import."""
    recorded = recorder.wrapped(torch.nn.functional.scaled_dot_product_attention, sdpa.described)
    replace(recorder, torch.nn.functional, SDPA, recorded)
    replace(recorder, torch._C._nn, SDPA, recorded)  # noqa: SLF001 - where F takes it from
    let_script(torch, recorded, f"aten::{SDPA}")
    native_layers.patch(torch, recorder)
    replace(recorder, torch, "compile", noting_compile(torch.compile, recorder))
    _count_steps(recorder)


def noting_compile(original: Callable[..., Any], recorder: Recorder) -> Callable[..., Any]:
    """torch.compile, with its use noted. A compiled flex_attention is still recorded."""

    @wraps(original)
    def compile(model: Any = None, *args: Any, **kwargs: Any) -> Any:  # noqa: A001 - its name
        describe = getattr(model, "describe_flex", None)
        if describe is not None:
            return recorder.wrapped(original(model.original, *args, **kwargs), describe)
        caller = sys._getframe(1).f_code.co_filename  # noqa: SLF001 - flex_attention compiles itself
        if model is not None and not caller.endswith("flex_attention.py"):
            recorder.compiled()
        return original(model, *args, **kwargs)

    return compile


def _count_steps(recorder: Recorder) -> None:
    """Note the beginning and the end of every optimizer step."""
    from torch.optim import optimizer as hooks  # noqa: PLC0415

    numbers: dict[int, int] = {}

    def begins(optimizer: Any, _: Any, __: Any) -> None:
        recorder.step_begins(numbers.get(id(optimizer)))

    def stepped(optimizer: Any, _: Any, __: Any) -> None:
        if recorder.active and recorder.calls:
            number = numbers.setdefault(id(optimizer), len(numbers))
            kind = "profiled" if recorder.step_ended(number) else "step"
            recorder.write([kind, number, perf_counter_ns()])

    recorder.undo.append(hooks.register_optimizer_step_pre_hook(begins).remove)
    recorder.undo.append(hooks.register_optimizer_step_post_hook(stepped).remove)
