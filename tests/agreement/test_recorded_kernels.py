"""The check records the kernels of an implementation that agrees, without disturbing its memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

import impls
from impls.interface import Implementation, Problem
from impls.interface.implementation import from_function
from suites.agreement.checker import Checker, Finding
from suites.measure import kernels, timing
from suites.records.kernels import Kernel
from tests.agreement.impostors.masks import mask_ignored

FLASH = "aten::_scaled_dot_product_flash_attention_for_cpu"


def finding(name: str, problem: str = "b1 h2 t64 d16 causal") -> Finding:
    chosen = impls.select([name], impls.load())[0]
    assert isinstance(chosen, Implementation)
    return Checker(Problem.parse(problem), seed=1).check(chosen)


def names(found: Finding) -> set[str]:
    return {each.name for each in found.kernels}


def test_the_kernel_of_a_warm_call_on_the_problem_is_recorded() -> None:
    found = finding("sdpa_flash")
    (flash,) = (each for each in found.kernels if each.name == FLASH)
    assert (flash.calls, flash.variant) == (1, "2x64x16, 2x64x16, 2x64x16")


def test_set_up_of_a_first_call_is_not_recorded() -> None:
    """sdpa_flash makes and keeps the mask of a window in its first call."""
    assert not {"aten::arange", "aten::ge"} & names(finding("sdpa_flash", "b1 h2 t64 d16 window:8"))


def test_training_records_forward_and_backward() -> None:
    found = names(finding("sdpa_flash", "b1 h2 t64 d16 train"))
    assert {FLASH, f"{FLASH}_backward"} <= found


def test_products_written_out_are_recorded() -> None:
    assert "aten::bmm" in names(finding("naive"))


def test_an_implementation_that_is_wrong_has_no_kernels() -> None:
    found = Checker(Problem.parse("b1 h2 t64 d16 causal"), seed=1).check(
        mask_ignored.implementation
    )
    assert found.fault
    assert found.kernels == ()


def test_a_long_call_is_not_called_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def ran(call: Callable[[], object], device: str) -> tuple[Kernel, ...]:
        raise AssertionError(f"a further call on {device}")

    monkeypatch.setattr(kernels, "ran", ran)
    monkeypatch.setattr(timing, "LONG_MS", 0.0)
    assert FLASH in names(finding("sdpa_flash"))


def test_recording_kernels_leaves_the_memory_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = finding("naive", "b1 h2 t64 d16 causal train").usage
    monkeypatch.setattr(kernels, "ran", lambda *_: ())
    monkeypatch.setattr(kernels, "of", lambda _: ())
    alone = finding("naive", "b1 h2 t64 d16 causal train").usage
    assert (usage.peak_bytes, usage.kept_bytes) == (alone.peak_bytes, alone.kept_bytes)


def outside(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention of another library."""
    a, b, c = (x.double().numpy() for x in (q, k, v))
    scores = a @ b.swapaxes(-1, -2) / a.shape[-1] ** 0.5
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    made: Tensor = torch.from_numpy(weights @ c / weights.sum(-1, keepdims=True))
    return made.to(q.dtype)


def test_kernels_of_another_library_are_not_seen() -> None:
    found = Checker(Problem.parse("b1 h2 t64 d16"), seed=1).check(from_function(outside))
    assert found.fault == ""
    assert found.kernels == ()
