"""Right before fast: whether an implementation computes what was asked, with the evidence.

The gate compares the error with a rounding-error bound computed beside the float64 reference. It
was chosen over absolute tolerances (zeros pass those at long sequences) and over twice the error
of a plain formula (honest implementations fail that element by element); CHANGELOG has the figures.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from impls.interface import Implementation, Problem
from suites.agreement import readout
from suites.agreement.expected import Expected, expect, sampled_rows, without_other_rows
from suites.measure import memory
from suites.measure.inputs import Inputs, call_of, copies, make_inputs
from suites.records.record import Agreement, TensorError

Guard = contextlib.AbstractContextManager[None]
RMS_ALLOWED, WORST_ALLOWED = 2.0, 16.0
_NAMES = ("out", "dq", "dk", "dv")


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found; no fault means that the implementation agrees.

    call_ms   wall time of the quickest call, instruments at work: for plans only
    calls_ms  wall time of all its calls
    """

    fault: str
    agreement: Agreement
    usage: memory.Usage
    call_ms: float
    calls_ms: float
    operator: str = ""


class Checker:
    """Checks implementations on one problem; the reference is computed once for all of them.

    guard  what every call of an implementation runs within: a limit on its memory
    """

    def __init__(
        self, problem: Problem, seed: int, guard: Callable[[], Guard] = contextlib.nullcontext
    ) -> None:
        self.problem, self._seed, self._guard = problem, seed, guard
        self._rows = sampled_rows(problem, seed)
        made = make_inputs(problem, purpose="check", seed=seed)
        self._inputs = without_other_rows(made, self._rows)
        self._expected: dict[object, Expected] = {}

    def prepare(self, implementation: Implementation) -> None:
        """Compute the reference for this implementation, if it is not known yet."""
        kind = implementation.projections
        if kind not in self._expected:
            self._expected[kind] = expect(
                self.problem, self._inputs, rows=self._rows, projections=kind
            )

    def check(self, implementation: Implementation) -> Finding:
        """Call it once with its memory measured, compare the answer, read its mask out."""
        self.prepare(implementation)
        problem = self.problem
        mask = problem.mask.resolved(problem.batch, problem.key_length)
        bound = implementation.bound(mask=mask, scale=problem.softmax_scale)
        given = copies(self._inputs)
        took_ms: list[float] = []
        call = self._watched(call_of(bound, given), took_ms)
        made, usage = memory.measure(call, problem.device)
        fault = _malformed(made, self._inputs) or _changed(given, self._inputs)
        if fault:
            return Finding(fault, Agreement(), usage, min(took_ms), sum(took_ms))
        errors, fault = judge(made, self._expected[implementation.projections])
        # In training the calls of the probe, which are forward, say nothing of the time.
        probed_ms: list[float] = [] if problem.training else took_ms
        probed = self._watched(bound, probed_ms)
        layer = implementation.projections is not None
        seen = None if layer else readout.differences(probed, problem, self._seed)
        agreement = Agreement(
            tensors=errors,
            rows_checked=None if self._rows is None else len(self._rows),
            readout=None if seen is None else not seen,
        )
        operator = implementation.operator
        leaves = [x.detach().requires_grad_(problem.training) for x in (given.q, given.k, given.v)]
        name = operator(*leaves, mask=mask, scale=problem.softmax_scale) if operator else ""
        calls_ms = sum(took_ms) + (sum(probed_ms) if problem.training else 0.0)
        return Finding(seen or fault, agreement, usage, min(took_ms), calls_ms, name)

    def _watched(self, function: Callable[..., Any], took_ms: list[float]) -> Callable[..., Any]:
        """The function, each call of it within the guard, and its milliseconds added to a list."""

        def watched(*given: Any) -> Any:
            began_ns = time.perf_counter_ns()
            with self._guard():
                result = function(*given)
            took_ms.append((time.perf_counter_ns() - began_ns) / 1e6)
            return result

        return watched


def judge(made: tuple[Tensor, ...], expected: Expected) -> tuple[tuple[TensorError, ...], str]:
    """The error of every tensor against its bound, and the first fault in words (empty: agrees).

    Agrees when RMS(error) / RMS(bound) <= 2, max(error / bound) <= 16, and the error is zero where
    the bound is.
    """
    errors, faults = [], []
    for name, tensor in zip(_NAMES, made, strict=False):
        got = tensor.detach().double()
        if expected.rows is not None and name in ("out", "dq"):
            got = got[:, :, expected.rows.to(got.device)]
        value, bound = expected.values[name], expected.bounds[name]
        error = _error_of(name, got, value, bound)
        errors.append(error)
        if not (error.rms_share <= RMS_ALLOWED and error.worst_share <= WORST_ALLOWED):
            faults.append(_in_words(error, got, value, bound))
    return tuple(errors), next(iter(faults), "")


def _error_of(name: str, got: Tensor, value: Tensor, bound: Tensor) -> TensorError:
    error = (got - value).abs()
    share = torch.where(bound > 0, error / bound.clamp_min(1e-300), error.sign() * float("inf"))
    share = share.nan_to_num(nan=0.0, posinf=float("inf"))  # 0 * inf: no error where none may be
    return TensorError(
        tensor=name,
        rms_share=_ratio(_rms(error), _rms(bound)),
        worst_share=float(share.max()),
        relative_rms=_ratio(_rms(error), _rms(value)),
        max_error=float(error.max()),
    )


def _in_words(error: TensorError, got: Tensor, value: Tensor, bound: Tensor) -> str:
    worst = ((got - value).abs() / bound.clamp_min(1e-300)).argmax()
    place = [int(i) for i in torch.unravel_index(worst, got.shape)]
    return (
        f"{error.tensor} is wrong: RMS error {error.rms_share:.3g} times the rounding bound "
        f"(2 allowed), worst {error.worst_share:.3g} times (16 allowed); at {place} it is "
        f"{float(got[tuple(place)]):.6g}, expected {float(value[tuple(place)]):.6g}"
    )


def _malformed(made: tuple[Tensor, ...], inputs: Inputs) -> str:
    """What is wrong with the form of an answer; empty when nothing is."""
    wanted = (inputs.q, inputs.q, inputs.k, inputs.v)
    for name, tensor, like in zip(_NAMES, made, wanted, strict=False):
        if tensor.shape != like.shape:
            return f"{name} has shape {list(tensor.shape)}, expected {list(like.shape)}"
        if tensor.dtype != like.dtype:
            return f"{name} is {tensor.dtype}, expected {like.dtype}"
        if tensor.device.type != like.device.type:
            return f"{name} is on {tensor.device}, expected {like.device}"
        finite = torch.isfinite(tensor)
        if not finite.all():
            place = [int(i) for i in (~finite).nonzero()[0]]
            return f"{name} is {float(tensor[tuple(place)])} at {place}"
    return ""


def _changed(given: Inputs, original: Inputs) -> str:
    for name in ("q", "k", "v", *(() if original.grad is None else ("grad",))):
        if not torch.equal(getattr(given, name), getattr(original, name)):
            return f"its input {name} was changed in place"
    return ""


def _rms(x: Tensor) -> float:
    return float(x.square().mean().sqrt())


def _ratio(above: float, below: float) -> float:
    """0 / 0 is 0: nothing where nothing is expected."""
    return above / below if below else (float("inf") if above else 0.0)
