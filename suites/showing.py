"""Reads the attention weights of one implementation on one problem, in a process of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final, NamedTuple

from impls.interface import Problem
from suites.conducting import callable_plan, pool_for
from suites.engine.messages import Made, Message, Refused, WeightsRead
from suites.engine.pools import Pool
from suites.engine.tasks import Tasks
from suites.records.plan import Entry, Plan
from suites.records.record import CHECK
from suites.records.store import Run, now
from suites.records.weights import MOST_WEIGHTS, Weights
from suites.request.planning import Request

USUAL: Final = "b1 h2 t12 d8 causal"
"""The problem where none is named."""
SEED: Final = 0
"""Of the inputs: the same command shows the same weights."""


class Shown(NamedTuple):
    """The weights that were read, and the plan and machine they were read with."""

    run: Run
    weights: Weights


def show(name: str, request: Request, command: str) -> Shown:
    """Read the weights of an implementation; where that fails, they carry the reason.

    name  of the implementation, as typed

    Raises ValueError for what makes no sense, and for a problem that the implementation refuses.
    """
    problems = request.problems or (() if request.inputs else (USUAL,))
    asked = replace(request, specs=(name,), problems=problems)
    _expect_one_call(problems)
    with pool_for(asked) as pool:
        planned, machine = callable_plan(asked, pool)
        plan = replace(planned, seed=SEED, sessions=0)
        run = Run(name="show", started=now(), command=command, plan=plan, machine=machine)
        problem, entry = _only_problem(plan), _only_entry(plan, name)
        _expect_readable(plan, problem, entry)
        return Shown(run, _read(run, pool, problem, entry))


def _expect_one_call(problems: Iterable[str]) -> None:
    """Raise ValueError for a problem within a model."""
    for text in problems:
        if model := Problem.parse(text, device="cpu").model:
            raise ValueError(f"show draws the weights of one call; leave out model:{model}")


def _only_problem(plan: Plan) -> Problem:
    if len(plan.problems) != 1:
        raise ValueError(f"{len(plan.problems)} problems to show; expected one")
    return plan.problems[0]


def _only_entry(plan: Plan, name: str) -> Entry:
    if len(plan.entries) != 1:
        names = ", ".join(each.name for each in plan.entries)
        raise ValueError(f"{name} is {len(plan.entries)} implementations: {names}; expected one")
    return plan.entries[0]


def _expect_readable(plan: Plan, problem: Problem, entry: Entry) -> None:
    """Raise ValueError for a problem that is refused, in training, or too large."""
    if reasons := entry.refusals(problem, plan.capability):
        raise ValueError(f"{entry.name} refuses {problem}: {'; '.join(reasons)}")
    if problem.training:
        raise ValueError(
            f"{problem} is in training, and show reads a forward pass; leave out 'train', or add "
            "--pass forward"
        )
    sizes = problem.batch, problem.query_heads, problem.query_length, problem.key_length
    count = sizes[0] * sizes[1] * sizes[2] * sizes[3]
    if count > MOST_WEIGHTS:
        raise ValueError(
            f"{problem} has {count:,} weights, and show reads every weight; expected at most "
            f"{MOST_WEIGHTS:,}: name a problem with fewer heads or positions"
        )


def _read(run: Run, pool: Pool, problem: Problem, entry: Entry) -> Weights:
    """The weights from the process of the implementation; a fault in their place."""
    plan, name = run.plan, entry.name
    found: list[Message] = []
    _, session = pool.take(CHECK, max(plan.threads), plan.process_of(name))
    try:
        ending = session.ask(Tasks(run, lambda _: None).weights(problem, name), found.append)
    finally:
        session.end()
    refusals = [each.reason for each in found if isinstance(each, Refused)]
    faults = [each.record for each in found if isinstance(each, Made)]
    read = [each.weights for each in found if isinstance(each, WeightsRead)]
    if read and ending is None and not faults:
        return read[0]
    end = faults[0] if faults else ending
    fault = f"{end.status}: {end.reason}" if end else "".join(refusals)
    return Weights(implementation=name, problem=problem, fault=fault)
