"""What an implementation answers while it is timed: some rows of it, compared with the reference.

One that agreed when it was checked may answer from memory, or carelessly, once it is called often.
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
from suites.agreement.expected import expect
from suites.agreement.gate import NAMES, judge, malformed
from suites.measure.inputs import Inputs, bind, call_of, copies
from suites.measure.rounds import Arm
from suites.measure.timing import Clock, HotSampler, counted

ROWS: Final = 8
"""Query rows compared in a head: the first, the last and drawn ones."""
HEADS: Final = 2
"""Heads compared: the last of the batch, and others drawn in each session. One of 8 rows takes the
reference 1 to 3 ms at 512 to 4096 keys."""

CALLS: Final = 5
"""As many calls as that, or one sample where it has fewer, come before the answer is read."""

FEW_KEYS: Final = 8
"""With fewer keys gradients of q and k may be rounding and nothing else."""

Made = Sequence[Tensor]
Watched = Callable[[], tuple[Tensor, ...]]
Place = tuple[int, slice]
"""A row of the batch, and query heads of it."""


@contextlib.contextmanager
def sampled(
    arm: Arm, inputs: Sequence[Inputs], clock: Clock, took_ms: list[float]
) -> Iterator[tuple[Made, Inputs]]:
    """What the last of some more calls answers, and its inputs; these stay so within this.

    took_ms  is told what the calls took

    Just before that call its inputs are given other values, with no write counted: whoever goes by
    address, version or shape is off, and so is who keeps a part of the work.
    """
    count = min(arm.count, CALLS)
    calls = [counted(call, took_ms) for call in arm.calls]
    turns = [calls[index % len(calls)] for index in range(count)]
    given = inputs[(count - 1) % len(calls)]
    made: list[Tensor] = []
    with contextlib.ExitStack() as stack:

        def last() -> None:
            stack.enter_context(_halved(given))
            made.extend(cast("Made", turns[-1]()))

        if arm.leads_in:
            calls[-1]()
            turns[-1]()  # so that there is something to remember
        HotSampler(clock).take([*turns[:-1], last], count)
        yield made, given


def fault(
    each: Implementation,
    problem: Problem,
    inputs: Inputs,
    made: Made,
    random: Random,
    watched: Callable[[Watched], Watched] = lambda call: call,
    *,
    again: bool = True,
) -> str:
    """What is wrong with an answer to these inputs, in words; empty when nothing is.

    watched  makes of a further call of the implementation one that is watched
    again    whether these may be taken: the whole answer is then held against what it is for the
             same numbers elsewhere

    Rows of attention are held against the reference, but for dk and dv, which take all rows. An
    approximation has no bound, that of another function takes its dense definition several times,
    and that of a layer takes all heads: these have to answer otherwise to other numbers.
    """
    wrong = malformed(made, inputs)
    exact = each.panel == "attention"
    if not wrong and exact:
        places = _places(problem, random)
        found = (_fault_at(problem, inputs, made, place, random) for place in places)
        wrong = next(filter(None, found), "")
    if not wrong and (again or not exact):
        given = copies(inputs)
        call = watched(call_of(bind(each, problem, given), given))
        wrong = _unlike_itself(each, problem, given, made, call)
    return f"it agreed when it was checked, and not when it was timed: {wrong}" if wrong else ""


def _places(problem: Problem, random: Random) -> list[Place]:
    """Where answers are compared: heads by themselves."""
    batch, heads = problem.batch, problem.query_heads
    drawn = [(random.randrange(batch), random.randrange(heads)) for _ in range(HEADS - 1)]
    pairs = dict.fromkeys([(batch - 1, heads - 1), *drawn])
    return [(b, slice(head, head + 1)) for b, head in pairs]


def _fault_at(problem: Problem, inputs: Inputs, made: Made, at: Place, random: Random) -> str:
    """What is wrong in some query rows of these heads of one row of the batch."""
    last = problem.query_length - 1
    rows = torch.tensor(sorted({0, last, *(random.randint(0, last) for _ in range(ROWS - 2))}))
    part, given = _part(problem, inputs, at)
    expected = expect(part, given, rows=rows)
    b, queries = at
    part_of_it = [tensor[b : b + 1, queries] for tensor in made[:2]]
    return judge(part_of_it, expected, (b, queries.start))[1]


def _unlike_itself(
    each: Implementation, problem: Problem, given: Inputs, made: Made, call: Watched
) -> str:
    """Where an answer differs from the one to copies of its inputs; one that varies is let be.

    given, call  the copies, and the call on them
    """
    first = call()
    named = NAMES if problem.key_length >= FEW_KEYS else NAMES[:1]
    for name, one, other in zip(named, made, first, strict=False):
        if (off := _off_by(one, other)) > 0:
            again = call()[NAMES.index(name)]
            if _off_by(again, other) > 0:
                return ""
            much = f"{off:.1%}" if off < 10 else "more than 1000 %"
            return f"{name} is off by {much} from what it is for the same numbers"
    if each.panel == "attention":
        return ""  # some rows were held against the reference
    with _halved(given):
        return "" if _off_by(call()[0], first[0]) > 0 else "out is the same for other numbers"


def _off_by(made: Tensor, other: Tensor) -> float:
    """The relative RMS difference of the worst head; 0 up to the root of the dtype's epsilon."""
    a, b = made.double(), other.double()
    apart, size = (x.square().sum((-2, -1)).sqrt() for x in (a - b, b))
    found = float((apart / size.clamp_min(1e-300)).max())
    return 0.0 if found <= torch.finfo(made.dtype).eps ** 0.5 else found


def _part(problem: Problem, inputs: Inputs, at: Place) -> tuple[Problem, Inputs]:
    """The problem that some query heads of one row of the batch are, with its inputs."""
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
    """Within this, everything drawn is half of what it was: exact, and no write is counted."""
    tensors = [x for x in (inputs.q, inputs.k, inputs.v, inputs.grad) if x is not None]
    for x in tensors:
        x.data.mul_(0.5)
    try:
        yield
    finally:
        for x in tensors:
            x.data.mul_(2)
