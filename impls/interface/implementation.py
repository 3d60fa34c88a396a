"""An attention function with a name, its declared limits and its choices."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from impls.interface.call_forms import in_layout, move
from impls.interface.conventions import Convention, convention_of
from impls.interface.hard_numbers import HARD_NUMBERS
from impls.interface.identity import identity_of
from impls.interface.library import Library
from impls.interface.limits import EVERY_BIAS, EVERY_MASK, OPTIONAL, Limits
from impls.interface.ranks import GROUP, chunks_of_a_rank
from impls.interface.reading import NATIVE, Reading

if TYPE_CHECKING:
    from torch import Tensor
    from torch.distributed import ProcessGroup

    from impls.interface.bias import BiasValues
    from impls.interface.mask import Mask
    from impls.interface.problem import Problem

AttentionFunction: TypeAlias = Callable[..., "Tensor"]
"""`f(q, k, v, *, mask, scale) -> out`: q and out [B, Hq, Tq, D]; k and v [B, Hk, Tk, D].

The optional arguments `bias`, `softcap` and `sink` are passed only when the problem has them.
"""

Values: TypeAlias = tuple[Any, ...] | Mapping[Any, tuple[Limits, ...]]
"""The values of a setting, with the limits of the implementation for each where they differ."""

Projections: TypeAlias = Callable[[int, int], "tuple[Tensor, Tensor, Tensor, Tensor]"]
"""Widths of queries and keys to float64 weights of q, k, v and out, each [width, width]."""


class GroupCall(Protocol):
    """Calls a function of a group on whole tensors: in processes that the engine starts."""

    def start(self, problem: Problem) -> None:
        """Have the processes of this problem running."""

    def prepared(self, problem: Problem) -> Callable[..., AttentionFunction]:
        """`bound(bias=..., sink=...)`, which returns a function of whole q, k and v."""

    def forget(self) -> None:
        """Empty the caches of its files in every process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Implementation:
    """An attention function behind the shared interface, and its declared properties.

    function     the callable as written: an attention function, a function of a problem that
                 returns one (`prepares`), or a callable of another convention (`convention`)
    limits       one or more; a problem is supported when any of them accepts it
    states_limits whether its author declared the limits; False: they were derived from its
                 parameters, so problems within them may still be refused by an exception
    prepares     whether the function takes a problem and returns the attention function for it: the
                 place for graphs, block masks and sessions of other libraries
    convention   how a callable of another convention is called; None: by this contract
    layout       of q, k, v and out as the function takes them: bhtd is [B, H, T, D], bthd is
                 [B, T, H, D]
    choices      settings of the function and the values worth trying, by parameter name; a mapping
                 from values to limits where every value has limits of its own
    projections  of a layer: the weights it applies around attention, for its reference; None for
                 attention itself
    reference    of a function other than attention: its plain, dense definition, called in float64
                 like an attention function; None is impls.reference
    approximates whether it only approximates its reference: its error is reported, not judged
    inexact_on   hard inputs, of HARD_NUMBERS, on which it is known to lose digits: it is not
                 checked on them, and its results say so
    operator     returns the name of the kernel that a library picks for q, k and v
    remark       returns a note on how it computes a problem, shown beside its results; "" for none;
                 it gets the chosen settings that it has parameters for
    chosen       selected settings, printed as `name[setting=value]`; others keep their default
    library      the package that it needs beside torch; None for none
    slow_start   whether its set-up takes longer than a second: it is left out of suites that do not
                 name it
    apart        why it is measured in a process of its own; "" shares one with the others
    ran_on       for devices that its authors lack: where and when they ran it, "" for never; None
                 where the tests run it
    shards       of a function of a group: how a sequence is divided among its ranks, contiguous or
                 zigzag
    group_call   of a function of a group: calls it in its processes; None within one of these
    inner        of a layer with a parameter `inner`: the attention inside it
    file         the file that defines it
    module       the name of the module that it was imported as
    """

    name: str
    function: Callable[..., Any]
    limits: tuple[Limits, ...]
    choices: Mapping[str, Values] = field(default_factory=dict)
    projections: Projections | None = None
    reference: AttentionFunction | None = None
    approximates: bool = False
    inexact_on: tuple[str, ...] = ()
    operator: Callable[..., str] | None = None
    remark: Callable[..., str] | None = None
    library: Library | None = None
    slow_start: bool = False
    apart: str = ""
    ran_on: str | None = None
    chosen: tuple[tuple[str, Any], ...] = ()
    inner: Implementation | None = None
    file: str = ""
    module: str = ""
    states_limits: bool = True
    prepares: bool = False
    convention: Convention | None = None
    layout: str = "bhtd"
    shards: str = "contiguous"
    group_call: GroupCall | None = field(default=None, compare=False)

    def __str__(self) -> str:
        settings = ",".join(f"{name}={value}" for name, value in self.chosen)
        inner = f"({self.inner})" if self.inner else ""
        return f"{self.name}{f'[{settings}]' if settings else ''}{inner}"

    @property
    def panel(self) -> str:
        """The group it is ranked in: implementations of the same function, exact or approximate.

        `attention`, `layers`, `layers with rotary positions`, `approximations`, or the identity of
        its own reference.
        """
        if self.reference is not None:
            function = identity_of(self.reference)
        else:
            function = "attention" if self.projections is None else self._layers
        if not self.approximates:
            return function
        return "approximations" if function == "attention" else f"approximations of {function}"

    @property
    def positions(self) -> str:
        """The encoding of positions that a layer adds: none, rotary or sinusoidal.

        It is the layer's setting `positions`, which makes it compute another function.
        """
        return str(dict(self.chosen).get("positions", "none")) if self.projections else "none"

    @property
    def _layers(self) -> str:
        return "layers" if self.positions == "none" else f"layers with {self.positions} positions"

    @property
    def is_attention(self) -> bool:
        """Whether it computes softmax attention itself, exactly."""
        return self.reference is None and self.projections is None and not self.approximates

    @property
    def division(self) -> str:
        """How a sequence is divided among its ranks: its setting `shards`, or what it declares."""
        return str(dict(self.chosen).get("shards", self.shards))

    @property
    def takes_group(self) -> bool:
        """Whether it computes with the other processes of a group."""
        return GROUP in _parameters(self.function)

    def reading(self, reading: Reading | None) -> Implementation:
        """A copy that is called by this reading; None leaves it. NATIVE is the contract itself."""
        if reading is None or self.convention is None:
            return self
        if reading.meaning != NATIVE:
            return replace(self, convention=replace(self.convention, reading=reading))
        limits = self.limits if self.states_limits else (_native_limits(self.function),)
        return replace(self, convention=None, limits=limits)

    @property
    def fixed(self) -> frozenset[str]:
        """Which of `mask` and `scale` it has no parameter for: it computes one value of it only."""
        if self.convention is not None:
            return self.convention.fixed
        parameters = _parameters(self.function)
        takes_any = self.prepares or any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        return frozenset(
            {"mask", "scale"} - (parameters.keys() if not takes_any else {"mask", "scale"})
        )

    def remarks(self, problem: Problem) -> tuple[str, ...]:
        """Notes on how it computes a problem: of its convention, its own and those of `inner`."""
        converted = self.convention.said(problem) if self.convention is not None else ()
        own = self._remark(problem)
        inner = self.inner.remarks(problem) if self.inner is not None else ()
        return (*converted, *filter(None, [own, self._unchecked]), *inner)

    @property
    def _unchecked(self) -> str:
        """The note on the hard inputs that are left out; empty without one."""
        if not self.inexact_on:
            return ""
        return f"not checked on hard inputs where it loses digits: {', '.join(self.inexact_on)}"

    def _remark(self, problem: Problem) -> str:
        if self.remark is None:
            return ""
        taken = {n: value for n, value in self.chosen if n in _parameters(self.remark)}
        return self.remark(problem, **taken)

    @property
    def all_inexact_on(self) -> tuple[str, ...]:
        """The hard inputs that it is not checked on, those of `inner` included."""
        return (*self.inexact_on, *(self.inner.all_inexact_on if self.inner else ()))

    @property
    def takes_inner(self) -> bool:
        """Whether this is a layer that receives the attention inside it as `inner`."""
        return "inner" in _parameters(self.function)

    def refusals(
        self, problem: Problem, capability: tuple[int, int] | None = None
    ) -> tuple[str, ...]:
        """Every reason why this problem is not supported, those of `inner` included."""
        inner = self.inner.refusals(problem, capability) if self.inner else ()
        own = refusals(self.limits, problem, capability)
        return (*of_panel(problem, self.panel), *own, *(f"inner {r}" for r in inner))

    def prepared(self, problem: Problem) -> Callable[..., AttentionFunction]:
        """Do the set-up for a problem; returns `bound(bias=..., sink=...)`, as `bind` calls it.

        What that returns is a function of q, k and v, [B, H, T, D] whatever the function's layout.
        One of a group gets whole tensors here, in the processes of `group_call`. Raises ValueError
        where it has none.
        """
        if self.group_call is not None:
            return self.group_call.prepared(problem)
        if self.takes_group:
            raise ValueError(f"{self} needs a group of processes, which `check` and `run` start")
        move(self.function, problem.device)
        if self.convention is None and not self.prepares:
            mask = problem.mask.resolved(problem.batch, problem.key_length)
            values: dict[str, Any] = {"scale": problem.softmax_scale, "softcap": problem.softcap}
            if self.inner is not None and (self.inner.prepares or self.inner.convention):
                around = partial(self._around, self.inner.prepared(problem), mask, problem)
                return self._in_layout(around)
            return self._in_layout(partial(self.bound, mask=mask, **values))
        call: AttentionFunction
        if self.convention is not None:
            function = partial(self.function, **dict(self.chosen)) if self.chosen else self.function
            call = self.convention.prepared(function, problem)
        else:
            call = cast("AttentionFunction", self.function(problem, **dict(self.chosen)))
        return self._in_layout(partial(_with_values, self.name, call))

    def _around(
        self,
        prepared: Callable[..., AttentionFunction],
        mask: Mask,
        problem: Problem,
        **values: Any,
    ) -> AttentionFunction:
        """The layer around an attention that was prepared for the problem."""
        attention = prepared(**values)

        def inner(*, mask: Mask, scale: float) -> AttentionFunction:
            if (mask, scale) != expected:
                raise ValueError(f"{self}: its layer changes mask or scale of the attention inside")
            return attention

        expected = mask, problem.softmax_scale
        given = {"mask": mask, "scale": problem.softmax_scale, "inner": inner}
        taken = {n: value for n, value in given.items() if n in _parameters(self.function)}
        return partial(self.function, **taken, **dict(self.chosen))

    def in_own_layout(self, call: AttentionFunction) -> AttentionFunction:
        """A function of [B, H, T, D] that calls this one in the function's layout."""
        return in_layout(call, self.layout)

    def _in_layout(
        self, bound: Callable[..., AttentionFunction]
    ) -> Callable[..., AttentionFunction]:
        if self.layout == "bhtd":
            return bound
        return lambda **values: in_layout(bound(**values), self.layout)

    def bound(
        self,
        *,
        mask: Mask,
        scale: float,
        bias: BiasValues | None = None,
        softcap: float | None = None,
        sink: Tensor | None = None,
        group: ProcessGroup | None = None,
    ) -> AttentionFunction:
        """The function of q, k and v alone: all other arguments are fixed before timing.

        bias     added to the scores after softcap
        softcap  scores become softcap * tanh(score / softcap)
        sink     [Hq] logits that join the sum of the softmax and carry no value
        group    the processes that compute together; q, k and v are the parts of this rank then

        A layer passes the optional arguments to its inner attention. Raises ValueError for an
        optional argument that the function does not take: it is never dropped.
        """
        parameters = _parameters(self.function)
        takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        values: dict[str, Any] = {"bias": bias, "softcap": softcap, "sink": sink, GROUP: group}
        optional = {name: value for name, value in values.items() if value is not None}
        arguments: dict[str, Any] = {"mask": mask, "scale": scale}
        if self.inner:
            arguments["inner"] = partial(self.inner.bound, **optional)
        else:
            arguments |= optional
        taken = {n: value for n, value in arguments.items() if takes_any or n in parameters}
        if unknown := optional.keys() & (arguments.keys() - taken.keys()):
            raise ValueError(f"{self.name} takes no {', '.join(sorted(unknown))}")
        return partial(self.function, **taken, **dict(self.chosen))

    def choosing(self, /, **settings: Any) -> Implementation:
        """A copy with these settings, and with the limits of their values.

        Raises ValueError for an unknown setting or value.
        """
        for name, value in settings.items():
            if name not in self.choices:
                known = ", ".join(self.choices) or "none"
                raise ValueError(f"{self.name} has no setting {name!r}; it has {known}")
            printed = {str(choice): choice for choice in self.choices[name]}
            if str(value) not in printed:
                known = ", ".join(map(str, self.choices[name]))
                raise ValueError(f"{self.name}[{name}={value}]: expected one of {known}")
            settings[name] = printed[str(value)]
        narrower = [
            values[settings[name]]
            for name, values in self.choices.items()
            if isinstance(values, Mapping) and name in settings
        ]
        limits = narrower[0] if narrower else self.limits
        return replace(self, chosen=tuple(sorted(settings.items())), limits=limits)

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
    """An implementation that cannot be used here, with the reason; it stays listed.

    ran_on  as in Implementation; None where its file does not import
    limits  as in Implementation; empty where its file does not import
    """

    name: str
    reason: str
    ran_on: str | None = None
    limits: tuple[Limits, ...] = field(default=(), compare=False)


