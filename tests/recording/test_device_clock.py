"""Times on a device, with events of a stand-in: read later, never by waiting within a call."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from suites.recording.site.attnbench_recorder.device_clock import DeviceClock


class Event:
    """An event that the device passes once `reached` is set; events are 2 ms apart."""

    reached = False
    made = 0

    def __init__(self, *, enable_timing: bool) -> None:
        assert enable_timing
        type(self).made += 1
        self.at_ms = 2.0 * self.made

    def record(self) -> None:
        pass

    def query(self) -> bool:
        return self.reached

    def elapsed_time(self, end: Event) -> float:
        return end.at_ms - self.at_ms


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    monkeypatch.setattr(Event, "reached", False)
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    return []


def test_a_time_is_written_once_the_device_is_done(lines: list[Any]) -> None:
    clock = DeviceClock(lines.append)
    clock.between(["time", 0], clock.mark(), clock.mark())
    assert lines == []
    Event.reached = True
    clock.between(["backward", 1], clock.mark(), clock.mark())
    assert lines == [["time", 0, 2_000_000], ["backward", 1, 2_000_000]]


def test_the_last_times_are_written_at_the_end(
    lines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[int] = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: waited.append(1))
    clock = DeviceClock(lines.append)
    clock.finish()
    assert waited == []
    clock.between(["time", 0], clock.mark(), clock.mark())
    clock.finish()
    assert (waited, lines) == ([1], [["time", 0, 2_000_000]])


def test_a_call_in_a_captured_graph_has_no_time(
    lines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    clock = DeviceClock(lines.append)
    clock.between(["backward", 0], clock.mark(), clock.mark())
    assert lines == [["backward", 0, None]]
