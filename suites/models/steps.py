"""Steps of a model as calls without arguments: a forward pass, a training step, one token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from impls.bridges.model_attention import ModelAttention
from impls.bridges.model_bridge import Around
from impls.interface import Implementation, Problem
from suites.measure.gradients import begin_gradients
from suites.models.built import Batch, Built, build, twin
from suites.recording.recognising import Recogniser

GRADIENT_SEED: Final = 3

Step = Callable[[], tuple[Tensor, ...]]
"""Returns the answer of the model; in training also the gradients of its parameters."""


@dataclass(frozen=True, slots=True)
class Given:
    """The batch of a step, and the gradient of its answer in training."""

    batch: Batch
    grad: Tensor | None

    @property
    def tensors(self) -> list[Tensor]:
        """The tensors that a step gets, without those of a cache."""
        given = [x for x in self.batch.values() if isinstance(x, Tensor)]
        return given if self.grad is None else [*given, self.grad]


class ModelSteps:
    """The model of a problem, whose steps different attentions answer.

    Every attention gets a copy of the model with the same weights.
    """

    def __init__(self, problem: Problem, seed: int) -> None:
        self.problem, self.seed = problem, seed
        self.built: Built = build(problem, seed)

    def given(self, seed: int) -> Given:
        """A batch of a seed, as all attentions get it."""
        batch = self.built.batch(seed)
        if not self.problem.training:
            return Given(batch, None)
        with torch.no_grad():
            shape = self.built.answer(self.built.model, batch).shape
        generator = torch.Generator().manual_seed(GRADIENT_SEED)
        grad = torch.randn(shape, generator=generator).to(self.problem.device)
        return Given(batch, grad.to(getattr(torch, self.problem.dtype)))

    def within(
        self, implementation: Implementation, around: Around | None = None
    ) -> ModelAttention:
        """A copy of the model, whose attention layers an implementation answers."""
        copied = twin(self.built.model)
        return ModelAttention(copied, implementation, Recogniser(), around)

    def step(self, model: nn.Module, given: Given) -> Step:
        """The step of the problem on a batch."""
        answer, batch, grad = self.built.answer, given.batch, given.grad
        if grad is None:

            def forward() -> tuple[Tensor, ...]:
                with torch.no_grad():
                    return (answer(model, batch),)

            return forward
        parameters = [x for x in model.parameters() if x.requires_grad]
        begin_gradients()

        def train() -> tuple[Tensor, ...]:
            out = answer(model, batch)
            found = torch.autograd.grad(out, parameters, grad, materialize_grads=True)
            return (out.detach(), *found)

        return train
