"""The feature of a problem that makes an implementation raise, found by leaving it out.

A function that raises with grouped heads, and not with as many key heads as query heads, does not
support grouped heads. Each feature is left out of a small problem, one after the other.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from math import ceil, lcm
from typing import Any, Final

from impls.interface import FULL, Bias, Problem
from suites.agreement.attempts import Raised, attempt, concerns_the_process
from suites.agreement.bounds.by_implementation import claims_exact_attention
from suites.agreement.calls import Caller
from suites.agreement.cases import Cases
from suites.agreement.diagnosis import explanation
from suites.agreement.hard_inputs import accepts
from suites.agreement.observation import observed
from suites.agreement.slip import Diagnosis
from suites.agreement.small_problems import kind_of
from suites.measure.inputs import make_inputs

SMALL: Final = 1 << 18
"""Score entries, over all heads, up to which a problem is called again as it is."""
FEATURES: Final = (
    "grouped_heads",
    "more_queries_than_keys",
    "unequal_lengths",
    "strided_inputs",
    "mask",
    "bias",
    "softcap",
    "sink",
    "value_dim",
    "scale",
    "dtype",
    "batch",
    "backward",
    "length",
)
"""Features that are left out; a cause has the key `grouped_heads_unsupported` and so on."""
MULTIPLES: Final = (2, 4, 8, 16, 32, 64, 128, 256)
"""Multiples of lengths that are tried."""


STRIDES: Final = "use reshape() instead of view(), or .contiguous() first: q may be a strided view"


@contextlib.contextmanager
def traced(caller: Caller, problems: Sequence[Problem]) -> Iterator[None]:
    """Within this, an exception gets its cause, for `cause_of`.

    problems  that are called within this; the exception is that of the last one
    """
    try:
        yield
    except Exception as error:
        has_cause = hasattr(error, "cause_of_attention")
        if problems and not has_cause and not concerns_the_process(error):
            found = unsupported(caller.apart(), problems[-1])
            error.cause_of_attention = found  # type: ignore[attr-defined] # set for cause_of
        raise


def cause_of(error: BaseException) -> Diagnosis | None:
    """The cause that `traced` has found for an exception."""
    found: Diagnosis | None = getattr(error, "cause_of_attention", None)
    return found


def unsupported(caller: Caller, problem: Problem) -> Diagnosis | None:
    """The first feature without which the call does not raise; None: no single feature.

    A large problem is replaced by the small one with the same features.
    """
    entries = problem.batch * problem.query_heads * problem.query_length * problem.key_length
    small = problem if entries <= SMALL else kind_of(problem)
    if not _raises(caller, small):
        return None
    for found, other in _without_a_feature(small):
        if accepts(caller.implementation, other) and not _raises(caller, other):
            return found
    forward = replace(small, training=False)
    if small.training and not _raises(caller, forward):
        return _in_backward(caller, forward)
    return _multiple(caller, small)


def _raises(caller: Caller, problem: Problem) -> bool:
    """Whether a call on the problem raises an exception."""
    call = partial(caller.call, problem, make_inputs(problem, purpose="feature"))
    made = attempt(call)
    return isinstance(made, Raised) or isinstance(attempt(made), Raised)


def _without_a_feature(problem: Problem) -> Iterator[tuple[Diagnosis, Problem]]:
    """The problem without each of its features, with what it means if that does not raise."""
    p = problem
    heads, lengths = f"{p.query_heads} query heads over {p.key_heads} key heads", _lengths(p)
    if p.query_heads != p.key_heads:
        cure = (
            "k.repeat_interleave(Hq // Hk, dim=1), the same for v; or enable_gqa=True of "
            "scaled_dot_product_attention; or state Limits(grouped_heads=False)"
        )
        found = _raised("grouped_heads", heads, f"{p.query_heads} over {p.query_heads}", cure)
        yield found, replace(p, key_heads=p.query_heads)
    if p.query_length != p.key_length:
        cure = "take Tq from q.shape[2] and Tk from k.shape[2]; or state {}"
        same = max(p.query_length, p.key_length)
        if p.query_length > p.key_length and p.mask.rows is None:
            turned = replace(p, query_length=p.key_length, key_length=p.query_length)
            limits = cure.format("Limits(queries_at_most_keys=True)")
            yield _raised("more_queries_than_keys", lengths, _lengths(turned), limits), turned
        limits = cure.format("Limits(unequal_lengths=False)")
        if p.mask.rows is None:
            equal = replace(p, query_length=same, key_length=same)
            yield _raised("unequal_lengths", lengths, _lengths(equal), limits), equal
    if p.layout == "bthd":
        found = _raised("strided_inputs", "layout bthd", "bhtd", STRIDES)
        yield found, replace(p, layout="bhtd")
    yield from _without_an_option(p)


def _without_an_option(p: Problem) -> Iterator[tuple[Diagnosis, Problem]]:
    """The same for what a problem may leave out: mask, bias, scale, dtype, batch and the like."""
    plain = Problem()
    options: dict[str, tuple[str, Any, str]] = {
        "mask": (f"the mask {p.mask.kind}", FULL, "masks=('full',)"),
        "bias": (f"the bias {p.bias.kind}", Bias(), "biases=('none',)"),
        "softcap": ("a softcap", None, "softcap=False"),
        "sink": ("a sink", False, "sink=False"),
        "value_dim": (f"v of dimension {p.value_dim}", None, "own_value_dim=False"),
        "scale": (f"the scale {p.scale}", None, "own_scale=False"),
        "dtype": (f"dtype {p.dtype}", plain.dtype, f"dtypes=({plain.dtype!r},)"),
    }
    for name, (what, without, limits) in options.items():
        if getattr(p, name) != without:
            cure = f"support it, or state Limits({limits})"
            other = plain.dtype if name == "dtype" else "without it"
            yield _raised(name, what, other, cure), replace(p, **{name: without})
    if p.batch > 1 and not isinstance(p.mask.padding, tuple):
        cure = "q is [B, H, T, D]: keep the batch axis, and let masks broadcast over it"
        yield _raised("batch", f"batch {p.batch}", "batch 1", cure), replace(p, batch=1)


def _raised(feature: str, what: str, other: str, cure: str) -> Diagnosis:
    beside = other if other.startswith("without") else f"with {other}"
    return Diagnosis(f"{feature}_unsupported", f"raises with {what}, and not {beside}", cure)


def _lengths(problem: Problem) -> str:
    return f"Tq={problem.query_length}, Tk={problem.key_length}"


def _in_backward(caller: Caller, forward: Problem) -> Diagnosis:
    """The cause of an exception in training where the forward call does not raise."""
    if claims_exact_attention(caller.implementation):
        case = Cases(forward, 0, ()).itself(caller.implementation)
        seen = observed(case, caller.call(forward, case.inputs)())
        if seen.is_wrong and (found := explanation(seen, [])):
            return found
    given = make_inputs(forward, purpose="feature")
    leaves = [x.requires_grad_() for x in (given.q, given.k, given.v)]
    if not caller.function(forward, given)(*leaves).requires_grad:
        sentence = "out is detached: it does not depend on q, k and v for autograd"
        cure = "remove .detach(), .data and torch.no_grad(); or state Limits(backward=False)"
        return Diagnosis("gradient_missing", sentence, cure)
    cure = "use differentiable operations, not in place; or state Limits(backward=False)"
    return _raised("backward", "backward", "forward alone", cure)


def _multiple(caller: Caller, problem: Problem) -> Diagnosis | None:
    """The smallest multiple of lengths that does not raise; None: there is none."""
    if problem.mask.packed_lengths is not None:
        return None
    for multiple in MULTIPLES:
        unit = lcm(multiple, problem.ranks)
        sizes = [
            ceil(length / unit) * unit for length in (problem.query_length, problem.key_length)
        ]
        other = replace(problem, query_length=sizes[0], key_length=sizes[1])
        if other != problem and not _raises(caller, other):
            limits = f"pad the inputs, or state Limits(length_multiple={multiple})"
            return _raised("length", _lengths(problem), _lengths(other), limits)
    return None
