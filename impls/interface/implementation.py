"""A named way of answering problems, with its declared limits and choices."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, TypeAlias

from impls.interface.limits import EVERY_BIAS, EVERY_MASK, Limits

if TYPE_CHECKING:
    from torch import Tensor

    from impls.interface.bias import BiasValues
    from impls.interface.mask import Mask
    from impls.interface.problem import Problem

AttentionFunction: TypeAlias = Callable[..., "Tensor"]
"""`f(q, k, v, *, mask, scale) -> out`: q and out [B, Hq, Tq, D]; k and v [B, Hk, Tk, D].

Of what is optional (`bias`, `softcap`, `sink`) it is handed what the problem has, and no more.
"""

Projections: TypeAlias = Callable[[int, int], "tuple[Tensor, Tensor, Tensor, Tensor]"]
"""Widths of queries and keys to float64 weights of q, k, v and out, each [width, width]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Implementation:
    """A function behind the shared interface, and what it says of itself.

    limits       one or more; a problem is within reach when any of them lets it through
    choices      settings of the function and the values worth trying, by parameter name
    projections  for a layer: the weights it applies around attention, so that its reference can
                 be computed apart from it; None for attention itself
    reference    for another function than attention: its definition, plain, dense and slow, called
                 in float64 as an attention function is; None: impls.reference
    approximates whether it comes near to its reference only: what it is off by is told, not judged
    operator     names the kernel that a library picks for q, k and v, where it picks one itself
    chosen       settings asked for, as `name[setting=value]`; others keep the function's default
    inner        for a layer that takes one: the attention inside it
    file         where it was found
    """

    name: str
    function: AttentionFunction
    limits: tuple[Limits, ...]
    choices: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    projections: Projections | None = None
    reference: AttentionFunction | None = None
    approximates: bool = False
    operator: Callable[..., str] | None = None
    chosen: tuple[tuple[str, Any], ...] = ()
    inner: Implementation | None = None
    file: str = ""

    def __str__(self) -> str:
        settings = ",".join(f"{name}={value}" for name, value in self.chosen)
        inner = f"({self.inner})" if self.inner else ""
        return f"{self.name}{f'[{settings}]' if settings else ''}{inner}"

    @property
    def panel(self) -> str:
        """Whom it is shown and ranked with: those that compute the same, and claim the same."""
        if self.approximates:
            return "approximations"
        if self.reference is not None:
            return self.reference.__name__
        return "attention" if self.projections is None else "layers"

    @property
    def takes_inner(self) -> bool:
        """Whether this is a layer around an attention that is handed to it."""
        return "inner" in inspect.signature(self.function).parameters

    def refusals(
        self, problem: Problem, capability: tuple[int, int] | None = None
    ) -> tuple[str, ...]:
        """Every reason this problem is out of reach, the inner attention's too; empty: "I can"."""
        inner = self.inner.refusals(problem, capability) if self.inner else ()
        return (*refusals(self.limits, problem, capability), *(f"inner {r}" for r in inner))

    def bound(
        self,
        *,
        mask: Mask,
        scale: float,
        bias: BiasValues | None = None,
        softcap: float | None = None,
        sink: Tensor | None = None,
    ) -> AttentionFunction:
        """The function of q, k and v alone: everything else is fixed outside the timed region.

        bias     added to the scores after softcap
        softcap  scores become softcap * tanh(score / softcap)
        sink     [Hq] logits that join the sum of the softmax and carry no value

        A layer hands what is optional to the attention inside it. Raises ValueError when the
        function has no place for something optional: it must never be left out silently.
        """
        parameters = inspect.signature(self.function).parameters
        anything = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        offered: dict[str, Any] = {"bias": bias, "softcap": softcap, "sink": sink}
        optional = {name: value for name, value in offered.items() if value is not None}
        settings: dict[str, Any] = {"mask": mask, "scale": scale}
        if self.inner:
            settings["inner"] = partial(self.inner.bound, **optional)
        else:
            settings |= optional
        taken = {n: value for n, value in settings.items() if anything or n in parameters}
        if unknown := optional.keys() & (settings.keys() - taken.keys()):
            raise ValueError(f"{self.name} takes no {', '.join(sorted(unknown))}")
        return partial(self.function, **taken, **dict(self.chosen))

    def choosing(self, /, **settings: Any) -> Implementation:
        """The same with these settings. Raises ValueError for an unknown setting or value."""
        for name, value in settings.items():
            if name not in self.choices:
                known = ", ".join(self.choices) or "none"
                raise ValueError(f"{self.name} has no setting {name!r}; it has {known}")
            printed = {str(choice): choice for choice in self.choices[name]}
            if str(value) not in printed:
                known = ", ".join(map(str, self.choices[name]))
                raise ValueError(f"{self.name}[{name}={value}]: expected one of {known}")
            settings[name] = printed[str(value)]
        return replace(self, chosen=tuple(sorted(settings.items())))

    def sweep(self, names: tuple[str, ...], /, **fixed: Any) -> Iterator[Implementation]:
        """One implementation for every combination of the named settings' values."""
        self.choosing(**fixed)
        for name in names:
            if name not in self.choices:
                self.choosing(**{name: None})
        for values in product(*(self.choices[name] for name in names)):
            yield self.choosing(**dict(zip(names, values, strict=True)), **fixed)


