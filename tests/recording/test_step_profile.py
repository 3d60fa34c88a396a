"""The profiler's lines on standard error, and operators of its events."""

from __future__ import annotations

import os

import pytest
import torch

from suites.recording.site.attnbench_recorder import step_profile
from suites.recording.site.attnbench_recorder.step_profile import operators


def test_only_the_lines_of_the_profiler_are_left_out(capfd: pytest.CaptureFixture[str]) -> None:
    with step_profile._without_its_lines():
        os.write(2, b"USDT:2026 profiler_start\nmine\n")
    os.write(2, b"later\n")
    assert capfd.readouterr().err == "mine\nlater\n"


def test_operators_have_the_phase_that_called_them() -> None:
    layer = torch.nn.Linear(8, 8)
    optimizer = torch.optim.SGD(layer.parameters())
    found: list[list[object]] = []

    def stop(*_: object) -> None:
        profiler.stop()
        found.extend(operators(profiler.events()))  # type: ignore[no-untyped-call] # torch

    optimizer.register_step_post_hook(stop)
    profiler = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU])
    profiler.start()
    q = layer(torch.ones(1, 2, 16, 8))
    torch.nn.functional.scaled_dot_product_attention(q, q, q).sum().backward()  # type: ignore[no-untyped-call] # torch
    optimizer.step()

    phases = {(name, phase) for name, phase, *_ in found}
    assert {("aten::addmm", "forward"), ("aten::mm", "backward")} <= phases
    assert ("Optimizer.step", "optimizer") in phases
    assert {phase for name, phase in phases if name == "aten::add_"} >= {"optimizer"}
    inside = {name for name, _, in_attention, *_ in found if in_attention}
    assert "aten::scaled_dot_product_attention" in inside
    assert any(str(name).endswith("_backward") for name in inside)
    assert not inside & {"aten::addmm"}
