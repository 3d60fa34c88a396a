"""The supported problems of an implementation, as data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

from impls.interface.mask import Mask
from impls.interface.problem import DEVICES, DTYPES, Problem

_BANDS: Final = ("full", "causal", "window")
_PARTS: Final = ("", "padding", "documents", "padding+documents", "rows")
EVERY_MASK: Final = tuple(
    "+".join(word for word in (band if band != "full" or not parts else "", parts) if word)
    for parts, band in product(_PARTS, _BANDS)
)
OPTIONAL: Final[dict[str, Any]] = {"softcap": 2.0, "sink": True}
"""Optional fields of a problem, each with a value to try. A function supports one by a parameter of
that name, and Limits has a field of that name; discovery and tables read this declaration."""
WINDOWS: Final = ("any", "causal", "symmetric")
BY_DISTANCE: Final = ("none", "alibi", "relative")
"""Biases that depend on the distance of query and key alone."""
EVERY_BIAS: Final = (*BY_DISTANCE, "dense")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The problems that an implementation supports.

    masks            kinds of mask, one entry for each combination: "causal", "window+padding"
    head_dims        a range: "multiples of 8 up to 256" is range(8, 257, 8)
    grouped_heads    fewer key heads than query heads
    unequal_lengths  Tq != Tk
    backward         gradients of q, k and v
    own_scale        a scale other than 1/sqrt(D)
    own_value_dim    v with a head dimension of its own
    value_dims       head dimensions of v, its own or D
    forward_only_dims  head dimensions without a backward pass
    forward_only_on  compute capabilities that forward_only_dims is for, as "8.6"; (): all
    unequal_masks    kinds of mask with Tq != Tk; a mask that hides no key counts as full
    ranks            whether a group of processes computes it, each with a part of the sequence: it
                     takes 2 ranks and more; False: 1 rank
    rank_multiple    of a group: Tq and Tk are multiples of this times the number of ranks
    softcap, sink    scores capped by tanh, and a logit per head in the sum of the softmax
    cuda_capability  least compute capability of an NVIDIA device
    cuda_capability_below  the first compute capability that is not supported; None: no such
    length_multiple  Tq and Tk are multiples of this
    head_multiple    query heads and key heads are multiples of this
    heads_divide_by_ranks  query heads and key heads are multiples of the ranks
    queries_at_most_keys  Tq <= Tk only
    least_key_length  least Tk
    most_queries     largest Tq; None: no such limit
    most_batch       largest batch; None: no such limit
    windows          any; causal: `right` is 0; symmetric: `left` is `right` + 1
    keyless_rows     queries that see no key: their rows of the output are zero
    unavailable      why it supports no problem here, as a package that is missing; "" for none

    An implementation whose limits differ by device declares one Limits for each.
    """

    devices: tuple[str, ...] = DEVICES
    dtypes: tuple[str, ...] = tuple(DTYPES)
    masks: tuple[str, ...] = _BANDS
    biases: tuple[str, ...] = ("none",)
    head_dims: range = range(1, 1025)
    grouped_heads: bool = True
    unequal_lengths: bool = True
    backward: bool = True
    own_scale: bool = True
    own_value_dim: bool = False
    value_dims: range = range(1, 1025)
    forward_only_dims: range = range(0)
    forward_only_on: tuple[str, ...] = ()
    unequal_masks: tuple[str, ...] = EVERY_MASK
    ranks: bool = False
    rank_multiple: int = 1
    softcap: bool = False
    sink: bool = False
    cuda_capability: tuple[int, int] = (0, 0)
    cuda_capability_below: tuple[int, int] | None = None
    length_multiple: int = 1
    head_multiple: int = 1
    heads_divide_by_ranks: bool = False
    queries_at_most_keys: bool = False
    least_key_length: int = 1
    most_queries: int | None = None
    most_batch: int | None = None
    windows: str = "any"
    keyless_rows: bool = True
    unavailable: str = ""

    def __post_init__(self) -> None:
        if not self.head_dims:
            raise ValueError(f"limits: no head dimension in {self.head_dims}; expected one or more")
        for value, known, what in (
            (self.devices, DEVICES, "device"),
            (self.dtypes, tuple(DTYPES), "dtype"),
            (self.masks, EVERY_MASK, "mask"),
            (self.unequal_masks, EVERY_MASK, "mask"),
            (self.biases, EVERY_BIAS, "bias"),
        ):
            for word in value:
                if word not in known:
                    raise ValueError(f"limits: {what} {word!r}; expected among {', '.join(known)}")
        if self.windows not in WINDOWS:
            raise ValueError(
                f"limits: windows {self.windows!r}; expected one of {', '.join(WINDOWS)}"
            )
        for name in ("length_multiple", "head_multiple", "least_key_length", "rank_multiple"):
            if getattr(self, name) < 1:
                raise ValueError(f"limits: {name} {getattr(self, name)}; expected 1 or more")

    def refusals(
        self, problem: Problem, capability: tuple[int, int] | None = None
    ) -> tuple[str, ...]:
        """Every reason why this problem is not supported; empty when it is.

        capability  compute capability of the NVIDIA device here; None without one
        """
        p, dims = problem, self.head_dims
        checks = (
            (not self.unavailable, self.unavailable),
            (p.device in self.devices, f"device {p.device}: runs on {', '.join(self.devices)}"),
            (p.dtype in self.dtypes, f"dtype {p.dtype}: takes {', '.join(self.dtypes)}"),
            (p.mask.kind in self.masks, f"mask {p.mask.kind}: takes {', '.join(self.masks)}"),
            (p.bias.kind in self.biases, f"bias {p.bias.kind}: takes {', '.join(self.biases)}"),
            (p.head_dim in dims, f"head dimension {p.head_dim}: takes {words_of(dims)}"),
            (
                self.grouped_heads or p.query_heads == p.key_heads,
                f"{p.query_heads} query heads over {p.key_heads} key heads: needs as many of both",
            ),
            (
                self.unequal_lengths or p.query_length == p.key_length,
                f"Tq {p.query_length} and Tk {p.key_length}: takes equal lengths",
            ),
            (self.backward or not p.training, "training: forward only"),
            (
                not p.training
                or p.head_dim not in self.forward_only_dims
                or (
                    bool(self.forward_only_on) and _version(capability) not in self.forward_only_on
                ),
                f"training at head dimension {p.head_dim}: forward only",
            ),
            (
                self.own_scale or p.softmax_scale == p.head_dim**-0.5,
                f"scale {p.scale}: takes 1/sqrt(D) only",
            ),
            (
                self.own_value_dim or p.value_dim is None,
                f"value dimension {p.value_dim}: takes the head dimension only",
            ),
            (
                p.value_size in self.value_dims
                or (p.head_dim not in dims if p.value_dim is None else not self.own_value_dim),
                f"value dimension {p.value_size}: takes {words_of(self.value_dims)}",
            ),
            (
                self.ranks == (p.ranks > 1),
                f"{p.ranks} rank{'s' if p.ranks > 1 else ''}: "
                + ("needs a group of 2 and more (ranksN)" if self.ranks else "runs in one process"),
            ),
            (self.softcap or p.softcap is None, f"softcap {p.softcap}: takes scores as they are"),
            (self.sink or not p.sink, "sink: takes a softmax over the keys alone"),
            *self._refusals_of_sizes(p),
            (
                self.windows == "any" or _window_form(p.mask) in ("", self.windows),
                f"mask {p.mask}: takes {self.windows} windows only",
            ),
            (
                self.keyless_rows or not p.has_keyless_rows,
                "queries that see no key: takes masks that leave every query a key",
            ),
            *self._refusals_of_capability(p.device, capability),
        )
        return tuple(reason for holds, reason in checks if not holds)

    def distance(self, problem: Problem, capability: tuple[int, int] | None) -> int:
        """0 for limits of the problem's device, capability and dtype, 1 of its device, else 2."""
        if problem.device not in self.devices:
            return 2
        of_capability = self._refusals_of_capability(problem.device, capability)
        fits = problem.dtype in self.dtypes and all(holds for holds, _ in of_capability)
        return 0 if fits else 1

    def _refusals_of_capability(
        self, device: str, capability: tuple[int, int] | None
    ) -> Iterator[tuple[bool, str]]:
        """Whether the capability is within the limits, each with the reason if not."""
        if device != "cuda" or capability is None:
            return
        below = self.cuda_capability_below
        said = f"CUDA capability {_version(capability)}"
        yield below is None or capability < below, f"{said}: needs one below {_version(below)}"
        least = self.cuda_capability
        yield capability >= least, f"{said}: needs {_version(least)}"

    def _refusals_of_sizes(self, p: Problem) -> Iterator[tuple[bool, str]]:
        """Whether lengths and heads are permitted, each with the reason if not."""
        lengths, heads = (p.query_length, p.key_length), (p.query_heads, p.key_heads)
        of_ranks = self.rank_multiple * p.ranks
        yield (
            not self.ranks or not any(length % of_ranks for length in lengths),
            (
                f"Tq {lengths[0]} and Tk {lengths[1]}: takes multiples of {of_ranks} for {p.ranks} "
                "ranks"
            ),
        )
        yield (
            not any(length % self.length_multiple for length in lengths),
            f"Tq {lengths[0]} and Tk {lengths[1]}: takes multiples of {self.length_multiple}",
        )
        yield (
            not any(count % self.head_multiple for count in heads),
            (
                f"{heads[0]} query heads and {heads[1]} key heads: takes multiples of "
                f"{self.head_multiple}"
            ),
        )
        yield (
            not self.heads_divide_by_ranks or not any(count % p.ranks for count in heads),
            (
                f"{heads[0]} query heads and {heads[1]} key heads: takes multiples of the "
                f"{p.ranks} ranks"
            ),
        )
        yield (
            not self.queries_at_most_keys or lengths[0] <= lengths[1],
            f"Tq {lengths[0]} and Tk {lengths[1]}: takes Tq <= Tk",
        )
        yield (
            lengths[1] >= self.least_key_length,
            f"Tk {lengths[1]}: takes {self.least_key_length} or more",
        )
        yield (
            self.most_queries is None or lengths[0] <= self.most_queries,
            f"Tq {lengths[0]}: takes {self.most_queries} or fewer",
        )
        yield (
            self.most_batch is None or p.batch <= self.most_batch,
            f"batch {p.batch}: takes {self.most_batch} or fewer",
        )
        yield (
            lengths[0] == lengths[1]
            or not self.unequal_lengths
            or p.mask.kind in self.unequal_masks
            or ("full" in self.unequal_masks and not p.mask.hides_a_key(p.batch, *lengths)),
            (
                f"mask {p.mask.kind} with Tq {lengths[0]} and Tk {lengths[1]}: takes "
                f"{', '.join(self.unequal_masks)} where the lengths differ"
            ),
        )


def _window_form(mask: Mask) -> str:
    """The form, causal or symmetric; "" without a window, `other` for other windows."""
    if "window" not in mask.kind:
        return ""
    if mask.right == 0:
        return "causal"
    symmetric = mask.left is not None and mask.right == mask.left - 1
    return "symmetric" if symmetric else "other"


def words_of(sizes: range) -> str:
    """A range of head dimensions as text: `8 to 256 by 8`."""
    return f"{sizes[0]} to {sizes[-1]}" + (f" by {sizes.step}" if sizes.step > 1 else "")


def _version(capability: tuple[int, int] | None) -> str:
    return ".".join(map(str, capability or ()))
