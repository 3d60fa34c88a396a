"""The task `Train`: a small model is trained with an implementation inside."""

from __future__ import annotations

from functools import partial

from suites.engine.call_limits import limited_memory, preparing, quiet
from suites.engine.messages import Trained
from suites.engine.outcome import clear_caches, recorded, resolve_in
from suites.engine.pipe import Sender
from suites.engine.protocol import Train
from suites.learning import training
from suites.learning.lessons import lesson
from suites.measure import compilers
from suites.measure.preparing import Preparation
from suites.records.learning import Training


def train(task: Train, sender: Sender) -> None:
    """Send what the model learnt; the record of the implementation's failure where it fails."""
    (name,) = task.implementations
    lesson(task.learns, task.problem)  # imports what its examples need before the state is watched
    compilers.forget()
    with quiet():
        recorded(task, name, sender, partial(_train, task, name, sender))


def _train(task: Train, name: str, sender: Sender) -> None:
    """Set the implementation up, and train the model."""
    each, problem = resolve_in(task, name), task.problem
    clear_caches(each)
    preparation = Preparation(each, partial(preparing, sender))
    with limited_memory(task.settings.memory_limit, problem.device):
        attend = preparation.bound(problem)(bias=None, sink=None)
        learnt = training.train(
            task.learns, problem, attend, task.steps, lambda form: preparation.first(form, problem)
        )
    sender.send(
        Trained(
            training=Training(
                task=task.learns,
                implementation=name,
                problem=problem,
                threads=task.threads,
                **learnt._asdict(),
            )
        )
    )