def refusals(
    limits: tuple[Limits, ...], problem: Problem, capability: tuple[int, int] | None
) -> tuple[str, ...]:
    """The reasons of the closest of several limits; empty when one accepts the problem.

    Limits for the problem's device, compute capability and dtype are closer than those for others;
    fewer reasons are closer.
    """
    if not limits:
        return ("no limits: it declares no supported problem",)
    reasons = [
        (each.distance(problem, capability), each.refusals(problem, capability)) for each in limits
    ]
    return min(reasons, key=lambda each: (len(each[1]) > 0, each[0], len(each[1])))[1]


def of_panel(problem: Problem, panel: str) -> tuple[str, ...]:
    """The reason why no implementation of a panel takes part in a model; empty without one."""
    if not problem.model or panel == "attention":
        return ()
    return (f"model:{problem.model}: its layers take exact attention, and this is of {panel}",)


def implementation(  # noqa: PLR0913 - each is a property that a file may declare
    *limits: Limits,
    choices: Mapping[str, Values] | None = None,
    projections: Projections | None = None,
    reference: AttentionFunction | None = None,
    approximates: bool = False,
    inexact_on: tuple[str, ...] = (),
    operator: Callable[..., str] | None = None,
    remark: Callable[..., str] | None = None,
    library: Library | None = None,
    slow_start: bool = False,
    apart: str = "",
    ran_on: str | None = None,
    layout: str = "bhtd",
    shards: str = "contiguous",
) -> Callable[[Callable[..., Any]], Implementation]:
    """A decorator that makes an Implementation of a function, with the function's name.

    Raises TypeError for a reference that is no function, since its panel is named after the
    function, and for two settings with limits of their own. Raises ValueError for a word of
    `shards` or of `inexact_on` that is unknown, and where `ranks` of the limits contradicts the
    parameters.
    """
    multiple = chunks_of_a_rank(shards)
    for label in inexact_on:
        if label not in HARD_NUMBERS:
            raise ValueError(f"inexact_on: {label!r}; expected some of {', '.join(HARD_NUMBERS)}")
    if reference is not None and not inspect.isroutine(reference):
        raise TypeError(
            f"reference: {type(reference).__name__}; expected a function of (q, k, v, ...)"
        )
    limiting = [name for name, each in (choices or {}).items() if isinstance(each, Mapping)]
    if len(limiting) > 1:
        raise TypeError(f"choices: {', '.join(limiting)} have limits each; expected one setting")

    def wrap(function: Callable[..., Any]) -> Implementation:
        takes_group = GROUP in _parameters(function)
        _expect_ranks(function.__name__, limits, takes_group=takes_group)
        return Implementation(
            name=function.__name__,
            function=function,
            limits=tuple(
                _of_ranks(each, multiple) for each in limits or (Limits(ranks=takes_group),)
            ),
            choices=dict(choices or {}),
            projections=projections,
            reference=reference,
            approximates=approximates,
            inexact_on=inexact_on,
            operator=operator,
            remark=remark,
            library=library,
            slow_start=slow_start,
            apart=apart,
            ran_on=ran_on,
            prepares=takes_a_problem(function),
            convention=None
            if takes_a_problem(function)
            else convention_of(function, decorated=True),
            layout=layout,
            shards=shards,
        )

    return wrap


