"""Packed documents, beside the same documents as a padded batch.

Lengths follow a log-normal distribution. Its means are those of one instruction with its answer
in two data sets: 77.76 tokens in Alpaca (19.31 + 58.45) and 499.3 in ShareGPT (161.31 + 337.99),
figure 11 of arXiv 2309.06180. The paper gives no spread: SIGMA is a choice of this suite.

The draw is stratified: n documents have one length from each n-th of the distribution, so that a
few documents have its mean, too. Numbers come from `random.Random(SEED).random()`, which Python
documents as equal in all versions, so the lengths are equal on every machine.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from itertools import accumulate, pairwise
from statistics import NormalDist
from typing import Final

from suites.records.cases import Case
from suites.request.suites.suite import Gpu, Suite, typed

SEED: Final = 18
SIGMA: Final = 0.8
"""Standard deviation of the logarithm: the longest tenth is 2.8 times the median or longer."""
MEANS: Final = {"short": 77.76, "long": 499.3}
"""Tokens of a document, by the word in the labels."""
_SOURCE: Final = (
    "log-normal lengths with the mean of {}, arXiv 2309.06180, figure 11; drawn with a fixed seed"
)
_SETS: Final = {"short": "Alpaca, 77.76 tokens", "long": "ShareGPT, 499.3 tokens"}


def drawn(mean: float, total: int) -> tuple[int, ...]:
    """Lengths of documents that fill `total` tokens, in random order.

    mean  of the distribution, tokens

    The lengths are scaled, so that they fill the tokens exactly.
    """
    generator, count = random.Random(SEED), round(total / mean)
    scores = [NormalDist().inv_cdf((place + generator.random()) / count) for place in range(count)]
    sizes = [math.exp(SIGMA * score) for score in sorted(scores, key=lambda _: generator.random())]
    ends = [round(total * end / sum(sizes)) for end in accumulate(sizes)]
    return tuple(end - start for start, end in pairwise((0, *ends)))


def _cases(devices: tuple[str, ...], gpu: Gpu) -> tuple[Case, ...]:
    words, totals = (
        ("h8 d64", (2048, 4096)) if devices[0] != "cuda" else ("h16 d128", (8192, 16384))
    )
    made = [*_forward(words, totals), *_training(words, totals[0])]
    return tuple(
        Case(problem=problem, label=label, source=source)
        for text, label, source in made
        for problem in typed(devices, gpu, cpu=(text,), cuda=(text,))
    )


def _forward(words: str, totals: tuple[int, ...]) -> Iterator[tuple[str, str, str]]:
    for total in totals:
        for name in MEANS:
            yield _packed(words, name, total, "causal+")
            yield _padded(words, name, total)
        yield f"{words} t{total} causal", f"{total} tokens as one document", "one causal sequence"
    for name in MEANS:
        yield _packed(words, name, totals[0], "")


def _training(words: str, total: int) -> Iterator[tuple[str, str, str]]:
    for name in MEANS:
        yield _packed(f"{words} train", name, total, "causal+")
        yield _padded(f"{words} train", name, total)


def _packed(words: str, name: str, total: int, band: str) -> tuple[str, str, str]:
    lengths = drawn(MEANS[name], total)
    kind = "" if band else ", both directions"
    return (
        f"{words} t{total} {band}documents:{'/'.join(map(str, lengths))}",
        f"{len(lengths)} {name} documents packed into {total} tokens{_pass(words)}{kind}",
        _SOURCE.format(_SETS[name]),
    )


def _padded(words: str, name: str, total: int) -> tuple[str, str, str]:
    """The documents of `_packed`, one a row, padded on the right to the longest."""
    lengths = drawn(MEANS[name], total)
    ranges = "/".join(f"0-{length}" for length in lengths)
    return (
        f"b{len(lengths)} {words} t{max(lengths)} causal+padding:{ranges}",
        f"{len(lengths)} {name} documents of {total} tokens as a padded batch{_pass(words)}",
        _SOURCE.format(_SETS[name]),
    )


def _pass(words: str) -> str:
    return ", training" if "train" in words else ""


SUITE: Final = Suite(
    name="documents",
    asks="Is it faster to pack documents of different lengths, or to pad them?",
    description="documents of log-normal lengths, means of 78 and 499 tokens: packed into 2048 "
    "and 4096 tokens, padded as a batch, and as one sequence; forward and training",
    cases=_cases,
    minutes=6.0,
    budget_s=5 * 60.0,
    panels=("attention",),
    left_out=("documents whose queries and keys differ in number: the suite serving has them",),
)
