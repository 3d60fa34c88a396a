"""Four processes that call functions of a group, for tests of these functions alone.

They are one group of four and two groups of two. The second of these has ranks that differ from
the numbers of its processes: it computes problems of two ranks.
"""

from __future__ import annotations

import importlib
import io
import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import torch
import torch.distributed as dist
from torch import Tensor

from impls.interface import Implementation, Problem, implementation
from impls.interface.ranks import positions_of
from suites.agreement.cases import Case, Cases
from suites.agreement.gate import judge
from suites.engine.ranks.transfers import Recording
from suites.measure.inputs import make_inputs
from suites.records.record import TensorError

PROCESSES: Final = 4
SEED: Final = 7
LIMIT_S: Final = 120
"""Seconds until a call that does not end fails; calls take a second or less."""
NAMES: Final = ("out", "dq", "dk", "dv")


@dataclass(frozen=True, slots=True)
class OfRank:
    """What a rank computed: out, and in training dq, dk and dv, of its own positions.

    sent_bytes  to other ranks, by its forward pass and by its backward pass
    """

    tensors: list[Tensor]
    sent_bytes: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Called:
    """The results of all ranks for a problem, and what is expected."""

    case: Case
    positions: tuple[tuple[range, ...], ...]
    ranks: list[OfRank]

    def judged(self) -> tuple[tuple[TensorError, ...], str]:
        """The errors, and the first fault, of the whole tensors in the program's own check."""
        expected = self.case.expected
        whole = [expected.values[name].clone() for name in NAMES[: len(self.ranks[0].tensors)]]
        for rank in range(len(self.ranks)):
            self._put(whole, rank)
        return judge(whole, expected)

    def faults_of(self, rank: int) -> str:
        """The first fault where the rows of this rank alone are in the expected tensors."""
        expected = self.case.expected
        whole = [expected.values[name].clone() for name in NAMES[: len(self.ranks[0].tensors)]]
        self._put(whole, rank)
        return judge(whole, expected)[1]

    def _put(self, whole: list[Tensor], rank: int) -> None:
        rows = rows_of(self.positions[rank])
        for tensor, part in zip(whole, self.ranks[rank].tensors, strict=True):
            tensor[:, :, rows] = part.to(tensor.dtype)


class RankProcesses:
    """The processes; `call` gives them a function and a problem."""

    def __init__(self, folder: Path) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])  # torch is imported once
        self._ends: list[Connection] = []
        self._processes: list[Any] = []
        for number in range(PROCESSES):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(number, folder / "store", theirs))
            process.start()
            theirs.close()
            self._ends.append(ours)
            self._processes.append(process)

    def call(self, function: str, problem: str, **settings: Any) -> Called:
        """The results for `module:function` and a problem such as `t64 causal train ranks2`.

        settings  of the function

        Raises RuntimeError with what a rank raised.
        """
        parsed = Problem.parse(problem)
        members = self._ends[PROCESSES - parsed.ranks :]
        for end in members:
            end.send((function, problem, settings))
        answers = [_received(end) for end in members]
        if faults := [f"rank {rank}: {a}" for rank, a in enumerate(answers) if isinstance(a, str)]:
            raise RuntimeError("; ".join(faults))
        case = Cases(replace(parsed, ranks=1), SEED).itself(_attention)
        shards = settings.get("shards", shards_of(function))
        positions = positions_of(parsed.query_length, parsed.ranks, shards)
        return Called(case, positions, [OfRank(*each) for each in answers])

    def close(self) -> None:
        """End the processes."""
        for end in self._ends:
            end.close()
        for process in self._processes:
            process.join(10)
            if process.is_alive():
                process.kill()
                process.join()


@contextmanager
def rank_processes(folder: Path) -> Iterator[RankProcesses]:
    """The processes, until the context ends; the folder holds the file by which they meet."""
    processes = RankProcesses(folder)
    try:
        yield processes
    finally:
        processes.close()


def rows_of(positions: tuple[range, ...]) -> Tensor:
    """The positions of a rank as one tensor."""
    return torch.cat([torch.arange(each.start, each.stop) for each in positions])


def shards_of(function: str) -> str:
    """How `module:function` divides a sequence."""
    return str(getattr(_named(function), "shards", "contiguous"))


def _named(function: str) -> Any:
    module, _, name = function.partition(":")
    return getattr(importlib.import_module(module), name)


@implementation()
def _attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Stands for a function whose reference is attention."""
    raise NotImplementedError


def _received(end: Connection) -> Any:
    if not end.poll(LIMIT_S):
        return f"did not answer in {LIMIT_S} s"
    answer = end.recv()
    return answer if isinstance(answer, str) else torch.load(io.BytesIO(answer), weights_only=True)


def _serve(number: int, store: Path, end: Connection) -> None:
    """A process of the group: it answers calls until the other end is closed."""
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group(
        "gloo",
        init_method=f"file://{store}",
        rank=number,
        world_size=PROCESSES,
        timeout=timedelta(seconds=LIMIT_S),
    )
    pairs = [dist.new_group([first, first + 1]) for first in range(0, PROCESSES, 2)]
    groups = {2: pairs[number // 2], PROCESSES: dist.group.WORLD}
    while True:
        try:
            function, problem, settings = end.recv()
        except EOFError:
            return
        try:
            made = _called(_named(function), Problem.parse(problem), groups, settings)
        except Exception as error:  # noqa: BLE001 - the test gets it
            end.send(f"{type(error).__name__}: {error}")
        else:
            saved = io.BytesIO()
            torch.save(made, saved)
            end.send(saved.getvalue())


def _called(
    function: Any, problem: Problem, groups: dict[int, Any], settings: dict[str, Any]
) -> tuple[list[Tensor], tuple[int, int]]:
    group = groups[problem.ranks]
    shards = settings.get("shards", getattr(function, "shards", "contiguous"))
    rows = rows_of(positions_of(problem.query_length, problem.ranks, shards)[group.rank()])
    inputs = make_inputs(replace(problem, ranks=1), purpose="check", seed=SEED)
    own = [x[:, :, rows].requires_grad_(problem.training) for x in (inputs.q, inputs.k, inputs.v)]
    call = function.function if isinstance(function, Implementation) else function
    with Recording() as forward, torch.set_grad_enabled(problem.training):
        out = call(*own, mask=problem.mask, scale=problem.softmax_scale, group=group, **settings)
    if inputs.grad is None:
        return [out], (forward.sent_bytes, 0)
    with Recording() as backward:
        found = torch.autograd.grad(out, own, inputs.grad[:, :, rows])
    return [out.detach(), *found], (forward.sent_bytes, backward.sent_bytes)


def with_defaults(words: str) -> str:
    """A small problem of these words: t128 h4 d16 where they say no other."""
    letters = {word[0] for word in words.split() if word[1].isdigit()}
    return " ".join([words, *(word for word in ("t128", "h4", "d16") if word[0] not in letters)])
