"""The time of a profiled step of a script, by kind of operator."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

from suites.recording.raw_files import Operator, ProfiledStep

ATTENTION: Final = "attention"
OPTIMIZER: Final = "optimizer"
DATA: Final = "data loading"
UNCOVERED: Final = "Python and what no operator covers"
_KINDS: Final = {
    "autograd engine": r"autograd::|torch::autograd|\w+Backward\d*$|detach$",
    "matrix products": r".*::_?(b?add|int_|scaled_|grouped_)?b?(mm|mv|dot)(_\w+)?$|"
    r".*::(matmul|\w*linear\w*|addr|ger)$",
    "convolutions": r".*::\w*conv\w*",
    "normalization": r"aten::\w*(layer|batch|group|instance|rms)_?norm\w*",
    "softmax and losses": r"aten::\w*(softmax|_loss|cross_entropy)\w*",
    "random numbers and dropout": r"aten::\w*(dropout|bernoulli|normal_|uniform_|rand)\w*",
    "embedding and indexing": r"aten::\w*(embedding|index|gather|scatter|masked_|nonzero|take)\w*",
    "copies and fills": r"aten::(copy_|_to_copy|to|clone|contiguous|cat|stack|fill_|zero_|zeros\w*|"
    r"ones\w*|full\w*|empty\w*|repeat\w*|pad\w*|_reshape_copy|slice_backward|select_backward)$",
    "reductions": r"aten::(sum|mean|max|min|amax|amin|arg\w+|cumsum|\w*norm\w*|var\w*|std\w*|"
    r"topk|sort|any|all|prod|logsumexp)$",
    "elementwise and other operators": r"aten::",
}
"""Kinds by the name of an operator; the first that matches is taken."""
_OTHERS: Final = "operators outside torch"


@dataclass(frozen=True, slots=True)
class Kind:
    """The time of a kind of operators in a profiled step.

    by_phase   milliseconds by phase: forward, backward
    operators  the names of those with the most time
    """

    name: str
    ms: float
    by_phase: dict[str, float]
    operators: tuple[str, ...]


def kinds(step: ProfiledStep) -> list[Kind]:
    """The kinds of a step, the longest time first; their times are those of the step."""
    found: dict[str, list[Operator]] = {}
    for each in step.operators:
        found.setdefault(_kind(each), []).append(each)
    every = [_summed(name, own) for name, own in found.items()]
    rest = step.took_ms - sum(each.ms for each in every)
    uncovered = [Kind(UNCOVERED, rest, {}, ())] if rest > 0 else []
    return sorted([*every, *uncovered], key=lambda each: -each.ms)


def _kind(operator: Operator) -> str:
    if operator.phase in (OPTIMIZER, DATA):
        return operator.phase
    if operator.in_attention:
        return ATTENTION
    matches = (name for name, pattern in _KINDS.items() if re.match(pattern, operator.name))
    return next(matches, _OTHERS)


def _summed(name: str, own: list[Operator]) -> Kind:
    phases: Counter[str] = Counter()
    names: Counter[str] = Counter()
    for each in own:
        phases[each.phase] += each.self_ms  # type: ignore[assignment] # milliseconds
        names[each.name] += each.self_ms  # type: ignore[assignment] # likewise
    heaviest = tuple(operator for operator, _ in names.most_common(3))
    return Kind(name, sum(each.self_ms for each in own), dict(phases), heaviest)
