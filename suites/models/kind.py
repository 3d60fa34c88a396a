"""A kind of model, as data: its mechanism, and the problems that its layers can have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isqrt
from typing import Any, Final, NamedTuple

from impls.interface import Limits, Problem
from impls.interface.problem import STEPS

_WITHOUT_CACHE: Final = ("causal+documents", "window+padding")


class Rule(NamedTuple):
    """A condition on problems beside the limits.

    unmet  why a problem `p` does not meet it, as a template: "Tk {p.key_length}: ..."
    """

    holds: Callable[[Problem], bool]
    unmet: str


def is_square(number: int) -> bool:
    """Whether a number is the square of an integer."""
    return isqrt(number) ** 2 == number


SQUARE_KEYS: Final = Rule(
    lambda p: is_square(p.key_length),
    "Tk {p.key_length}: its places are those of a square, as 64 or 196",
)
UNSCALED: Final = Rule(
    lambda p: p.scale == 1.0, "scale {p.softmax_scale:.3g}: its layers have scale1.0"
)
WINDOW_WITHIN: Final = Rule(
    lambda p: p.mask.left is None or p.mask.left < p.key_length,
    "mask {p.mask} with Tk {p.key_length}: its window is shorter than the text",
)


def width_multiple(number: int) -> Rule:
    """The width of the model, heads times D, is a multiple of a number."""
    return Rule(
        lambda p: (p.query_heads * p.head_dim) % number == 0,
        f"{{p.query_heads}} heads of {{p.head_dim}}: its width is a multiple of {number}",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelKind:
    """A model by its configuration class, with random weights.

    says      its mechanism, in a sentence
    class_    the class of the library, as "transformers.LlamaForCausalLM"
    example   a problem of it, in words
    limits    the problems that its attention layers can have
    decoded   a problem of one decoded token, in words; empty: it has no such step
    needs     fields that a problem of it has to set, as ("softcap",): its layers have no other
    rules     further conditions
    """

    name: str
    says: str
    class_: str
    example: str
    limits: Limits
    decoded: str = ""
    needs: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()

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
                step != "decode" or problem.query_length == 1,
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
            *((rule.holds(problem), rule.unmet.format(p=problem)) for rule in self.rules),
        )
        reasons = self._limits_of(step).refusals(problem)
        return (*(why for holds, why in checks if not holds), *reasons)

    def _limits_of(self, step: str) -> Limits:
        """The limits of a step.

        A cache has no packed sequences. The last token of a padded row can be padding, and sees
        no key within a window then. A decoded token is one query, which sees every key.
        """
        if step == "forward":
            return self.limits
        masks = [mask for mask in self.limits.masks if mask not in _WITHOUT_CACHE]
        if step == "prefill":
            return replace(self.limits, masks=tuple(masks))
        decoded = ("full", *(("padding",) if "causal+padding" in masks else ()))
        return replace(self.limits, masks=decoded, unequal_lengths=True)


def limits_of_models(*masks: str, **more: Any) -> Limits:
    """Limits of models: equal lengths, and the usual scale, unless stated otherwise."""
    values = {"own_scale": False, "unequal_lengths": False, "grouped_heads": False, **more}
    return Limits(masks=masks, **values)
