"""The kernels of one call, from torch's profiler.

On a CPU these are torch's operators, by the time in which they call no other operator. On a GPU
they are the device kernels, as CUPTI reports them; without CUPTI, torch's operators by the time
that the host takes to launch them. CUPTI reported them on an NVIDIA H200 on 2026-11-29
(docs/gpu.md); the way without it never ran on a GPU. Kernels of other libraries, such as ONNX
Runtime, have no events: nothing is recorded of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import dropwhile
from typing import Any, Final, NamedTuple

from torch._C._autograd import DeviceType
from torch.autograd.profiler import profile
from torch.profiler import ProfilerActivity, supported_activities

from suites.records.kernels import COMPILED, MATH, Kernel, is_attention, is_light, is_seen
from suites.records.operator_kinds import GENERATED

LEAST_SHARE: Final = 0.01
"""Kernels that only copy or fill are left out below this part of the time."""
LONGEST_VARIANT: Final = 300
"""Characters of a variant: template arguments can take thousands."""

GRAPH: Final = "## Call CompiledFxGraph"
"""The start of the name of a graph that torch.compile made; a hash follows."""
_BOOKKEEPING: Final = ("autograd::", "torch::autograd::")
_WRAPPERS: Final = re.compile(r"cutlass::(device_kernel|Kernel2?)|flash::enable_\w+")
"""Kernels that are named by their first template argument."""
_KERNEL: Final = re.compile(
    r"(?:void )?(?P<name>(?:\(anonymous namespace\)|[^<(])+)(?:<(?P<of>.*)>)?"
)


class _Span(NamedTuple):
    """An event with its own time in ns; `variant` is empty except for attention."""

    name: str
    own: int
    variant: str


def ran(call: Callable[[], object], device: str) -> tuple[Kernel, ...]:
    """The kernels of one further call, which is neither timed nor measured otherwise."""
    # torch.profiler.profile would import the compiler, as in memory.py.
    able = supported_activities()  # type: ignore[no-untyped-call] # torch's
    gpu = device == "cuda" and ProfilerActivity.CUDA in able
    with profile(use_kineto=True, use_device="cuda" if gpu else None, record_shapes=True) as p:
        call()
    return of(p.kineto_results.events())


def of(events: Iterable[Any]) -> tuple[Kernel, ...]:
    """The kernels of the profiler's events by their time; none where no event computes."""
    host, on_device = [], []
    for event in events:
        if event.device_type() == DeviceType.CPU:
            host.append(event)
        elif not event.is_user_annotation():
            on_device.append(event)
    kernels = _counted(map(_on_device, on_device) if on_device else _own_times(host))
    large = (each for each in kernels if each.share >= LEAST_SHARE or not is_light(each.name))
    return tuple(large) if is_seen(kernels) else ()


def _counted(spans: Iterable[_Span]) -> list[Kernel]:
    """The spans by name, those with the largest share first; spans without a name only count."""
    times, calls, variants, whole = Counter[str](), Counter[str](), dict[str, set[str]](), 0
    for name, own, variant in spans:
        whole += own
        if name:
            times[name] += own
            calls[name] += 1
            variants.setdefault(name, set()).add(variant)
    return [
        Kernel(
            name=name,
            share=own / max(whole, 1),
            calls=calls[name],
            variant="; ".join(sorted(filter(None, variants[name])))[:LONGEST_VARIANT],
        )
        for name, own in times.most_common()
    ]


def _own_times(events: Sequence[Any]) -> Iterator[_Span]:
    """The events of a host, each with the time in which no event within it runs.

    Operators within torch's math are part of it. Bookkeeping has a time, but no name.
    """
    open_: list[list[Any]] = []  # thread, end, name, own time, variant
    for event in sorted(events, key=lambda e: (e.start_thread_id(), e.start_ns(), -e.end_ns())):
        thread, start, end = event.start_thread_id(), event.start_ns(), event.end_ns()
        while open_ and (open_[-1][0] != thread or open_[-1][1] < end):
            yield _Span(*open_.pop()[2:])
        if open_ and open_[-1][2] == MATH:
            continue
        if open_:
            open_[-1][3] -= end - start
        name = _host_name(event.name())
        open_.append([thread, end, name, end - start, _shapes(event, name)])
    yield from (_Span(*each[2:]) for each in open_)


def _host_name(name: str) -> str:
    """The name of an operator; empty for bookkeeping of autograd and of the compiler."""
    if name.startswith(GRAPH):
        return COMPILED
    if GENERATED.match(name):
        return name
    return name if "::" in name and not name.startswith(_BOOKKEEPING) else ""


def _shapes(event: Any, name: str) -> str:
    """The shapes of the inputs of an attention kernel, without leading ones: 8x512x64, ..."""
    if not is_attention(name):
        return ""
    shapes = (list(dropwhile(lambda n: n == 1, shape)) for shape in event.shapes())
    return ", ".join("x".join(map(str, shape)) for shape in shapes if shape)


def _on_device(event: Any) -> _Span:
    name, arguments = short(event.name())
    return _Span(name, event.duration_ns(), arguments if is_attention(name) else "")


def short(name: str) -> tuple[str, str]:
    """The name of a device kernel without parameters, and its template arguments."""
    found = _KERNEL.match(name)
    if found is None:
        return name, ""
    head, arguments = found["name"].strip(), found["of"] or ""
    if arguments and _WRAPPERS.fullmatch(head):
        return short(arguments)
    return head, arguments
