"""Forecasts of what the tasks of a run take: the check and a timed session of a pair."""

from __future__ import annotations

from typing import Final

from impls.interface import Problem
from impls.interface.problem import DTYPE_BYTES
from suites.engine.forecast import CHECK_CALLS, Forecast, size
from suites.measure.layer_work import LAYERS, is_short, work
from suites.measure.rounds import (
    FEWEST,
    FEWEST_IN_LAYERS,
    FEWEST_ON_GPU,
    MOST_TIMES_BUDGET,
    SHORT_MS,
    TAIL_MOST,
)
from suites.measure.timing import (
    BESIDE_MS,
    CUDA_SAMPLE_MS,
    DRAWN_SETS,
    LONG_MS,
    QUICK_MS,
    SAMPLE_MS,
    SUSTAINED_FROM_MS,
    SUSTAINED_S,
    WARM_MS,
)
from suites.records.record import Pair

QUICK_CALLS: Final = 10
"""Calls that a check makes at a problem's own size where they are quick."""
CHECK_MS: Final = 50.0
"""What the check of a pair takes besides calls."""
GUESSED_NS: Final = 0.02
"""A call per score and head dimension, before any call is known."""
SESSION_MS, TOGETHER_MS = 30.0, 100.0
"""What a timed session takes besides calls, for a pair and for a problem."""
DRAWN_NS: Final = 6.0
"""One random number of the inputs, by one thread of the CPU, also for a GPU: 0.6 s for two sets of
50 million each on the machine of an H200."""
OVERRUN: Final = 1.5
"""Rounds take this multiple of their plan: calls are slower after other calls than when warm."""
REFERENCE_NS: Final = 250.0
"""References and bounds of all panels together, per visible score; three times that in training."""
PLAIN_NS: Final = 4.0
"""The naive result that the other rows are compared with, per visible score."""
LAYER_WORK, LAYER_MS = 7e7, 0.5
"""Multiplications and additions of a layer in a millisecond by two threads, and the least time of a
layer, which reads its weights."""
SPIN_MS: Final = 1.5
"""Spins and launches of a sample on a GPU."""
BESIDE_CALLS, CROSS_CHECK_MS = 33, 200.0
"""Calls for the host time on a GPU and the fewest of triton's do_bench, and what do_bench takes
more: 25 ms to warm up, 100 ms of calls, and flushes between them."""


def session_s(
    forecast: Forecast,
    pair: Pair,
    beside: int,
    round_budget_ms: float,
    *,
    tail: bool = False,
    in_layers: bool = False,
) -> float:
    """Seconds that one timed session of a pair takes.

    beside           pairs of the problem, which share what it takes as a whole
    round_budget_ms  what its rounds are planned to take
    tail             whether every sample is one call, in as many rounds as percentiles need
    in_layers        whether calls are timed a second time with a layer behind them
    """
    call_ms = _call_ms(forecast, pair)
    if call_ms > LONG_MS:
        return 2 * call_ms / 1e3
    alone_ms = SESSION_MS + (TOGETHER_MS + drawn_ms(pair[0])) / beside
    if pair[0].device != "cpu":
        return (alone_ms + _on_gpu_ms(call_ms, beside, round_budget_ms)) / 1e3
    if tail:
        rounds_ms = min(round_budget_ms / beside, TAIL_MOST * (2 * call_ms + SAMPLE_MS))
        return (alone_ms + WARM_MS + call_ms + OVERRUN * rounds_ms) / 1e3
    if in_layers:
        return (alone_ms + WARM_MS + _in_layers_ms(pair[0], call_ms, beside, round_budget_ms)) / 1e3
    if call_ms > WARM_MS:
        return (alone_ms + 2.5 * call_ms) / 1e3  # the first, one round, and a part of the twin
    share_ms = OVERRUN * round_budget_ms / beside
    rounds_ms = FEWEST * (call_ms + max(call_ms, SAMPLE_MS))
    return (alone_ms + WARM_MS + call_ms + max(rounds_ms, share_ms)) / 1e3


def _in_layers_ms(problem: Problem, call_ms: float, beside: int, round_budget_ms: float) -> float:
    """Milliseconds of the calls of a pair that is timed alone and in a layer: set-up and rounds."""
    layer_ms = max(work(problem) / LAYER_WORK, LAYER_MS) if is_short(problem) else 0.0
    turn_ms = 2 * call_ms + (2 * LAYERS * (call_ms + layer_ms) if layer_ms else 0.0)
    share_ms = round_budget_ms / beside
    fewest_ms = min(FEWEST_IN_LAYERS * turn_ms, MOST_TIMES_BUDGET * share_ms)
    return turn_ms + OVERRUN * max(FEWEST * turn_ms, fewest_ms, share_ms)


def drawn_ms(problem: Problem) -> float:
    """Milliseconds that drawing the inputs of a timed problem takes."""
    numbers = DRAWN_SETS * problem.input_bytes / DTYPE_BYTES[problem.dtype]
    return DRAWN_NS * numbers / 1e6


def beside_s(forecast: Forecast, pair: Pair, *, sustained: bool) -> float:
    """Seconds that session 1 takes more for the figures beside the times of a GPU.

    sustained  whether these include the time under sustained load
    """
    call_ms = _call_ms(forecast, pair)
    if pair[0].device == "cpu" or call_ms > LONG_MS:
        return 0.0
    took_ms = BESIDE_CALLS * call_ms + CROSS_CHECK_MS if call_ms <= BESIDE_MS else 0.0
    if sustained and call_ms >= SUSTAINED_FROM_MS:
        took_ms += 1e3 * SUSTAINED_S + 2 * call_ms  # what is queued when the time is over
    return took_ms / 1e3


def _on_gpu_ms(call_ms: float, beside: int, round_budget_ms: float) -> float:
    """Milliseconds of the calls of a pair on a GPU: set-up and rounds."""
    if call_ms > WARM_MS:
        return 4 * call_ms  # the first, one for its device time, one round with a lead-in call
    turn_ms = call_ms + max(call_ms, CUDA_SAMPLE_MS) + SPIN_MS
    fewest = FEWEST_ON_GPU if turn_ms <= SHORT_MS else FEWEST
    rounds_ms = max(fewest * turn_ms, round_budget_ms / beside)
    return WARM_MS + call_ms + OVERRUN * rounds_ms


def check_s(forecast: Forecast, pair: Pair, beside: int) -> float:
    """Seconds that the check of a pair takes, with its part of the references.

    beside  pairs of the problem, which share these
    """
    problem = pair[0]
    every = problem.visible_pairs * problem.query_heads
    entries = min(every, 1 << 23)
    reference_s = entries * REFERENCE_NS * (3 if problem.training else 1) / 1e9
    reference_s += min(every, 1 << 27) * PLAIN_NS / 1e9
    call_ms = _call_ms(forecast, pair)
    calls = QUICK_CALLS if call_ms < QUICK_MS else CHECK_CALLS
    return reference_s / beside + (CHECK_MS + calls * call_ms) / 1e3


def _call_ms(forecast: Forecast, pair: Pair) -> float:
    """Milliseconds of one call: the forecast, or a guess by size."""
    known = forecast.call_ms(pair)
    return size(pair[0]) * GUESSED_NS / 1e6 if known is None else known