def _of_ranks(limits: Limits, multiple: int) -> Limits:
    """The limits with the chunks of each rank, where they are of a group."""
    return replace(limits, rank_multiple=multiple) if limits.ranks else limits


def _expect_ranks(name: str, limits: tuple[Limits, ...], *, takes_group: bool) -> None:
    """Raise ValueError where a parameter `group` and `ranks` of the limits do not go together."""
    for each in limits:
        if each.ranks != takes_group:
            stated = f"Limits(ranks={each.ranks})"
            raise ValueError(
                f"{name}: {stated} and {'a' if takes_group else 'no'} parameter {GROUP!r}; a "
                "function of a group has both: Limits(ranks=True) and the parameter"
            )


def takes_a_problem(function: Callable[..., Any]) -> bool:
    """Whether its first parameter is named `problem`: it returns the function of q, k and v."""
    return next(iter(_parameters(function)), "") == "problem"


def from_function(function: Callable[..., Any], name: str = "") -> Implementation:
    """An implementation from a callable without a decorator: its parameters imply the limits.

    Raises ValueError for a required parameter that nothing fills.
    """
    convention = None if takes_a_problem(function) else convention_of(function)
    limits = _native_limits(function) if convention is None else convention.limits
    return Implementation(
        name=name or function.__name__,
        function=function,
        limits=(limits,),
        states_limits=False,
        prepares=takes_a_problem(function),
        convention=convention,
    )


