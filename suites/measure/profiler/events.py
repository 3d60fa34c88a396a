"""Events of torch's profiler as plain values, in the order in which they began.

torch's own tree is read through `experimental_event_tree`, which has no stable interface; the
fields that are used are the same in torch 2.11 to 2.13.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from torch._C._autograd import _supported_activities
from torch._C._profiler import ProfilerActivity, RecordScope, _EventType, _RecordFunctionFast
from torch.autograd.profiler import profile

ANNOTATION: Final = "attnbench "
"""The start of the name of every annotation of this program."""
CALL: Final = f"{ANNOTATION}call"
"""The name of the annotation around the profiled call."""
ENGINE: Final = "autograd::engine::evaluate_function: "
"""The start of the name of autograd's own work around a backward operator."""

MOST_EVENTS: Final = 300_000
"""Events of one call that are read. Each takes some 75 us and 5 kB: 25 s and 1.5 GB for all."""


@dataclass(frozen=True, slots=True)
class Input:
    """A tensor that an operator got.

    storage  identifies its memory, as `Event.storage` of the allocation; None: not known
    """

    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str
    itemsize: int
    storage: int | None = None


@dataclass(slots=True)
class Event:
    """An operator, an allocation, an annotation or a kernel of a GPU, with what is within it.

    sequence      number that a forward operator shares with its backward; -1: none
    is_backward   whether autograd runs it
    changed       bytes that were allocated, or released if negative
    storage       identifies the memory of an allocation; None: not known
    inputs        of an operator, where shapes were recorded: None for what is no tensor
    numbers       of an operator, where shapes were recorded: its inputs that are numbers
    correlation   number that an operator shares with the kernels that it launched on a GPU
    """

    kind: Literal["operator", "memory", "annotation", "kernel"]
    name: str
    start_ns: int
    end_ns: int
    thread: int = 0
    sequence: int = -1
    is_backward: bool = False
    changed: int = 0
    address: int = 0
    storage: int | None = None
    inputs: tuple[Input | None, ...] = ()
    correlation: int = 0
    within: list[Event] = field(default_factory=list)

    @property
    def took_ns(self) -> int:
        """Its duration."""
        return self.end_ns - self.start_ns

    @property
    def span_ns(self) -> int:
        """Its duration until the end of the last kernel that it launched on a GPU."""
        ends = (each.end_ns for each in self.walk() if each.kind == "kernel")
        return max(self.end_ns, *ends, self.start_ns) - self.start_ns

    def walk(self) -> Iterator[Event]:
        """This event and all within it, in the order in which they began."""
        yield self
        for each in self.within:
            yield from each.walk()


def events_of(
    call: Callable[[], object], *, shapes: bool, device: str = "cpu"
) -> tuple[Event, Any]:
    """The event of one call with all within it, and torch's results.

    shapes  whether the inputs of operators are recorded, which takes time
    device  whose allocations are read: those of a host and of its GPU are apart

    Raises ValueError for a call with more than MOST_EVENTS events.
    """
    on_gpu = "cuda" if device == "cuda" and _has_kernels() else None
    # torch.profiler.profile would import the compiler, as in memory.py.
    with profile(
        use_kineto=True, use_device=on_gpu, profile_memory=True, record_shapes=shapes
    ) as found:
        with _RecordFunctionFast(CALL):
            made = call()
        del made
    results = found.kineto_results
    if (count := len(results.events())) > MOST_EVENTS:
        raise ValueError(
            f"one call has {count:,} operators and allocations; a profile reads at most "
            f"{MOST_EVENTS:,}: profile a smaller problem"
        )
    roots = [made for each in results.experimental_event_tree() for made in _read(each, device)]
    return _rooted(roots), results


def _has_kernels() -> bool:
    """Whether torch can record kernels of a GPU.

    Without CUPTI it would record two events of the GPU around each operator instead, slowly.
    """
    return ProfilerActivity.CUDA in _supported_activities()


def _rooted(roots: Sequence[Event]) -> Event:
    """The annotation of the call, with the events of other threads within its time."""
    call = next(each for root in roots for each in root.walk() if each.name == CALL)
    others = [each for each in roots if each is not call and _is_within(each, call)]
    call.within = sorted([*call.within, *others], key=lambda each: each.start_ns)
    return call


def _is_within(event: Event, call: Event) -> bool:
    return call.start_ns <= event.start_ns <= call.end_ns


def _read(each: Any, device: str) -> list[Event]:
    """Torch's event as ours; in place of one of another type, what is within it."""
    within = [made for child in each.children for made in _read(child, device)]
    kind = each.typed[0]
    if kind == _EventType.Allocation:
        # A session sees one GPU at most, so that the type of the device identifies it.
        return [_allocation(each)] if each.extra_fields.device.type == device else []
    if kind != _EventType.TorchOp:
        return within
    fields = each.extra_fields
    return [
        Event(
            kind="annotation" if each.name.startswith(ANNOTATION) else "operator",
            name=each.name,
            start_ns=each.start_time_ns,
            end_ns=each.end_time_ns,
            thread=each.start_tid,
            sequence=fields.sequence_number,
            is_backward=fields.scope == RecordScope.BACKWARD_FUNCTION
            or each.name.startswith(ENGINE),
            inputs=tuple(map(_input, fields.inputs)),
            correlation=each.correlation_id,
            within=within,
        )
    ]


def _allocation(each: Any) -> Event:
    fields = each.extra_fields
    return Event(
        kind="memory",
        name="",
        start_ns=each.start_time_ns,
        end_ns=each.start_time_ns,
        thread=each.start_tid,
        changed=fields.alloc_size,
        address=fields.ptr or 0,
        storage=fields.allocation_id,
    )


def _input(given: Any) -> Input | None:
    """A tensor among the inputs of an operator; None for another value, and a list of tensors."""
    if type(given).__name__ != "_TensorMetadata":
        return None
    return Input(
        sizes=tuple(given.sizes),
        strides=tuple(given.strides),
        dtype=str(given.dtype).removeprefix("torch."),
        itemsize=given.dtype.itemsize,
        storage=given.allocation_id,
    )