@dataclass(frozen=True, slots=True)
class Missing:
    """An implementation file that cannot be imported here, and why; it stays visible everywhere."""

    name: str
    reason: str


def refusals(
    limits: tuple[Limits, ...], problem: Problem, capability: tuple[int, int] | None
) -> tuple[str, ...]:
    """The reasons of the nearest of several limits; empty when one lets the problem through.

    Limits for the problem's own device are nearer than those for another.
    """
    if not limits:
        return ("no limits: it says of no problem that it can answer it",)
    answers = [
        (problem.device not in each.devices, each.refusals(problem, capability)) for each in limits
    ]
    return min(answers, key=lambda answer: (len(answer[1]) > 0, answer[0], len(answer[1])))[1]


def implementation(
    *limits: Limits,
    choices: Mapping[str, tuple[Any, ...]] | None = None,
    projections: Projections | None = None,
    reference: AttentionFunction | None = None,
    approximates: bool = False,
    operator: Callable[..., str] | None = None,
) -> Callable[[AttentionFunction], Implementation]:
    """Turn an attention function into an Implementation named after it."""

    def wrap(function: AttentionFunction) -> Implementation:
        return Implementation(
            name=function.__name__,
            function=function,
            limits=limits or (Limits(),),
            choices=dict(choices or {}),
            projections=projections,
            reference=reference,
            approximates=approximates,
            operator=operator,
        )

    return wrap


def is_plain(candidate: object) -> bool:
    """Whether this is a public function whose first three parameters are q, k and v."""
    if not inspect.isfunction(candidate) or candidate.__name__.startswith("_"):
        return False
    return list(inspect.signature(candidate).parameters)[:3] == ["q", "k", "v"]


def from_function(function: AttentionFunction) -> Implementation:
    """An implementation from a plain function: what it does not take becomes a limit.

    Without `mask` it is asked for full attention only, without `scale` for 1/sqrt(D) only, without
    `bias`, `softcap` or `sink` for none; everything else is permitted, and checked.
    """
    parameters = inspect.signature(function).parameters
    anything = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    limits = Limits(
        masks=EVERY_MASK if anything or "mask" in parameters else ("full",),
        biases=EVERY_BIAS if anything or "bias" in parameters else ("none",),
        own_scale=anything or "scale" in parameters,
        own_value_dim=True,
        softcap=anything or "softcap" in parameters,
        sink=anything or "sink" in parameters,
    )
    return implementation(limits)(function)
