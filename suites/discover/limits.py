"""The limits of a function, inferred from the small problems that it solved or failed.

Every feature is tried together with a base problem that agrees, then together with the other
features that agreed: Limits permit every combination of what they state. Each problem is tried
within the `narrowest_limits` that permit it, so that a check adds no feature of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from math import gcd
from typing import Any, Final

from impls.interface import Bias, Limits, Mask, Problem
from impls.interface.limits import EVERY_BIAS, EVERY_MASK, OPTIONAL
from impls.interface.problem import DTYPES

FIRST_BASE: Final = "b2 h4 t65 d64"
OTHER_BASES: Final = (
    *(
        f"{FIRST_BASE} {words}"
        for words in (
            *("causal", "window:16", "window:9:8"),
            *("bf16", "causal bf16", "fp16", "causal fp16", "fp64"),
        )
    ),
    *(f"b2 h4 t65 d{size}" for size in (16, 32, 128)),
    *(f"b2 h4 t{size} d64{mask}" for size in (64, 256) for mask in ("", " causal", " window:9:8")),
)
"""Tried where the first base does not agree. The first one that agrees is the base."""
HEAD_DIMS: Final = (1, 8, 16, 33, 64, 80, 96, 128, 256)
"""Head dimensions that are tried: common sizes, 1, and 33, which is odd."""
STEPS: Final = (1, 8, 16, 32, 64)
"""Steps of ranges of head dimensions; kernels often need a multiple of one of them."""
WINDOWS: Final = {"causal": "window:16", "symmetric": "window:9:8", "other": "window:9:5"}
"""A mask of each form of a window."""
BANDS: Final = {"full": ("full",), "causal": ("causal",), "window": tuple(WINDOWS.values())}
"""Masks of each band; all forms of a window are one kind."""
MULTIPLES: Final = {64: 192, 32: 96, 16: 80, 8: 72, 1: 65}
"""Multiples of the lengths that a function may need, each with a length that shows it: a multiple
of no larger one. They are tried where a base with the length 64 or 256 is the first that agrees."""
HEAD_MULTIPLES: Final = {2: 6, 1: 3}
"""Multiples of the number of heads, each with a number that shows it; the base has 4 heads."""
ROWS: Final = {"padding": 3}
"""Batch rows at least: with 3 the padding of one row differs from that of the others."""
PARTS: Final = {"padding": "padding:0.5", "documents": "documents:{first}/23x2/9"}
"""Other parts of a mask; the first document makes up the length."""
_OTHER_DOCUMENTS: Final = 23 + 23 + 9
_OF_ROWS: Final = (1, 3)
"""Tq and Tk of each of the two rows beside the longest, in lengths of the base's unit."""
_VALUES: Final = {"dtypes": tuple(DTYPES), "masks": EVERY_MASK, "biases": EVERY_BIAS}
_BESIDE_BANDS: Final = (
    *("grouped_heads", "unequal_lengths", "queries_at_most_keys", "biases"),
    *OPTIONAL,
)
"""Features that a function may support with some bands only: tried with each band."""


