"""The textbook formula compiled by torch.compile, the generator of code of PyTorch 2 (ASPLOS 2024).

torch's compiler fuses scores, mask and softmax into loops of its own. In some problems it
recognizes the whole formula and calls scaled_dot_product_attention instead
(torch/_inductor/fx_passes/fuse_attention.py): with a full mask, and without a bias, a softcap or a
sink. `operator` says whether it did.

The dense mask is made once for a problem. Whole Tq x Tk matrices are held where the formula is not
replaced. Code is generated for the sizes, the strides and the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor
from torch.autograd.profiler import profile

from impls.interface import AttentionFunction, BiasValues, Limits, Mask, Problem, implementation
from impls.interface.limits import EVERY_BIAS, EVERY_MASK

FUSED = "aten::_scaled_dot_product_"
"""Beginning of the names of torch's own attention kernels in a profile."""


def operator(  # noqa: PLR0913 - the arguments of the contract
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    mask: Mask,
    scale: float,
    bias: BiasValues | None = None,
    softcap: float | None = None,
    sink: Tensor | None = None,
    dynamic: bool = False,
) -> str:
    """Whether the compiled code calls torch's own attention, and which kernel of it.

    The compiler counts replacements while it compiles (`counters["inductor"]["fuse_attention"]`).
    It counts none for code that comes from its cache, so that a profile of one call decides.
    """
    hidden = _hidden(mask, (len(q), q.shape[2], k.shape[2]), q.device)
    added = _added(bias, q.shape[2], k.shape[2])
    function = _compiled(torch.get_num_threads(), dynamic=dynamic)
    with torch.set_grad_enabled(q.requires_grad), profile(use_kineto=True) as profiled:
        function(q, k, v, hidden, scale, added, softcap, sink)
    names = {event.name() for event in profiled.kineto_results.events()}
    for name in sorted(names):
        if name.startswith(FUSED):
            kernel = name.removeprefix(FUSED).split("_attention")[0]
            return f"is SDPA: replaced by scaled_dot_product_attention ({kernel})"
    return "own loops"


@implementation(
    Limits(
        devices=("cpu", "cuda"),
        masks=EVERY_MASK,
        biases=EVERY_BIAS,
        own_value_dim=True,
        softcap=True,
        sink=True,
    ),
    choices={"dynamic": (False, True)},
    operator=operator,
    slow_start=True,
)
def compiled(problem: Problem, *, dynamic: bool = False) -> AttentionFunction:
    """softmax(scale * q k^T + mask) v as torch.compile makes it.

    dynamic  whether the code is for all sizes; else each size is compiled
    """
    sizes = problem.batch, problem.query_length, problem.key_length
    mask = problem.mask.resolved(problem.batch, problem.key_length)
    hidden = _hidden(mask, sizes, torch.device(problem.device))

    def attention(
        q: Tensor, k: Tensor, v: Tensor, bias: BiasValues | None = None, sink: Tensor | None = None
    ) -> Tensor:
        added = _added(bias, problem.query_length, problem.key_length)
        function = _compiled(torch.get_num_threads(), dynamic=dynamic)
        return function(q, k, v, hidden, problem.softmax_scale, added, problem.softcap, sink)

    return attention


@lru_cache(maxsize=16)
def _compiled(threads: int, *, dynamic: bool) -> Callable[..., Tensor]:
    """The compiled function. Its C++ computes with this number of threads, whatever torch's is."""
    function: Callable[..., Tensor] = torch.compile(
        _attention, fullgraph=True, dynamic=dynamic, options={"cpp.threads": threads}
    )
    return function


def _hidden(mask: Mask, sizes: tuple[int, int, int], device: torch.device) -> Tensor | None:
    """The hidden pairs as a dense mask, for B, Tq and Tk; None where every query sees every key."""
    if not mask.hides_a_key(*sizes):
        return None
    with torch.inference_mode(mode=False):
        return ~mask.dense(*sizes, device)


def _added(bias: BiasValues | None, queries: int, keys: int) -> Tensor | None:
    """The bias of every distance, from Tk - 1 down to 1 - Tq, [Hq, Tq + Tk - 1].

    A dense bias stays as it is, [Hq, Tq, Tk].
    """
    if bias is None or bias.kind == "dense":
        return None if bias is None else bias.values
    return bias.at(torch.arange(keys - 1, -queries, -1, device=bias.values.device))


def _attention(  # noqa: PLR0913, PLR0917 - the arguments of the contract
    q: Tensor,
    k: Tensor,
    v: Tensor,
    hidden: Tensor | None,
    scale: float,
    added: Tensor | None,
    softcap: float | None,
    sink: Tensor | None,
) -> Tensor:
    """The formula that is compiled; the compiler recognizes this order of product and scale."""
    group = q.shape[1] // k.shape[1]
    if group > 1:
        k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
    scores = torch.matmul(q, k.transpose(-2, -1)).mul(scale)
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    if added is not None:
        by_pair = added if added.dim() == 3 else added.unfold(1, k.shape[2], 1).flip(1)
        scores = scores + by_pair.to(scores.dtype)
    if hidden is not None:
        # The least finite number, not -inf: rows without keys and their gradients stay finite.
        scores = scores.masked_fill(hidden, torch.finfo(q.dtype).min)
    out = _weights(scores, sink).matmul(v)
    return out if hidden is None else out.masked_fill(hidden.all(-1, keepdim=True), 0.0)


def _weights(scores: Tensor, sink: Tensor | None) -> Tensor:
    """Softmax over the keys; a sink is one more column, dropped after the softmax."""
    if sink is None:
        return scores.softmax(dim=-1)
    column = sink.to(scores.dtype)[:, None, None].expand(*scores.shape[:-1], 1)
    return torch.cat((scores, column), dim=-1).softmax(dim=-1)[..., :-1]
