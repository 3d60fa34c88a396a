"""The bytes of every kind of transfer, on a group of torch's `fake` backend in one process."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
import torch.distributed as dist
from torch.distributed import _functional_collectives as functional
from torch.testing._internal.distributed.fake_pg import FakeStore

from suites.engine.ranks.transfers import Recording, Wait

RANKS, RANK = 4, 1
SENT = 32
"""Bytes of eight numbers."""


@pytest.fixture(autouse=True)
def group() -> Iterator[None]:
    dist.init_process_group("fake", store=FakeStore(), rank=RANK, world_size=RANKS)
    yield
    dist.destroy_process_group()


def eight() -> torch.Tensor:
    return torch.zeros(8)


def world() -> dist.ProcessGroup:
    found = dist.group.WORLD
    assert found is not None
    return found


def exchange() -> None:
    operations = [dist.P2POp(dist.isend, eight(), 2), dist.P2POp(dist.irecv, eight(), 0)]
    for each in dist.batch_isend_irecv(operations):
        each.wait()


def uneven() -> None:
    """Of 8 numbers 3 stay here."""
    dist.all_to_all_single(torch.zeros(12), eight(), [3] * 4, [1, 3, 2, 2])


@pytest.mark.parametrize(
    ("transfer", "sent"),
    [
        (lambda: dist.send(eight(), 2), SENT),
        (lambda: dist.recv(eight(), 2), 0),
        (exchange, SENT),
        (lambda: dist.all_to_all_single(eight(), eight()), SENT * 3 // 4),
        (uneven, 5 * 4),
        (lambda: dist.all_gather([eight() for _ in range(4)], eight()), 3 * SENT),
        (lambda: dist.all_reduce(eight()), 2 * SENT * 3 // 4),
        (lambda: dist.reduce_scatter(torch.zeros(2), [torch.zeros(2)] * 4), SENT * 3 // 4),
        (lambda: dist.broadcast(eight(), 1), 3 * SENT),
        (lambda: dist.broadcast(eight(), 0), 0),
        (lambda: dist.reduce(eight(), 0), SENT),
        (dist.barrier, 0),
        (lambda: functional.all_reduce(eight(), "sum", world()) + 1, 2 * SENT * 3 // 4),
    ],
)
def test_a_transfer_sends_the_bytes_of_its_rule(transfer: Callable[[], object], sent: int) -> None:
    recording = Recording()
    with recording:
        transfer()
    assert recording.sent_bytes == sent


def test_functions_that_wait_are_seen_and_the_method_is_put_back() -> None:
    before = dist.Work.wait
    recording = Recording()
    with recording:
        assert dist.Work.wait is not before
        total = functional.all_reduce(eight(), "sum", world())
        total.wait()  # of a result that is not there yet
    assert [isinstance(each, Wait) for each in recording.events] == [False, True]
    assert dist.Work.wait is before
