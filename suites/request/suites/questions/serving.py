"""Batches as servers have them: requests of different lengths packed one after the other.

Heads are those of Llama 3 8B, tensors have the layout of a server, [tokens, heads, D]. The numbers
of keys of a request follow a log-normal distribution with the mean of one instruction with its
answer in ShareGPT, 161.31 + 337.99 tokens: figure 11 of arXiv 2309.06180. The paper gives no
spread: SIGMA is a choice of this suite. The draw is stratified and has a fixed seed.

A shared prefix is two problems: all queries over the prefix, and each row over its own keys. The
merge of the two results is not timed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from statistics import NormalDist
from typing import Final

from impls.interface import Problem
from suites.records.cases import Case
from suites.request.suites.suite import Gpu, Suite

HEADS: Final = "h32/8 d128 bthd"
LAYERS: Final = 32
"""Calls of one step of Llama 3 8B."""
SOURCE: Final = (
    "config.json of meta-llama/Meta-Llama-3-8B: 32 layers, 32 heads, 8 key heads, head dimension "
    "128; keys log-normal with the mean of ShareGPT, 499.3 tokens, arXiv 2309.06180, figure 11"
)
MEAN: Final = 499.3
"""Tokens of a request."""
SIGMA: Final = 0.8
"""Standard deviation of the logarithm: the longest tenth is 2.8 times the median or longer."""
SEED: Final = 18


def drawn(count: int, mean: float) -> tuple[int, ...]:
    """Lengths with this mean, in random order: one from each `count`-th of the distribution.

    Equal on every machine: Python documents `Random(seed).random()` as equal in all versions.
    """
    generator = random.Random(SEED)
    scores = [NormalDist().inv_cdf((place + generator.random()) / count) for place in range(count)]
    scores.sort(key=lambda _: generator.random())
    sizes = [math.exp(SIGMA * score) for score in scores]
    return tuple(max(1, round(mean * count * size / sum(sizes))) for size in sizes)


def _cases(devices: tuple[str, ...], gpu: Gpu) -> tuple[Case, ...]:
    on_gpu = devices[0] == "cuda"
    # Contexts of four times the mean are common on a GPU; on a CPU they would not fit the minutes.
    requests, mean, chunk = (64, 4 * MEAN, 2048) if on_gpu else (16, MEAN, 256)
    words = f"{HEADS} {gpu.dtype} cuda" if on_gpu else HEADS
    made = tuple(_batches(requests, mean, chunk, words))
    return made if not on_gpu else tuple(case for case in made if gpu.holds(case.problem))


def _batches(requests: int, mean: float, chunk: int, words: str) -> Iterator[Case]:
    keys = drawn(requests, mean)
    decode = _rows(1, keys)
    yield _case(decode, words, f"{requests} requests, one new token each", "decode step")
    yield _case(
        f"{_rows(chunk, (4 * chunk,))}+{_rows(1, keys[1:])}",
        words,
        f"one prompt's chunk of {chunk} tokens beside {requests - 1} requests that decode",
        "mixed step",
    )
    yield _case(_rows(4, keys), words, f"{requests} requests, 4 tokens each", "speculative step")
    prompts = keys[: requests // 4]
    yield _case(
        "+".join(f"{length}/{length}" for length in prompts),
        words,
        f"{len(prompts)} prompts of mixed lengths",
        "prefill step",
    )
    yield from _prefix(requests, keys, chunk, words)


def _prefix(requests: int, keys: tuple[int, ...], chunk: int, words: str) -> Iterator[Case]:
    """The same decode with a prefix in front: stored once, and repeated in each row."""
    prefix, step = 4 * chunk, "decode step with a shared prefix"
    shared = Problem.parse(f"{words} t{requests}/{prefix}")
    yield _of(shared, f"{requests} queries over a shared prefix of {prefix} keys", step)
    yield _case(_rows(1, keys), words, "and over each request's own keys", step)
    repeated = _rows(1, tuple(prefix + each for each in keys))
    label = f"{requests} requests, the prefix of {prefix} keys in each row"
    yield _case(repeated, words, label, "decode step with a repeated prefix")


def _rows(queries: int, keys: tuple[int, ...]) -> str:
    return "+".join(f"{queries}/{max(length, queries)}" for length in keys)


def _case(rows: str, words: str, label: str, step: str) -> Case:
    return _of(Problem.parse(f"{words} causal+rows:{rows}"), label, step)


def _of(problem: Problem, label: str, step: str) -> Case:
    named = f"Llama 3 8B, {step}"
    return Case(problem=problem, label=label, source=SOURCE, step=named, count=LAYERS)


SUITE: Final = Suite(
    name="serving",
    asks="What does attention cost a server whose requests have different lengths?",
    description="packed batches of 16 requests with log-normal lengths, 32 heads over 8 key heads, "
    "D 128: decode, prefill beside decode, 4 tokens each, prefill, a shared prefix; on a GPU 64 "
    "requests of four times the length",
    cases=_cases,
    minutes=5.0,
    sessions=3,
    budget_s=4 * 60.0,
    panels=("attention",),
    left_out=(
        "paged caches: no implementation here reads one",
        "the merge of a shared prefix with a request's own keys: it is not timed",
    ),
)
