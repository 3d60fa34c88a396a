"""Trains a model with an implementation inside, and looks at it at regular steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from impls.interface import Problem
from suites.learning.data.examples import Batch
from suites.learning.lessons import Lesson, by_distance, lesson
from suites.learning.models import Attend
from suites.learning.tasks import SEED
from suites.records.learning import Look

RATE = 0.005
"""Learning rate of AdamW, whose other settings are torch's."""
LOOKS = 10
"""Looks at a model during its training."""

First = Callable[[str], AbstractContextManager[None]]
"""The context of a call, by its form: the first call of a form may compile."""


class Learnt(NamedTuple):
    """The result of a training, as in Training."""

    losses: tuple[float, ...]
    looks: tuple[Look, ...]
    by_distance: tuple[float, ...]
    seconds: float
    cpu_seconds: float


def train(
    task: str,
    problem: Problem,
    attend: Attend,
    steps: int,
    first: First = lambda _: nullcontext(),
) -> Learnt:
    """Train the model of a task; equal functions give equal losses, bit for bit, on a CPU."""
    taught = lesson(task, problem)
    inside = _in_dtype(attend, getattr(torch, problem.dtype))
    optimizer = torch.optim.AdamW(taught.model.parameters(), RATE)
    losses, looks, seconds, cpu_seconds = [], [], 0.0, 0.0
    for step, batch in enumerate(taught.examples.training(steps, SEED), 1):
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        with first("training"):
            losses.append(_step(taught, batch, inside, optimizer))
        seconds += time.perf_counter() - began_s
        cpu_seconds += time.process_time() - began_cpu_s
        if step == steps or step % -(-steps // LOOKS) == 0:
            with first("validation"), torch.no_grad():
                looks.append(_look(step, taught, inside))
    with torch.no_grad():
        recalled = _recalled(taught, inside) if task == "recall" else ()
    return Learnt(tuple(losses), tuple(looks), recalled, seconds, cpu_seconds)


def _in_dtype(attend: Attend, dtype: torch.dtype) -> Attend:
    """Attention in the problem's dtype within a model in float32."""

    def inside(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return attend(q.to(dtype), k.to(dtype), v.to(dtype)).to(q.dtype)

    return inside


def _step(taught: Lesson, batch: Batch, attend: Attend, optimizer: torch.optim.Optimizer) -> float:
    """One step; its loss, summed in float64 so that its own rounding is no difference."""
    loss = cross_entropy(taught.model(batch.x, attend).double(), batch.labels)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call] # torch's
    optimizer.step()
    return loss.item()


def _look(step: int, taught: Lesson, attend: Attend) -> Look:
    examples = taught.examples
    trained = map(examples.batch, range(examples.validation))  # as many batches of both kinds
    loss, accuracy = _measured(taught, trained, attend)
    validation_loss, validation_accuracy = _measured(taught, examples.held_out(), attend)
    return Look(
        step=step,
        loss=loss,
        accuracy=accuracy,
        validation_loss=validation_loss,
        validation_accuracy=validation_accuracy,
    )


def _measured(taught: Lesson, batches: Iterable[Batch], attend: Attend) -> tuple[float, float]:
    """The mean loss and the accuracy on batches of equal sizes."""
    found = [(taught.model(batch.x, attend).double(), batch.labels) for batch in batches]
    losses = [cross_entropy(logits, labels).item() for logits, labels in found]
    right = [(logits.argmax(1) == labels).float().mean().item() for logits, labels in found]
    return sum(losses) / len(losses), sum(right) / len(right)


def _recalled(taught: Lesson, attend: Attend) -> tuple[float, ...]:
    """The accuracy on validation examples by distance."""
    held_out = list(taught.examples.held_out())
    right = [taught.model(batch.x, attend).argmax(1) == batch.labels for batch in held_out]
    return by_distance(torch.cat([batch.x for batch in held_out]), torch.cat(right))