def _native_limits(function: AttentionFunction) -> Limits:
    """The limits of a function of the contract: each parameter that it lacks becomes a limit.

    Without `mask` or `scale` it computes one value of it only, and the check decides which. Without
    `bias` or one of OPTIONAL it supports problems without that feature.
    """
    parameters = _parameters(function)
    takes_any = takes_a_problem(function) or any(
        p.kind is p.VAR_KEYWORD for p in parameters.values()
    )
    optional: dict[str, Any] = {name: takes_any or name in parameters for name in OPTIONAL}
    biases = EVERY_BIAS if takes_any or "bias" in parameters else ("none",)
    ranks = GROUP in parameters
    masks = tuple(kind for kind in EVERY_MASK if not (ranks and "rows" in kind))  # no one length
    return Limits(masks=masks, biases=biases, own_value_dim=True, ranks=ranks, **optional)


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Its parameters by name, those of `forward` for a module; none for a function in C."""
    try:
        return inspect.signature(getattr(function, "forward", function)).parameters
    except (TypeError, ValueError):
        return {}


def _with_values(
    name: str,
    call: AttentionFunction,
    *,
    bias: BiasValues | None = None,
    sink: Tensor | None = None,
) -> AttentionFunction:
    """The prepared call with bias and sink of the inputs. Raises ValueError where it takes none."""
    values = {"bias": bias, "sink": sink}
    given = {key: value for key, value in values.items() if value is not None}
    if given and (unknown := given.keys() - inspect.signature(call).parameters.keys()):
        raise ValueError(f"{name} takes no {', '.join(sorted(unknown))}")
    return partial(call, **given) if given else call
