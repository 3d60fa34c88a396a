"""Run as a program: groups of processes call `ring` and `ulysses`, and count the bytes they send.

    python tests/stats/scaling/counting.py FOLDER

The folder gets the files of the groups and `counted.json`: a list of [name, words of the problem,
rank, bytes sent forward, bytes sent backward].
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT))
os.environ["GLOO_SOCKET_IFNAME"] = "lo"
os.environ["OMP_NUM_THREADS"] = "1"

import torch  # noqa: E402 - reads the environment
import torch._dynamo  # noqa: E402 - once: else each rank imports it for its first gradient
import torch.distributed as dist  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from impls.interface import Problem  # noqa: E402
from impls.ring import ring  # noqa: E402
from impls.ulysses import ulysses  # noqa: E402

RANKS: Final = (2, 4)
LIMIT_S: Final = 60
"""Seconds to wait for each rank, which takes one."""
CASES: Final = (
    "b2 h8/4 t64 d16 full fp32 train",
    "b1 h4 t96 d8 causal bf16 train",
    "b1 h8/4 t32 d8 causal fp64 train",
)
FUNCTIONS: Final = (ring, ulysses)


class Sends(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves it untyped
    """Counts the bytes that this process hands to operators of torch.distributed for others."""

    def __init__(self, ranks: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # as above
        self.ranks = ranks
        self.bytes = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func.namespace == "c10d":
            self.bytes += self._sent(str(func), args)
        return func(*args, **(kwargs or {}))

    def _sent(self, name: str, args: tuple[Any, ...]) -> int:
        if name == "c10d.send.default":
            return sum(tensor.nbytes for tensor in args[0])
        if name == "c10d.alltoall_base_.default":  # output, input; the own share stays here
            return int(args[1].nbytes) * (self.ranks - 1) // self.ranks
        if name == "c10d.recv_.default":
            return 0
        raise ValueError(f"{name} is not counted")


def of_rank(rank: int, ranks: int, folder: Path) -> None:
    """Write what this rank sent in each case."""
    store = torch._C._distributed_c10d.FileStore(str(folder / f"store-{ranks}"), ranks)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=ranks)
    found = [
        [each.name, f"{words} ranks{ranks}", rank, *counted(each.function, words, ranks)]
        for each in FUNCTIONS
        for words in CASES
    ]
    dist.destroy_process_group()
    (folder / f"rank-{ranks}-{rank}.json").write_text(json.dumps(found))


def counted(function: Callable[..., torch.Tensor], words: str, ranks: int) -> tuple[int, int]:
    """Bytes sent forward and backward."""
    problem = Problem.parse(words)
    tokens, dtype = problem.query_length // ranks, getattr(torch, problem.dtype)
    q, k, v = (
        torch.randn(problem.batch, heads, tokens, problem.head_dim, dtype=dtype).requires_grad_()
        for heads in (problem.query_heads, problem.key_heads, problem.key_heads)
    )
    group = dist.group.WORLD
    with Sends(ranks) as forward:
        out = function(q, k, v, mask=problem.mask, scale=problem.softmax_scale, group=group)
    with Sends(ranks) as backward:
        out.backward(torch.ones_like(out))  # type: ignore[no-untyped-call]  # as above
    return forward.bytes, backward.bytes


def main() -> None:
    """Start the groups, one after the other."""
    folder, context = Path(sys.argv[1]), multiprocessing.get_context("fork")
    for ranks in RANKS:
        group = [context.Process(target=of_rank, args=(i, ranks, folder)) for i in range(ranks)]
        for process in group:
            process.start()
        for process in group:
            process.join(LIMIT_S)
        if any(process.exitcode != 0 for process in group):
            for process in group:
                process.kill()
            sys.exit(f"a group of {ranks} failed: exit codes {[p.exitcode for p in group]}")
    files = sorted(folder.glob("rank-*.json"))
    rows = [row for file in files for row in json.loads(file.read_text())]
    (folder / "counted.json").write_text(json.dumps(rows))


if __name__ == "__main__":
    main()
