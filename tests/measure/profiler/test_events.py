from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch._C._profiler import _EventType

from suites.measure.profiler import events
from suites.measure.profiler.events import Event, events_of
from tests.measure.profiler import lines_by_hand
from tests.stand_in.device import stand_in

X = torch.ones(64, 64)


def named(root: Event, name: str) -> list[Event]:
    return [each for each in root.walk() if each.name == name]


def allocated(root: Event) -> list[int]:
    return [each.changed for each in root.walk() if each.kind == "memory"]


def test_a_call_has_its_operators_and_its_memory_in_their_order() -> None:
    def call() -> torch.Tensor:
        return (X + X).exp()

    root, _ = events_of(call, shapes=False)
    assert [each.name for each in root.within if each.kind == "operator"] == [
        "aten::add",
        "aten::exp",
    ]
    assert allocated(root) == [X.nbytes, X.nbytes, -X.nbytes]
    (released,) = [each for each in root.within if each.kind == "memory"]
    assert released.changed == -X.nbytes
    (made,) = [each for each in named(root, "aten::exp")[0].walk() if each.kind == "memory"]
    assert made.changed == X.nbytes


def test_the_output_is_released_after_the_call() -> None:
    root, _ = events_of(X.exp, shapes=False)
    assert allocated(root) == [X.nbytes]


def test_inputs_are_recorded_where_shapes_are_wanted() -> None:
    without, _ = events_of(X.exp, shapes=False)
    with_them, _ = events_of(X.exp, shapes=True)
    assert named(without, "aten::exp")[0].inputs == ()
    (tensor,) = named(with_them, "aten::exp")[0].inputs
    assert tensor is not None
    assert (tensor.sizes, tensor.strides, tensor.dtype, tensor.itemsize) == (
        (64, 64), (64, 1), "float32", 4,
    )  # fmt: skip


def test_memory_and_the_tensors_in_it_have_one_number() -> None:
    def call() -> torch.Tensor:
        made = X.exp()
        return made.sin()

    root, _ = events_of(call, shapes=True)
    (made,) = [each for each in named(root, "aten::exp")[0].walk() if each.kind == "memory"]
    (used,) = named(root, "aten::sin")[0].inputs
    assert used is not None
    assert made.storage == used.storage is not None


def test_a_backward_operator_shares_the_number_of_its_forward_operator() -> None:
    root, _ = events_of(lambda: lines_by_hand.built_in_backward(X), shapes=False)
    forward = named(root, "aten::exp")[0]
    backward = named(root, "ExpBackward0")[0]
    assert forward.sequence == backward.sequence >= 0
    assert (forward.is_backward, backward.is_backward) == (False, True)


def test_a_call_that_raises_ends_the_profiler() -> None:
    with pytest.raises(ValueError, match="planted"):
        events_of(lambda: lines_by_hand.raising(X), shapes=False)
    root, _ = events_of(X.exp, shapes=False)
    assert [each.name for each in root.within] == ["aten::exp"]


def test_a_call_with_too_many_events_is_refused_in_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(events, "MOST_EVENTS", 2)
    with pytest.raises(ValueError, match="a profile reads at most 2: profile a smaller problem"):
        events_of(lambda: (X + X).exp().sin(), shapes=False)


def test_the_manual_states_how_many_events_a_call_may_have() -> None:
    manual = (Path(__file__).parents[3] / "docs" / "profile.md").read_text()
    assert f"more than {events.MOST_EVENTS:,} operators and allocations" in manual


def test_allocations_of_the_host_do_not_mix_with_those_of_a_gpu() -> None:
    def node(device: str, size: int) -> Any:
        """An allocation in torch's event tree."""
        fields = SimpleNamespace(
            device=torch.device(device), alloc_size=size, ptr=1, allocation_id=None
        )
        return SimpleNamespace(
            children=[],
            typed=(_EventType.Allocation, fields),
            extra_fields=fields,
            start_time_ns=5,
            start_tid=1,
        )

    both = [node("cpu", 8), node("cuda:0", 512)]
    assert [e.changed for each in both for e in events._read(each, "cpu")] == [8]
    assert [e.changed for each in both for e in events._read(each, "cuda")] == [512]


def test_of_a_call_on_the_stand_in_no_allocation_of_the_host_is_read() -> None:
    with stand_in():
        on_device = torch.ones(64, 64, device="cuda")
        on_cuda, _ = events_of(lambda: on_device @ on_device, shapes=False, device="cuda")
        on_host, _ = events_of(lambda: on_device @ on_device, shapes=False, device="cpu")
    assert allocated(on_cuda) == []
    assert sum(size for size in allocated(on_host) if size > 0) >= X.nbytes


def test_events_of_other_threads_are_in_the_call_where_they_begin_within_it() -> None:
    """As on a GPU, where autograd runs the backward pass in a thread of the device."""
    forward = Event("operator", "aten::mul", 12, 20)
    call = Event("annotation", events.CALL, 10, 100, within=[forward])
    backward = Event("operator", "MulBackward0", 30, 60, thread=2)
    late = Event("operator", "aten::exp", 101, 110, thread=2)
    early = Event("operator", "aten::sin", 1, 9, thread=2)
    root = events._rooted([early, backward, call, late])
    assert [each.name for each in root.within] == ["aten::mul", "MulBackward0"]
