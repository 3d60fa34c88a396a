"""A part of the computation is in a dtype with fewer digits than the inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final

import torch
from torch import Tensor

from suites.agreement.observation import Observation, apart, rms
from suites.agreement.slip import Diagnosis, Slip, Suspect
from suites.agreement.variation import Score, right_score, right_weigh, varied

Outputs = Callable[[], Iterable[Tensor]]

LOWER: Final = {
    "float64": (torch.bfloat16, torch.float16, torch.float32),
    "float32": (torch.bfloat16, torch.float16),
    "float16": (torch.bfloat16,),
    "bfloat16": (),
}
"""Dtypes with fewer digits, by the dtype of the inputs; the fewest first."""
REPRESENTABLE_ERROR: Final = 64.0
"""Largest RMS error of an output whose elements are all numbers of a lower dtype, in its roundings
u times the output's RMS: it may then be computed in that dtype."""
LEAST, MOST = 0.2, 5.0
"""RMS error over that of the plain formula in float32, where no single rounding explains it. Half
precision is not named by size alone: quantised or tabulated values have the same errors."""
ROWS: Final = 0.9
"""The part of all rows whose own ratio is within these, at least: rounding is spread over all rows,
and most other faults are not."""


def _suspects(observation: Observation) -> Iterator[Suspect]:
    if observation.made[0].shape != observation.values["out"].shape:
        return
    for dtype in LOWER[observation.problem.dtype]:
        if _is_representable(observation, dtype):
            name = _name(dtype)
            sentence = f"every element of out is a {name} number: a step is computed in {name}"
            yield Suspect(_diagnosis(observation, dtype, sentence))
    yield from _of_single_steps(observation)
    size = _error_of_float32(observation)
    if observation.problem.dtype == "float64" and size is not None:
        sentence = f"the error of out, {size:.2g} of its size, is that of float32 inside"
        yield Suspect(_diagnosis(observation, torch.float32, sentence))


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _diagnosis(observation: Observation, dtype: torch.dtype, sentence: str) -> Diagnosis:
    expected = observation.problem.dtype
    if dtype == torch.float32:
        key, steps = "float32_inside", ".float() or dtype=torch.float32"
        limits = "Limits(dtypes=('float32', 'float16', 'bfloat16'))"
    else:
        key, steps = "half_precision_inside", ".half(), .bfloat16(), autocast"
        limits = "Limits(dtypes=('float16', 'bfloat16'))"
    cure = f"compute in q.dtype: remove {steps}, or state {limits}"
    return Diagnosis(key, f"{sentence}, expected {expected}", cure)


def _is_representable(observation: Observation, dtype: torch.dtype) -> bool:
    """Whether all elements are numbers of a dtype, with an error that fits it."""
    out, right = observation.out, observation.values["out"]
    if not torch.equal(out.to(dtype).double(), out):
        return False
    unit = torch.finfo(dtype).eps / 2
    return 0 < apart(out, right) <= REPRESENTABLE_ERROR * unit * rms(right)


def _of_single_steps(observation: Observation) -> Iterator[Suspect]:
    """Roundings of a single step, which can be repeated exactly."""
    for dtype in LOWER[observation.problem.dtype]:
        name, key = _name(dtype), "half_precision_inside"
        if dtype == torch.float32:
            key = "float32_inside"
        cure = f"keep q, k and v in q.dtype, without a step in {name}"
        if dtype == torch.float16:  # TF32 has as many digits
            name = "float16 or TF32"
            cure = f"{cure}; set torch.backends.cuda.matmul.allow_tf32 = False"
        for what, outputs in _steps(observation, dtype):
            sentence = f"{what} rounded to {name}, expected {observation.problem.dtype}"
            yield Suspect(Diagnosis(key, sentence, cure), outputs)


def _steps(observation: Observation, dtype: torch.dtype) -> Iterator[tuple[str, Outputs]]:
    """The steps, each with the outputs if it is rounded to a dtype."""
    scale, right = observation.problem.softmax_scale, right_weigh(observation)
    score = right_score(observation)

    def rounded(x: Tensor) -> Tensor:
        return x + (x.to(dtype).to(x.dtype) - x).detach()  # with a gradient of one

    def same(x: Tensor) -> Tensor:
        return x

    def weigh(scores: Tensor, seen: Tensor) -> Tensor:
        return rounded(right(scores, seen))

    every, products = (rounded,) * 3, (rounded, rounded, same)
    of_scores: tuple[Score, ...] = (
        lambda raw: score(rounded(raw)),
        lambda raw: rounded(score(rounded(raw))),
        lambda raw: rounded(score(raw)),
    )
    yield "q, k and v are", partial(varied, observation, given=every)
    yield "the softmax weights are", partial(varied, observation, weigh=weigh)
    yield "the factors of both products are", partial(varied, observation, given=every, weigh=weigh)
    yield "q and k are", partial(varied, observation, given=products)
    for each in of_scores:
        yield "the scores are", partial(varied, observation, score=each)
        yield "q, k and the scores are", partial(varied, observation, score=each, given=products)
    scaled = (lambda q: rounded(rounded(q) * scale) / scale, rounded, same)
    yield (
        "q * scale, k and the scores are",
        partial(varied, observation, given=scaled, score=of_scores[2]),
    )


def _error_of_float32(observation: Observation) -> float | None:
    """The relative error, where its size and spread are those of float32; None: they are not."""
    right, out = observation.values["out"], observation.out
    if not out.isfinite().all():
        return None

    def rounded(x: Tensor) -> Tensor:
        return x.float().double()

    weigh, given = right_weigh(observation), (rounded,) * 3
    plain = next(
        varied(observation, given=given, weigh=lambda s, seen: rounded(weigh(rounded(s), seen)))
    )
    errors, typical = ((x - right).square().mean(-1).sqrt() for x in (out, plain))
    share = rms(errors) / rms(typical) if rms(typical) else 0.0
    ratios = (errors / typical)[typical > 0]
    spread = ((ratios > LEAST) & (ratios < MOST)).double().mean()
    return rms(errors) / rms(right) if LEAST < share < MOST and spread >= ROWS else None


SLIP = Slip(order=130, keys=("float32_inside", "half_precision_inside"), suspects=_suspects)
