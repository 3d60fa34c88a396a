"""A run of steps of models, made up in code: attention and the rest of each step are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from impls.interface import Problem
from suites.records.in_model import InModel, LayerTime
from suites.records.record import Record
from suites.records.store import Run
from tests.saved_run import timed_run

PREFILL: Final = Problem.parse("b1 h8/2 t256 d64 causal fp32 model:llama:prefill")
DECODE: Final = Problem.parse("b1 h8/2 t1/512 d64 full fp32 model:llama:decode")
TRAINING: Final = Problem.parse("b4 h4 t64 d64 padding:0.75 fp32 train model:bert")
STEPS: Final = (PREFILL, DECODE, TRAINING)
NAMES: Final = ("sdpa", "naive", "chunked")

ATTENTION_MS: Final = {"sdpa": 2.0, "naive": 4.0, "chunked": 1.0}
"""Of two layers in a step; the rest of a step takes 8 ms, with chunked 12 ms."""


def step_ms(problem: Problem, name: str, session: int) -> float:
    """The time of a step in the rounds; sessions differ by thousandths, each name its own way."""
    rest = 12.0 if name == "chunked" else 8.0
    return (rest + ATTENTION_MS[name]) * (1 + session * len(name) % 5 / 1000)


def models_run(
    problems: Sequence[Problem | str] = STEPS,
    *,
    names: Sequence[str] = NAMES,
    sessions: int = 5,
    slow_layer: float = 1.0,
    threads: tuple[int, ...] = (2,),
) -> tuple[Run, list[Record]]:
    """The run and its records; problems may be calls of attention, too.

    slow_layer  the time of the second layer over that of the first
    """
    run, records = timed_run(
        step_ms, (), problems=problems, names=names, sessions=sessions, threads=threads
    )
    return run, [_with_layers(each, slow_layer) for each in records]


def _with_layers(record: Record, slow_layer: float) -> Record:
    if not (record.problem.model and record.times_ms):
        return record
    attention_ms = ATTENTION_MS[record.implementation]
    first_ms = attention_ms / (1 + slow_layer)
    parts_ms = (first_ms, attention_ms - first_ms)
    layers = tuple(
        _layer(f"layers.{place}.attn", ms, training=record.problem.training)
        for place, ms in enumerate(parts_ms)
    )
    took_ms = step_ms(record.problem, record.implementation, record.session)
    made = InModel(step_ms=took_ms, attention_ms=attention_ms, layers=layers)
    return replace(record, in_model=made)


def _layer(name: str, ms: float, *, training: bool) -> LayerTime:
    """A quarter of the time is forward in training."""
    if not training:
        return LayerTime(layer=name, calls=1, forward_ms=ms)
    return LayerTime(layer=name, calls=1, forward_ms=ms / 4, backward_ms=3 * ms / 4)
