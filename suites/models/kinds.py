"""The models that a problem can name, as data: what each one has, and the problems that it takes.

A problem with `model:llama` has the sizes of the model's attention layers; the width of the model
is heads times D.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Final

from impls.interface import Limits, Problem
from impls.interface.problem import STEPS

LAYERS: Final = 2
"""Layers of a stack: models with two kinds of layers have one of each."""
_CAUSAL: Final = ("causal", "causal+padding", "causal+documents")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelKind:
    """A model by its configuration class, with random weights.

    says      its mechanism, in a sentence
    class_    the class of the library, as "transformers.LlamaForCausalLM"
    example   a problem of it, in words
    limits    the problems that its attention layers can have
    decoded   a problem of one decoded token, in words; empty: it has no such step
    needs     fields that a problem of it has to set, as ("softcap",): its layers have no other
    """

    name: str
    says: str
    class_: str
    example: str
    limits: Limits
    decoded: str = ""
    needs: tuple[str, ...] = ()

    @property
    def steps(self) -> tuple[str, ...]:
        """Its steps: forward, and those with a cache."""
        return ("forward", *(STEPS if self.decoded else ()))

    @property
    def problems(self) -> tuple[str, ...]:
        """The example in each of its steps, in words: forward or prefill, a token, training."""
        own = f"{self.example} model:{self.name}"
        return (
            f"{own}:prefill" if self.decoded else own,
            *((f"{self.decoded} model:{self.name}:decode",) if self.decoded else ()),
            *((f"{own} train",) if self.limits.backward else ()),
        )

    def refusals(self, problem: Problem) -> tuple[str, ...]:
        """Every reason why no step of this model is the problem; empty: one is."""
        step = problem.model_step
        checks = (
            (step in self.steps, f"step {step}: it has {', '.join(self.steps)}"),
            (
                (step == "decode") == (problem.query_length == 1),
                f"Tq {problem.query_length}: a decoded token is one query, as t1/512",
            ),
            (
                problem.layout == "bhtd",
                f"layout {problem.layout}: a model lays its own tensors out",
            ),
            *(
                (bool(getattr(problem, field)), f"no {field}: its layers have one")
                for field in self.needs
            ),
        )
        return (*(why for holds, why in checks if not holds), *self.limits.refusals(problem))


def _limits(*masks: str, **more: object) -> Limits:
    """Limits of models: equal lengths, and the usual scale, unless stated otherwise."""
    values = {"own_scale": False, "unequal_lengths": False, "grouped_heads": False, **more}
    return Limits(masks=masks, **values)  # type: ignore[arg-type] # checked by Limits


_KINDS: Final = (
    ModelKind(
        name="bert",
        says="An encoder that classifies padded sentences",
        class_="transformers.BertForSequenceClassification",
        example="b4 h4 t128 d64 padding:0.75",
        limits=_limits("full", "padding"),
    ),
    ModelKind(
        name="llama",
        says="A decoder with grouped heads, rotary positions and a cache",
        class_="transformers.LlamaForCausalLM",
        example="b1 h8/2 t512 d64 causal",
        decoded="b1 h8/2 t1/2048 d64 full",
        limits=_limits(*_CAUSAL, "full", grouped_heads=True, unequal_lengths=True),
    ),
)
KINDS: Final = {kind.name: kind for kind in _KINDS}
"""By name, in the order in which they are listed."""


def expect_possible(problem: Problem) -> None:
    """Raise ValueError for a problem in a model that is not known, or that cannot have it."""
    name = problem.model_name
    if not name or is_file(name):
        return
    if name not in KINDS:
        near = difflib.get_close_matches(name, KINDS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(
            f"unknown model {name!r}; {hint}expected one of {', '.join(KINDS)}, or FILE.py:FUNCTION"
        )
    if reasons := KINDS[name].refusals(problem):
        raise ValueError(
            f"{problem}: {'; '.join(reasons)}; a problem of {name} is {KINDS[name].example!r}"
        )


def is_file(name: str) -> bool:
    """Whether a model is named by a function of a file."""
    return ".py:" in name
