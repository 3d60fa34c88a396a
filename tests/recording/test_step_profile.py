"""The profiler's lines on standard error, and operators of its events."""

from __future__ import annotations

import os

import pytest
import torch

from suites.recording.site.attnbench_recorder import step_profile
from suites.recording.site.attnbench_recorder.step_profile import STEP, operators


def test_only_the_lines_of_the_profiler_are_left_out(capfd: pytest.CaptureFixture[str]) -> None:
    with step_profile._without_its_lines():
        os.write(2, b"USDT:2026-11-30 02:53:41 28:28 Handler.cpp:52] profiler_start\nERROR: mine\n")
    os.write(2, b"later\n")
    assert capfd.readouterr().err == "ERROR: mine\nlater\n"


def test_operators_have_the_phase_that_called_them() -> None:
    layer = torch.nn.Linear(8, 8)
    optimizer = torch.optim.SGD(layer.parameters())
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        q = layer(torch.ones(1, 2, 16, 8))
        torch.nn.functional.scaled_dot_product_attention(q, q, q).sum().backward()  # type: ignore[no-untyped-call] # torch
        with torch.profiler.record_function(STEP):
            optimizer.step()
    found = operators(profiler.events())

    phases = {(name, phase) for name, phase, *_ in found}
    assert {("aten::addmm", "forward"), ("aten::mm", "backward")} <= phases
    assert (STEP, "optimizer") in phases
    assert {phase for name, phase in phases if name == "aten::add_"} >= {"optimizer"}
    inside = {name for name, _, in_attention, *_ in found if in_attention}
    assert "aten::scaled_dot_product_attention" in inside
    assert any(name.endswith("_backward") for name in inside)
    assert not inside & {"aten::addmm"}
