"""Outputs of timed calls are right, too: some rows are compared with the reference.

An implementation that agreed in the check may still return cached or careless results in timed
samples. The engine runs this after the samples, in the timing process: it is no probe of a check.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import Final, cast

import torch
from torch import Tensor

from impls.interface import BiasValues, Implementation, Problem
from suites.agreement.bounds.by_implementation import claims_exact_attention
from suites.agreement.bounds.derived import derived_bounds
from suites.agreement.bounds.expected import NAMES
from suites.agreement.gate import judge
from suites.agreement.probes.output_form import malformed
from suites.measure.inputs import Inputs, call_of, copies
from suites.measure.preparing import Preparation
from suites.measure.rounds import Arm
from suites.measure.timing import Clock, HotSampler, one_call_ms

ROWS: Final = 8
"""Query rows compared in a head: the first, the last and random ones."""
HEADS: Final = 2
"""Heads compared: the last head of the last batch row, and a random one. The reference of 8 rows of
one head takes 1 to 3 ms at 512 to 4096 keys."""
CALLS: Final = 5
"""Calls before the compared one, as in a sample; fewer where a sample has fewer."""
FEW_KEYS: Final = 8
"""With fewer keys than this, dq and dk may consist of rounding errors only."""

Made = Sequence[Tensor]
Watched = Callable[[], tuple[Tensor, ...]]
Place = tuple[int, slice]
"""A batch row, and query heads of it."""


@contextlib.contextmanager
def sampled(
    arm: Arm, inputs: Sequence[Inputs], clock: Clock, took_ms: list[float]
) -> Iterator[tuple[Made, Inputs]]:
    """The outputs of the last of some further calls, and its inputs, which are valid within this.

    took_ms  gets the time of the calls

    Just before that call its inputs are overwritten without raising torch's write counter. So a
    cache keyed by address, version or shape returns wrong results, also one of a part of the work.
    """
    count = min(arm.count, CALLS)
    turns = [arm.calls[index % len(arm.calls)] for index in range(count)]
    given = inputs[(count - 1) % len(arm.calls)]
    made: list[Tensor] = []
    with contextlib.ExitStack() as stack:

        def last() -> None:
            stack.enter_context(_halved(given))
            made.extend(cast("Made", turns[-1]()))

        if arm.leads_in:
            took_ms.append(one_call_ms(arm.calls[-1], clock))
            took_ms.append(one_call_ms(turns[-1], clock))  # fills a cache, if there is one
        took_ms.append(count * HotSampler(clock).take([*turns[:-1], last], count))
        yield made, given


def fault(
    preparation: Preparation,
    problem: Problem,
    inputs: Inputs,
    made: Made,
    random: Random,
    watched: Callable[[Watched], Watched] = lambda call: call,
    *,
    again: bool = True,
) -> str:
    """The fault of the outputs for these inputs, as text; empty: none.

    watched  wraps a further call of the implementation, in the memory guard for example
    again    whether further calls may be made: all of the outputs are then compared with those for
             the same numbers at another address

    Rows of out and dq of exact attention are compared with the reference; dk and dv need all rows.
    An approximation has no bound, and the bounds of other functions and layers are too expensive
    here. Their outputs have to change with their inputs.
    """
    each = preparation.implementation
    wrong = malformed(made, inputs)
    exact = claims_exact_attention(each)
    if not wrong and exact:
        places = _places(problem, random)
        found = (_fault_at(problem, inputs, made, place, random) for place in places)
        wrong = next(filter(None, found), "")
    if not wrong and (again or not exact):
        given = copies(inputs)
        call = watched(call_of(preparation.bind(problem, given), given))
        wrong = _difference_to_copies(each, problem, given, made, call)
    return f"agrees in the check, but not while timed: {wrong}" if wrong else ""


def _places(problem: Problem, random: Random) -> list[Place]:
    """Where outputs are compared: single heads."""
    batch, heads = problem.batch, problem.query_heads
    drawn = [(random.randrange(batch), random.randrange(heads)) for _ in range(HEADS - 1)]
    pairs = dict.fromkeys([(batch - 1, heads - 1), *drawn])
    return [(b, slice(head, head + 1)) for b, head in pairs]


def _fault_at(problem: Problem, inputs: Inputs, made: Made, at: Place, random: Random) -> str:
    """The fault of some query rows of these heads of one batch row."""
    last = problem.query_length - 1
    rows = torch.tensor(sorted({0, last, *(random.randint(0, last) for _ in range(ROWS - 2))}))
    part, given = _part(problem, inputs, at)
    expected = derived_bounds(part, given, rows=rows)
    b, queries = at
    part_of_it = [tensor[b : b + 1, queries] for tensor in made[:2]]
    return judge(part_of_it, expected, (b, queries.start))[1]


def _difference_to_copies(
    each: Implementation, problem: Problem, given: Inputs, made: Made, call: Watched
) -> str:
    """The first tensor that differs from the one for copies of the inputs, as text.

    given, call  the copies, and the call on them

    An implementation whose outputs are not repeatable passes.
    """
    first = call()
    named = NAMES if problem.key_length >= FEW_KEYS else NAMES[:1]
    for name, one, other in zip(named, made, first, strict=False):
        if (off := _off_by(one, other)) > 0:
            again = call()[NAMES.index(name)]
            if _off_by(again, other) > 0:
                return ""
            much = f"{off:.1%}" if off < 10 else "more than 1000 %"
            return f"{name} differs by {much} from that for the same numbers at another address"
    if claims_exact_attention(each):
        return ""  # some rows were compared with the reference
    with _halved(given):
        return "" if _off_by(call()[0], first[0]) > 0 else "out does not change with its inputs"


def _off_by(made: Tensor, other: Tensor) -> float:
    """The relative RMS difference of the worst head; 0 up to the square root of eps."""
    a, b = made.double(), other.double()
    apart, size = (x.square().sum((-2, -1)).sqrt() for x in (a - b, b))
    found = float((apart / size.clamp_min(1e-300)).max())
    return 0.0 if found <= torch.finfo(made.dtype).eps ** 0.5 else found


def _part(problem: Problem, inputs: Inputs, at: Place) -> tuple[Problem, Inputs]:
    """The part of a problem that some query heads of one batch row make up, with its inputs."""
    b, queries = at
    group = problem.query_heads // problem.key_heads
    keys = slice(queries.start // group, (queries.stop - 1) // group + 1)
    mask = problem.mask.resolved(problem.batch, problem.key_length)
    if isinstance(mask.padding, tuple):
        mask = replace(mask, padding=(mask.padding[b],))
    bias, sink, grad = inputs.bias, inputs.sink, inputs.grad
    part = replace(
        problem,
        batch=1,
        query_heads=queries.stop - queries.start,
        key_heads=keys.stop - keys.start,
        mask=mask,
    )
    row = slice(b, b + 1)
    given = Inputs(
        inputs.q[row, queries],
        inputs.k[row, keys],
        inputs.v[row, keys],
        None if grad is None else grad[row, queries],
        None if bias is None else BiasValues(bias.kind, bias.values[queries]),
        None if sink is None else sink[queries],
    )
    return part, given


@contextlib.contextmanager
def _halved(inputs: Inputs) -> Iterator[None]:
    """Within this, q, k, v and the gradient are halved: exactly, and without a counted write."""
    tensors = [x for x in (inputs.q, inputs.k, inputs.v, inputs.grad) if x is not None]
    for x in tensors:
        x.data.mul_(0.5)
    try:
        yield
    finally:
        for x in tensors:
            x.data.mul_(2)
