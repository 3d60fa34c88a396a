"""A run of `learn` made up in code: one passes, one fails the gate, one crashed."""

from __future__ import annotations

from dataclasses import replace

from impls.interface import Limits, Problem
from suites.learning.tasks import TASKS
from suites.records.learning import Look, Training
from suites.records.plan import Entry
from suites.training import LearntRun
from tests.saved_run import small_run

HONEST = ("naive", "sdpa_math", "sdpa_flash")
OFFSETS = {**dict(zip(HONEST, (0.0, 1e-8, 2e-8), strict=True)), "good": 3e-8, "bad": 1e-5}
STEPS = 20


def learnt(*, bad: bool = True, crashes: bool = True) -> LearntRun:
    """The run, with or without an implementation that fails the gate, and one that crashed."""
    names = [*HONEST, "good", *(["bad"] if bad else []), *(["dies"] if crashes else [])]
    run, _ = small_run()
    entries = tuple(Entry(name=name, limits=(Limits(),)) for name in names)
    problems = tuple(
        Problem.parse(words, device="cpu") for task in TASKS.values() for words in task.problems
    )
    plan = replace(
        run.plan, entries=entries, problems=problems, threads=(1,), baseline="", named=(), cases=(),
        steps=(),
    )  # fmt: skip
    trainings = [
        training(t, problems[p], n) for p, t in enumerate(("digits", "sentiment")) for n in names
    ]
    recalls = [recall(problem) for problem in problems[2:]]
    return LearntRun(replace(run, plan=plan), (), (*trainings, *recalls))


def training(task: str, problem: Problem, name: str) -> Training:
    if name == "dies":
        return Training(
            task=task, implementation=name, problem=problem, threads=1, status="crashed",
            reason="the process ended with status 3",
        )  # fmt: skip
    offset = OFFSETS[name]
    return Training(
        task=task,
        implementation=name,
        problem=problem,
        threads=1,
        losses=tuple(2.0 / step + offset for step in range(1, STEPS + 1)),
        looks=tuple(look(step) for step in (10, 20)),
        seconds=3.5,
        cpu_seconds=3.25,
    )


def look(step: int) -> Look:
    return Look(
        step=step,
        loss=2.0 / step,
        accuracy=0.95,
        validation_loss=2.5 / step,
        validation_accuracy=0.9,
    )


def recall(problem: Problem) -> Training:
    reach = (problem.mask.left or 32) - 1
    accuracies = tuple(1.0 if distance <= reach else 0.125 for distance in range(1, 32))
    return replace(
        training("recall", problem, "sdpa_math"), losses=(2.0, 1.0), by_distance=accuracies
    )