_RESTRICTIONS: Final = (
    *("length_multiple", "head_multiple"),
    *("queries_at_most_keys", "keyless_rows"),
)
"""Fields that restrict other features: stated only where a problem within the limits fails."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature that Limits may state, and the problems that have it.

    field     of Limits
    value     a value of the field, a head dimension, or True
    problems  the base problem with this feature added
    """

    field: str
    value: Any
    problems: tuple[Problem, ...]

    def added_to(self, limits: Limits) -> Limits:
        """The limits with this feature permitted, too; of head dimensions this one alone."""
        value = self.value
        if self.field == "head_dims":
            value = range(self.value, self.value + 1)
        elif self.field == "windows":
            return replace(
                limits,
                windows=self.value,
                masks=tuple(kind for kind in EVERY_MASK if kind in (*limits.masks, "window")),
            )
        elif self.field in _VALUES:
            held = (*getattr(limits, self.field), self.value)
            value = tuple(word for word in _VALUES[self.field] if word in held)
        return replace(limits, **{self.field: value})


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A feature that is not supported: the first problem that failed, and the reason."""

    feature: Feature
    problem: Problem
    reason: str


def base_problems(device: str) -> tuple[tuple[Problem, ...], ...]:
    """Groups of base problems to try: the usual one, then others for functions that refuse it."""
    first = Problem.parse(FIRST_BASE, device=device)
    return (first,), tuple(Problem.parse(text, device=device) for text in OTHER_BASES)


def narrowest_limits(problem: Problem) -> Limits:
    """Limits that permit this problem and no feature that it does not need."""
    optional: dict[str, Any] = {name: bool(getattr(problem, name)) for name in OPTIONAL}
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
        length_multiple=_unit(problem),
        head_multiple=gcd(problem.query_heads, problem.key_heads),
        queries_at_most_keys=problem.query_length <= problem.key_length,
        windows=_form(problem),
        keyless_rows=problem.has_keyless_rows,
        **optional,
    )


def features(base: Problem) -> tuple[Feature, ...]:
    """All features that are tried. Of two that exclude each other the earlier one is kept."""

    def changed(**changes: Any) -> Problem:
        return replace(base, **changes)

    few, many = (33, 129) if _unit(base) == 1 else (_unit(base), 2 * _unit(base))
    longer = changed(query_length=many, key_length=few)
    d, heads = base.head_dim, base.query_heads
    return (
        *(
            Feature("length_multiple", multiple, (changed(query_length=t, key_length=t),))
            for multiple, t in MULTIPLES.items()
            if multiple < _unit(base)
        ),
        *(
            Feature("head_multiple", multiple, (changed(query_heads=h, key_heads=h),))
            for multiple, h in HEAD_MULTIPLES.items()
        ),
        Feature("backward", True, (changed(training=True),)),
        *(Feature("dtypes", name, (changed(dtype=name),)) for name in DTYPES),
        Feature("windows", "causal", (changed(mask=Mask.parse(WINDOWS["causal"])),)),
        Feature("windows", "symmetric", (changed(mask=Mask.parse(WINDOWS["symmetric"])),)),
        Feature("windows", "any", tuple(_mchanged(base, "window"))),
        *(
            Feature("masks", kind, tuple(_mchanged(base, kind)))
            for kind in EVERY_MASK
            if kind != "window" and "rows" not in kind
        ),
        Feature("grouped_heads", True, (changed(query_heads=2 * heads, key_heads=heads),)),
        Feature("unequal_lengths", True, (changed(query_length=few, key_length=many),)),
        *(
            Feature("masks", kind, tuple(_with_rows(base, kind)))
            for kind in EVERY_MASK
            if "rows" in kind
        ),
        Feature("queries_at_most_keys", False, (longer,)),
        Feature("keyless_rows", True, tuple(_keyless(longer))),
        Feature("own_scale", True, (changed(scale=0.3),)),
        Feature("biases", "alibi", (changed(bias=Bias("alibi")),)),
        Feature("biases", "relative", (changed(bias=Bias("relative", 32)),)),
        Feature("biases", "dense", (changed(bias=Bias("dense")),)),
        Feature("own_value_dim", True, (changed(value_dim=d // 2), changed(value_dim=d + d // 2))),
        *(Feature(name, True, (changed(**{name: value}),)) for name, value in OPTIONAL.items()),
        *(Feature("head_dims", size, (changed(head_dim=size),)) for size in HEAD_DIMS),
    )


def combinations(base: Problem, limits: Limits) -> tuple[Problem, ...]:
    """Problems with several features within limits: with training, and with each band.

    Of head dimensions only the smallest and the largest are tried in training.
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


def inferred_limits(
    base: Problem, faults: Mapping[Problem, str]
) -> tuple[Limits, tuple[Unsupported, ...]]:
    """The widest limits, one feature at a time, that permit no problem that failed.

    faults  every problem that was tried, with its fault; "" where it agreed

    Queries without keys occur with several masks. Of the limits with and without them, those that
    permit more of the agreed problems are returned.
    """
    both = [_inferred(base, faults, keyless_rows=each) for each in (True, False)]
    agreed = [problem for problem, fault in faults.items() if not fault]
    return max(both, key=lambda found: sum(not found[0].refusals(each) for each in agreed))


