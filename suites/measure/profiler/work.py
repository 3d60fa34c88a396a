"""Work of an operator that follows from its inputs: FLOPs, and bytes read and written at least.

The work is that of the operator's own kernel, without the operators that it calls. A product of
[m, k] and [k, n] has 2 m k n FLOPs. Arithmetic on elements has one for each element of its output.
Bytes are the elements of the inputs and of the output, each once: an expanded dimension is read
once, and strips that overlap in memory are read once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Final, NamedTuple

from impls.interface import Problem
from suites.measure.profiler.events import Event, Input
from suites.records import operator_kinds as kinds

Inputs = Sequence[Input | None]

_WITH_WORK: Final = frozenset(kinds.KINDS[: kinds.KINDS.index("memory and fills")])
"""Kinds of operators. An operator that calls one of them leaves the work to it."""
_SECOND: Final = ("addmm", "_addmm_activation", "baddbmm", "addbmm", "addmv")
"""Products whose first input is added to the product of the next two."""
_BTHD: Final = ("::_flash_attention_", "::_efficient_attention_", "flash::")
"""Parts of names of attention kernels whose inputs are [B, T, H, D]; others take [B, H, T, D]."""


class Work(NamedTuple):
    """Work of one call of an operator; None: it does not follow from the inputs.

    flops  floating-point operations
    bytes  read and written at least
    """

    flops: float | None = None
    bytes: int | None = None


def work(
    name: str, inputs: Inputs, made_bytes: int, problem: Problem, calls: Sequence[str] = ()
) -> Work:
    """The work of an operator in its own kernel, without the operators that it calls.

    made_bytes  that it allocates and keeps: its output, where it makes one
    problem     whose formula gives the FLOPs of a whole attention kernel
    calls       names of the operators that it calls
    """
    own, kind = kinds.plain(name), kinds.kind_of(name)
    if "aten::fill_" in calls and own == "zero_":
        return Work()
    if kind != "products" and _WITH_WORK & set(map(kinds.kind_of, calls)):
        return Work()
    if not inputs or (inputs[0] is None and kind != "copies"):
        return Work()
    if kind == "attention":
        return _attention(name, inputs, problem)
    if kind == "products":
        return Work(_product_flops(own, inputs), _moved(name, inputs, made_bytes))
    if kind in ("softmax and exponentials", "masks", "elementwise"):
        flops = _elements(inputs) if own in kinds.ARITHMETIC else None
        return Work(flops, _moved(name, inputs, made_bytes))
    if kind == "reductions":
        return Work(bytes=_read(inputs) + made_bytes)
    if kind == "copies":
        return Work(bytes=_copied(own, inputs, made_bytes))
    return Work(bytes=_filled(own, inputs))


def made_bytes(event: Event) -> int:
    """Bytes that an operator allocates in its own kernel, and still holds at its end."""
    held: dict[int, int] = {}
    for each in _allocating(event):
        if each.changed > 0:
            held[each.address] = each.changed
        else:
            held.pop(each.address, None)
    return sum(held.values())


def _allocating(event: Event) -> Iterator[Event]:
    """Changes of memory in an operator and in those that it calls to allocate."""
    for each in event.within:
        if each.kind == "memory":
            yield each
        elif each.kind == "operator" and kinds.kind_of(each.name) == "memory and fills":
            yield from _allocating(each)


def touched(given: Input) -> int:
    """Bytes of the memory of a tensor: elements that share a place count once."""
    if 0 in given.sizes:
        return 0
    pairs = list(zip(given.sizes, given.strides, strict=True))
    apart = prod(size for size, stride in pairs if stride)
    span = 1 + sum((size - 1) * abs(stride) for size, stride in pairs)
    return min(apart, span) * given.itemsize


def _read(inputs: Inputs) -> int:
    """Bytes of the inputs; numbers, which torch wraps as tensors without dimensions, have none."""
    return sum(touched(each) for each in inputs if each and each.sizes)


def _moved(name: str, inputs: Inputs, made_bytes: int) -> int:
    """Bytes of a kernel that reads all its inputs and writes one output.

    An output in place is read and written; one that is given as out= is written only.
    """
    if made_bytes or not name.endswith("_"):
        return _read(inputs) + made_bytes
    first = inputs[0]
    return _read(inputs) + (touched(first) if first else 0)


def _filled(own: str, inputs: Inputs) -> int | None:
    """Bytes that are written where a tensor is filled; None for allocation and other operators."""
    first = inputs[0]
    return touched(first) if first and own in ("fill_", "zero_") else None


def _copied(own: str, inputs: Inputs, made_bytes: int) -> int | None:
    """Bytes of a copy: a source and a target of the same number of elements."""
    if own == "copy_":
        return sum(map(touched, filter(None, inputs[:2])))
    if made_bytes == 0:
        return None
    # Each byte of the output is read somewhere; an index is read as well.
    indices = [each for each in inputs[1:] if each and each.dtype.startswith("int")]
    return 2 * made_bytes + _read(indices)


def _elements(inputs: Inputs) -> float:
    """Elements of the output of an elementwise operator, whose inputs are broadcast."""
    every = [each.sizes[::-1] for each in inputs if each]
    most = max(map(len, every))
    sizes = [[own[place] for own in every if place < len(own)] for place in range(most)]
    return float(prod(0 if 0 in each else max(each) for each in sizes))


def _product_flops(own: str, inputs: Inputs) -> float | None:
    """FLOPs of a product of matrices; batches of the first matrix count."""
    start = 1 if own in _SECOND else 0
    if len(inputs) < start + 2:
        return None
    left, right = inputs[start], inputs[start + 1]
    if left is None or right is None:
        return None
    if own in ("ger", "outer"):
        return float(prod(left.sizes) * prod(right.sizes))
    if own in ("mkldnn_linear", "_linear_pointwise"):
        return 2.0 * prod(left.sizes) * right.sizes[0]  # the weight is [out, in]
    columns = right.sizes[-1] if len(right.sizes) > 1 else 1
    return 2.0 * prod(left.sizes) * columns


def _attention(name: str, inputs: Inputs, problem: Problem) -> Work:
    """Work of a kernel that computes whole attention, or its gradients.

    FLOPs are counted as those of the problem: two products over the visible pairs forward, and five
    backward. Bytes are those of the inputs and of the output or the gradients.
    """
    backward = "backward" in name
    tensors = [each for each in inputs if each and len(each.sizes) == 4][backward:]
    if len(tensors) < 3:
        return Work()
    q, k, v = tensors[:3]
    wide, narrow = (3, 2) if backward else (1, 1)
    pairs = _pairs(name, q, k, problem)
    flops = None if pairs is None else 2.0 * pairs * (wide * q.sizes[3] + narrow * v.sizes[3])
    out_bytes = prod((*q.sizes[:3], v.sizes[3])) * q.itemsize
    return Work(flops, _read(inputs) + (_read((q, k, v)) if backward else out_bytes))


def _pairs(name: str, q: Input, k: Input, problem: Problem) -> int | None:
    """Pairs of a query and a key that a kernel computes, over all heads; None: not known.

    The mask of a kernel is not recorded. That of the problem applies where the kernel gets all
    queries and keys at once.
    """
    tokens = 1 if any(each in name for each in _BTHD) else 2
    queries, keys = q.sizes[tokens], k.sizes[tokens]
    if problem.mask.is_full:
        return q.sizes[0] * q.sizes[3 - tokens] * queries * keys
    heads = q.sizes[0] * q.sizes[3 - tokens]
    given, expected = (
        (heads, queries, keys),
        (
            problem.batch * problem.query_heads,
            problem.query_length,
            problem.key_length,
        ),
    )
    return problem.visible_pairs * problem.query_heads if given == expected else None
