"""FlashAttention as its authors package it: the newest of 4, 3 and 2 that is installed.

2 (arXiv 2307.08691) is the package flash-attn. 3 (arXiv 2407.08608) is built from the folder hopper
of its repository, for compute capability 9.0. 4 is flash-attn-4, compiled at the first call. They
run on NVIDIA devices only, and none was installed on the H200 that was available. How this file
calls them is tested with stand-ins of the packages (tests/impls/test_flash_attn.py), the kernels
themselves are not.

All take q, k and v as [B, T, H, D]. Causal has bottom-right alignment (2.1 and later), and a window
is (keys before the query, keys after it). Unlimited is -1 in 2 and 3, and None in 4: there (-1, 0)
is no causal mask. Documents and padding are packed sequences: their starts are made while
preparing, copies are inside of the timed call. Slopes of alibi are a parameter of 2, with the same
meaning; padding has no alibi, since its sequences have positions of their own.

Limits are those of https://github.com/Dao-AILab/flash-attention: README.md and flash_attn_func in
flash_attn/flash_attn_interface.py (2), hopper/flash_attn_interface.py (3) and
flash_attn/cute/interface.py (4, of 4.0.0b36: _validate_head_dims, and the assertions on `arch`).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from torch import Tensor

from impls.interface import BiasValues, Library, Limits, Problem, implementation
from impls.interface.packed import PACKABLE, Pack, attend_packed, packs_of, reach

DENSE: Final = ("full", "causal", "window")
"""Kinds of mask that the functions for equal lengths take."""
HALVES: Final[dict[str, Any]] = {"devices": ("cuda",), "dtypes": ("float16", "bfloat16")}
TOO_OLD: Final = (
    "versions before 2.6 take no window_size, softcap or alibi_slopes, or not all three"
)
SOURCE: Final = "git+https://github.com/Dao-AILab/flash-attention"


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One of the packages.

    unlimited  an unlimited reach of a window
    apart      why it has a process of its own; "" for none
    """

    name: str
    library: Library
    limits: tuple[Limits, ...]
    unlimited: int | None = -1
    apart: str = ""


TWO: Final = Generation(
    name="FlashAttention-2",
    library=Library(
        distribution="flash-attn",
        module="flash_attn",
        install="python -m pip install flash-attn --no-build-isolation (or flash-attn-4)",
        unusable=dict.fromkeys(("0", "1", *(f"2.{minor}" for minor in range(6))), TOO_OLD),
    ),
    limits=(
        Limits(
            **HALVES,
            masks=PACKABLE,
            head_dims=range(1, 257),  # it pads to multiples of 8
            softcap=True,
            cuda_capability=(8, 0),
        ),
        Limits(
            **HALVES,
            masks=tuple(kind for kind in PACKABLE if "padding" not in kind),
            biases=("none", "alibi"),
            head_dims=range(1, 257),
            softcap=True,
            cuda_capability=(8, 0),
        ),
    ),
)
THREE: Final = Generation(
    name="FlashAttention-3",
    library=Library(
        distribution="flash_attn_3",
        module="flash_attn_interface",
        install=f'python -m pip install --no-build-isolation "{SOURCE}#subdirectory=hopper"',
    ),
    limits=(
        Limits(
            **HALVES,
            masks=PACKABLE,
            head_dims=range(8, 257, 8),
            softcap=True,
            cuda_capability=(9, 0),
            cuda_capability_below=(9, 1),
        ),
    ),
)
OF_FOUR: Final[dict[str, Any]] = {**HALVES, "masks": PACKABLE, "keyless_rows": False}
"""Its documentation does not say what queries without keys get."""
FOUR: Final = Generation(
    name="FlashAttention-4",
    library=Library(distribution="flash-attn-4", module="flash_attn.cute"),
    limits=(
        Limits(
            **OF_FOUR,
            head_dims=range(8, 257, 8),
            softcap=True,
            cuda_capability=(9, 0),
            cuda_capability_below=(10, 0),
        ),
        Limits(
            **OF_FOUR,
            head_dims=range(8, 129, 8),
            softcap=True,
            cuda_capability=(10, 0),
            cuda_capability_below=(12, 0),
        ),
        Limits(
            **OF_FOUR,
            head_dims=range(256, 257),
            cuda_capability=(10, 0),
            cuda_capability_below=(12, 0),
        ),
        Limits(
            **OF_FOUR,
            head_dims=range(8, 129, 8),
            cuda_capability=(12, 0),
            cuda_capability_below=(13, 0),
        ),
    ),
    unlimited=None,
    apart="xformers does not import in a process that has flash_attn.cute",
)


def newest_installed(*generations: Generation) -> Generation:
    """The first of these that is installed and usable; the last one where none is."""
    return next((each for each in generations if not each.library.fault), generations[-1])


HERE: Final = newest_installed(FOUR, THREE, TWO)


def generation(*_: Tensor, **__: Any) -> str:
    """The generation that is called, with the version of its package."""
    return f"{HERE.name} ({HERE.library})"


@implementation(
    *HERE.limits,
    library=HERE.library,
    slow_start=True,
    apart=HERE.apart,
    operator=generation,
    ran_on="",
    layout="bthd",
)
def flash_attn(problem: Problem) -> Callable[..., Tensor]:
    """The authors' FlashAttention: 4, 3 or 2, the newest that is installed."""
    module = importlib.import_module(HERE.library.module)
    fixed: dict[str, Any] = {"softmax_scale": problem.softmax_scale}
    if problem.softcap is not None:
        fixed["softcap"] = problem.softcap
    packs = () if problem.mask.kind in DENSE else packs_of(problem)

    def attention(q: Tensor, k: Tensor, v: Tensor, *, bias: BiasValues | None = None) -> Tensor:
        given = fixed if bias is None else {**fixed, "alibi_slopes": bias.values}
        if problem.mask.kind in DENSE:
            window = band(reach(problem.mask), HERE.unlimited)
            return first(module.flash_attn_func(q, k, v, **window, **given))
        kernel = partial(_packed, module.flash_attn_varlen_func, given)
        return attend_packed(q, k, v, packs=packs, kernel=kernel)

    return attention


def band(reaches: tuple[int | None, int | None], unlimited: int | None) -> dict[str, Any]:
    """The arguments that state a band, from keys before and after the query's own."""
    window = tuple(unlimited if reach is None else reach for reach in reaches)
    return {"causal": reaches[1] == 0, "window_size": window}


def first(made: Any) -> Tensor:
    """The output; some versions return the log-sum-exp beside it."""
    out: Tensor = made[0] if isinstance(made, tuple) else made
    return out


def _packed(
    function: Callable[..., Any],
    given: dict[str, Any],
    q: Tensor,
    k: Tensor,
    v: Tensor,
    pack: Pack,
) -> Tensor:
    made = function(
        q,
        k,
        v,
        cu_seqlens_q=pack.query_starts,
        cu_seqlens_k=pack.key_starts,
        max_seqlen_q=pack.longest_query,
        max_seqlen_k=pack.longest_key,
        **band(pack.window, HERE.unlimited),
        **given,
    )
    return first(made)