def _inferred(
    base: Problem, faults: Mapping[Problem, str], *, keyless_rows: bool
) -> tuple[Limits, tuple[Unsupported, ...]]:
    """The widest limits, one feature at a time, with or without queries that see no key."""
    limits, unsupported = replace(narrowest_limits(base), keyless_rows=keyless_rows), []
    head_dims: dict[int, Unsupported | None] = {}
    for feature in features(base):
        if feature.field == "keyless_rows" and not keyless_rows:
            fault = next(filter(None, map(faults.get, feature.problems)), "not tried")
            unsupported.append(Unsupported(feature, feature.problems[0], fault))
            continue
        wider = feature.added_to(limits)
        missing = _missing(feature, wider, faults, base)
        if feature.field == "head_dims":
            head_dims[feature.value] = missing
        elif missing is None:
            limits = wider
        if missing is not None:
            unsupported.append(missing)
            if feature.field == "keyless_rows":
                limits = replace(limits, keyless_rows=False)
    agreed = [base.head_dim, *(size for size, missing in head_dims.items() if missing is None)]
    failed = [size for size, missing in head_dims.items() if missing is not None]
    failed = [size for size in failed if size != base.head_dim]  # the base itself agrees
    return replace(limits, head_dims=widest_range(agreed, failed)), tuple(unsupported)


def widest_range(agreed: Iterable[int], failed: Iterable[int]) -> range:
    """The range with the most sizes that agreed, the first one included, and none that failed.

    Among equals it is the one with the widest step, which claims the fewest sizes.
    """
    agreed, failed = list(agreed), set(failed)
    sizes = sorted(set(agreed))
    ranges = (
        range(first, last + 1, step)
        for step, first, last in product(STEPS, sizes, sizes)
        if first <= last and (last - first) % step == 0
    )
    fitting = [each for each in ranges if agreed[0] in each and not failed & set(each)]
    best = max(fitting, key=lambda each: (sum(size in each for size in sizes), each.step))
    return best if len(best) > 1 else range(best[0], best[0] + 1)


def _missing(
    feature: Feature, wider: Limits, faults: Mapping[Problem, str], base: Problem
) -> Unsupported | None:
    """The problem that fails within these limits; None where the feature is supported."""
    for problem in feature.problems:
        if problem not in faults:
            return Unsupported(feature, problem, "not tried")
    for problem, fault in faults.items():
        if fault and not wider.refusals(problem):
            return Unsupported(feature, problem, fault)
    first = feature.problems[0]
    if feature.field != "head_dims" and wider.refusals(base):
        return Unsupported(feature, first, f"excludes {base}")
    shown = any(not wider.refusals(problem) for problem in feature.problems)
    if not shown and feature.field not in _RESTRICTIONS:
        return Unsupported(feature, first, faults[first] or "; ".join(wider.refusals(first)))
    return None


def _unit(base: Problem) -> int:
    """What the lengths of a base are multiples of: 64 or 256, where smaller ones did not agree."""
    lengths = gcd(base.query_length, base.key_length)
    return next((unit for unit in (256, 64) if lengths % unit == 0), 1)


def _form(problem: Problem) -> str:
    """The narrowest form of windows that permits the problem's mask."""
    if "window" not in problem.mask.kind:
        return "any"
    forms = ("causal", "symmetric")
    found = (f for f in forms if not Limits(masks=EVERY_MASK, windows=f).refusals(problem))
    return next(found, "any")


def _keyless(longer: Problem) -> Iterator[Problem]:
    """Problems with queries that see no key: causal, with more queries than keys."""
    mask = longer.mask if longer.has_keyless_rows else Mask.parse("causal")
    yield replace(longer, mask=mask)


def _mchanged(base: Problem, kind: str) -> Iterator[Problem]:
    """The base problem with the masks of a kind."""
    words = kind.split("+")
    first = base.key_length - _OTHER_DOCUMENTS
    parts = [PARTS[word].format(first=first) for word in words if word in PARTS]
    batch = max(base.batch, *(ROWS.get(word, 1) for word in words))
    for band in BANDS.get(words[0], ("",)):
        mask = Mask.parse("+".join(filter(None, (band, *parts))))
        yield replace(base, mask=mask, batch=batch)


def _with_rows(base: Problem, kind: str) -> Iterator[Problem]:
    """Packed batches of three rows, with the masks of a kind; the first row is the longest."""
    unit = _unit(base)
    queries, keys = (unit * length for length in _OF_ROWS)
    rows = ((33 if unit == 1 else unit, base.key_length), *[(queries, keys)] * 2)
    for band in BANDS.get(kind.split("+", maxsplit=1)[0], ("full",)):
        mask = replace(Mask.parse(band), rows=rows)
        total, total_keys = mask.packed_lengths or (0, 0)
        yield replace(base, batch=1, mask=mask, query_length=total, key_length=total_keys)


def _bands(limits: Limits) -> Iterator[Mask]:
    yield from (Mask.parse(BANDS[kind][0]) for kind in BANDS if kind in limits.masks)
