"""What a function can do, found out feature by feature on small problems: which, and what follows.

Every feature is asked beside a base that agrees, then beside the others that held: Limits let
through every combination of what they state. Each problem is asked of the function within the
`narrowest` limits that let it through, so that what a check asks on top needs nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any, Final

from impls.interface import Bias, Limits, Mask, Problem
from impls.interface.limits import EVERY_BIAS, EVERY_MASK
from impls.interface.problem import DTYPES

FIRST_BASE: Final = "b2 h4 t65 d64"
OTHER_BASES: Final = (
    *(
        f"{FIRST_BASE} {words}"
        for words in ("causal", "window:16", "bf16", "causal bf16", "fp16", "causal fp16", "fp64")
    ),
    *(f"b2 h4 t65 d{size}" for size in (16, 32, 128)),
)
"""Asked where the first base does not agree; the first of them that does is the base."""
HEAD_DIMS: Final = (1, 8, 16, 33, 64, 80, 96, 128, 256)
STEPS: Final = (1, 8, 16, 32, 64)
BANDS: Final = {"full": ("full",), "causal": ("causal",), "window": ("window:16", "window:9:5")}
"""The bands of masks; both forms of a window are one kind."""
ROWS: Final = {"padding": 3}
"""Batch rows that a part of a mask needs to be told from another."""
PARTS: Final = {"padding": "padding:0.5", "documents": "documents:10/23x2/9"}
_KNOWN: Final = {"dtypes": tuple(DTYPES), "masks": EVERY_MASK, "biases": EVERY_BIAS}
_BESIDE_BANDS: Final = ("grouped_heads", "unequal_lengths", "biases", "softcap", "sink")
"""Features that an implementation may take together with one band of the mask only."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One thing that Limits may state, and the problems that ask for it beside a base.

    field  of Limits
    value  a word of those the field holds, a head dimension, or True
    """

    field: str
    value: Any
    problems: tuple[Problem, ...]

    def beside(self, limits: Limits) -> Limits:
        """The same limits with this feature let through too; of head dimensions this one alone."""
        value = self.value
        if self.field == "head_dims":
            value = range(self.value, self.value + 1)
        elif self.field in _KNOWN:
            held = (*getattr(limits, self.field), self.value)
            value = tuple(word for word in _KNOWN[self.field] if word in held)
        return replace(limits, **{self.field: value})


@dataclass(frozen=True, slots=True)
class Lacking:
    """A feature that does not hold: the first problem that shows it, and why."""

    feature: Feature
    problem: Problem
    reason: str


def bases(device: str) -> tuple[tuple[Problem, ...], ...]:
    """Problems to start from: the usual one, then others for a function that cannot do it."""
    first = Problem.parse(FIRST_BASE, device=device)
    return (first,), tuple(Problem.parse(text, device=device) for text in OTHER_BASES)


def narrowest(problem: Problem) -> Limits:
    """Limits that let through this problem and state nothing that it does not need."""
    return Limits(
        devices=(problem.device,),
        dtypes=(problem.dtype,),
        masks=(problem.mask.kind,),
        biases=(problem.bias.kind,),
        head_dims=range(problem.head_dim, problem.head_dim + 1),
        grouped_heads=problem.query_heads != problem.key_heads,
        unequal_lengths=problem.query_length != problem.key_length,
        backward=problem.training,
        own_scale=problem.scale is not None,
        own_value_dim=problem.value_dim is not None,
        softcap=problem.softcap is not None,
        sink=problem.sink,
    )


def features(base: Problem) -> tuple[Feature, ...]:
    """All that is asked beside a base. Where two do not hold together, the earlier one stands."""

    def asked(**changes: Any) -> Problem:
        return replace(base, **changes)

    lengths = ({"query_length": 33, "key_length": 129}, {"query_length": 129, "key_length": 33})
    d = base.head_dim
    return (
        Feature("backward", True, (asked(training=True),)),
        *(Feature("dtypes", name, (asked(dtype=name),)) for name in DTYPES),
        *(Feature("masks", kind, tuple(_masked(base, kind))) for kind in EVERY_MASK),
        Feature("grouped_heads", True, (asked(key_heads=base.query_heads // 2),)),
        Feature("unequal_lengths", True, tuple(asked(**each) for each in lengths)),
        Feature("own_scale", True, (asked(scale=0.3),)),
        Feature("biases", "alibi", (asked(bias=Bias("alibi")),)),
        Feature("biases", "relative", (asked(bias=Bias("relative", 32)),)),
        Feature("own_value_dim", True, (asked(value_dim=d // 2), asked(value_dim=d + d // 2))),
        Feature("softcap", True, (asked(softcap=2.0),)),
        Feature("sink", True, (asked(sink=True),)),
        *(Feature("head_dims", size, (asked(head_dim=size),)) for size in HEAD_DIMS),
    )


def crossings(base: Problem, limits: Limits) -> tuple[Problem, ...]:
    """What is asked of features together: those within limits, in training and by band.

    Of head dimensions the least and the largest stand for all in training.
    """
    found: dict[Problem, None] = {}
    for feature in features(base):
        if feature.field in _BESIDE_BANDS:
            found |= dict.fromkeys(
                replace(problem, mask=mask)
                for problem in feature.problems
                for mask in _bands(limits)
            )
        ends = (limits.head_dims[0], limits.head_dims[-1])
        if feature.field != "head_dims" or feature.value in ends:
            found[replace(feature.problems[0], training=True)] = None
    alone = {problem for feature in features(base) for problem in feature.problems}
    return tuple(p for p in found if p not in alone and not limits.refusals(p))


def learnt(base: Problem, faults: Mapping[Problem, str]) -> tuple[Limits, tuple[Lacking, ...]]:
    """The widest limits, a feature at a time, within which nothing asked was answered wrong.

    faults  every problem that was asked, and what was wrong with its answer; "" is nothing
    """
    limits, lacking = narrowest(base), []
    sizes: dict[int, Lacking | None] = {}
    for feature in features(base):
        wider = feature.beside(limits)
        lack = _lack(feature, wider, faults)
        if feature.field == "head_dims":
            sizes[feature.value] = lack
        elif lack is None:
            limits = wider
        if lack is not None:
            lacking.append(lack)
    held = [base.head_dim, *(size for size, lack in sizes.items() if lack is None)]
    fallen = [size for size, lack in sizes.items() if lack is not None]
    return replace(limits, head_dims=widest(held, fallen)), tuple(lacking)


def widest(held: Iterable[int], fallen: Iterable[int]) -> range:
    """The range with the most of those that held, the first among them, and none that did not.

    Of ranges with as many it is the one with the widest step, which claims the least.
    """
    held, fallen = list(held), set(fallen)
    sizes = sorted(set(held))
    ranges = (
        range(first, last + 1, step)
        for step, first, last in product(STEPS, sizes, sizes)
        if first <= last and (last - first) % step == 0
    )
    fitting = [each for each in ranges if held[0] in each and not fallen & set(each)]
    best = max(fitting, key=lambda each: (sum(size in each for size in sizes), each.step))
    return best if len(best) > 1 else range(best[0], best[0] + 1)


def stated(limits: Limits) -> dict[str, Any]:
    """The fields that are not what Limits says by itself, in its order."""
    usual = Limits()
    values = {each.name: getattr(limits, each.name) for each in fields(limits)}
    return {name: value for name, value in values.items() if value != getattr(usual, name)}


def pasted(limits: Iterable[Limits]) -> str:
    """Python to stand above a function: the import and the decorator."""
    lines = [line for each in limits for line in _call(each)]
    lines[-1] = lines[-1].removesuffix(",") if lines.count("Limits(") < 2 else lines[-1]
    above = ("from impls.interface import Limits, implementation", "", "", "@implementation(")
    return "\n".join([*above, *(f"    {line}" for line in lines), ")"])


def _lack(feature: Feature, wider: Limits, faults: Mapping[Problem, str]) -> Lacking | None:
    """Why a feature does not hold within these limits; None where it does."""
    for problem in feature.problems:
        if problem not in faults:
            return Lacking(feature, problem, "not asked")
    for problem, fault in faults.items():
        if fault and not wider.refusals(problem):
            return Lacking(feature, problem, fault)
    return None


def _masked(base: Problem, kind: str) -> Iterator[Problem]:
    """The base with the masks of a kind."""
    words = kind.split("+")
    parts = [PARTS[word] for word in words if word in PARTS]
    batch = max(base.batch, *(ROWS.get(word, 1) for word in words))
    for band in BANDS.get(words[0], ("",)):
        mask = Mask.parse("+".join(filter(None, (band, *parts))))
        yield replace(base, mask=mask, batch=batch)


def _bands(limits: Limits) -> Iterator[Mask]:
    yield from (Mask.parse(BANDS[kind][0]) for kind in BANDS if kind in limits.masks)


def _call(limits: Limits) -> Iterator[str]:
    """The lines that make these limits."""
    values = stated(limits)
    if not values:
        yield "Limits(),"
        return
    yield "Limits("
    for name, value in values.items():
        yield from (f"    {line}" for line in _argument(name, value))
    yield "),"


def _argument(name: str, value: Any) -> Iterator[str]:
    if not isinstance(value, tuple):
        yield f"{name}={value!r},"
        return
    words = [f'"{word}"' if isinstance(word, str) else repr(word) for word in value]
    line = f"{name}=({', '.join(words)}{',' if len(words) == 1 else ''}),"
    if len(line) <= 68:
        yield line
        return
    yield f"{name}=("
    yield from (f"    {word}," for word in words)
    yield "),"
