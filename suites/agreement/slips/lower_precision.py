"""A part of the computation is in a dtype with fewer digits than the inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import torch
from torch import Tensor

from suites.agreement.observation import Observation, apart, rms
from suites.agreement.slip import Diagnosis, Slip, Suspect
from suites.agreement.variation import right_weigh, varied

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
"""RMS error over that of the plain formula in a lower dtype, where no rounding is known."""
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
    for dtype in LOWER[observation.problem.dtype]:
        if size := _error_of_rounding(observation, dtype):
            sentence = f"the error of out, {size:.2g} of its size, is that of {_name(dtype)} inside"
            yield Suspect(_diagnosis(observation, dtype, sentence))


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
    roundings: dict[str, Callable[[Tensor], Tensor]] = {
        _name(dtype): lambda x, dtype=dtype: x.to(dtype).to(x.dtype)  # type: ignore[misc] # a default has no inferred type
        for dtype in LOWER[observation.problem.dtype]
    }
    right = right_weigh(observation)
    for dtype, rounded in roundings.items():
        name = f"{dtype} or TF32" if dtype == "float16" else dtype
        key = "float32_inside" if name == "float32" else "half_precision_inside"
        cure = f"keep q, k and v in q.dtype, without a step in {name}"
        if dtype == "float16":  # TF32 has as many digits
            cure = f"{cure}; set torch.backends.cuda.matmul.allow_tf32 = False"
        where = f"rounded to {name}, expected {observation.problem.dtype}"
        yield Suspect(
            Diagnosis(key, f"q, k and v are {where}", cure),
            lambda rounded=rounded: varied(observation, given=_straight(rounded)),  # type: ignore[misc] # the same
        )
        yield Suspect(
            Diagnosis(key, f"the softmax weights are {where}", cure),
            lambda rounded=rounded: varied(  # type: ignore[misc] # the same
                observation, weigh=lambda s, seen: _straight(rounded)(right(s, seen))
            ),
        )


def _straight(rounded: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The rounding with a gradient of one: it moves values only."""
    return lambda x: x + (rounded(x) - x).detach()


def _error_of_rounding(observation: Observation, dtype: torch.dtype) -> float | None:
    """The relative error, where its size and spread are those of a dtype; None: they are not."""
    right, out = observation.values["out"], observation.out
    if not out.isfinite().all():
        return None

    def rounded(x: Tensor) -> Tensor:
        return _straight(lambda y: y.to(dtype).to(y.dtype))(x)

    weigh = right_weigh(observation)
    plain = next(
        varied(observation, given=rounded, weigh=lambda s, seen: rounded(weigh(rounded(s), seen)))
    )
    errors, typical = ((x - right).square().mean(-1).sqrt() for x in (out, plain))
    share = rms(errors) / rms(typical) if rms(typical) else 0.0
    ratios = (errors / typical)[typical > 0]
    spread = ((ratios > LEAST) & (ratios < MOST)).double().mean()
    return rms(errors) / rms(right) if LEAST < share < MOST and spread >= ROWS else None


SLIP = Slip(order=130, keys=("float32_inside", "half_precision_inside"), suspects=_suspects)
