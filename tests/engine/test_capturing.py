"""CUDA graphs of a whole problem, on the stand-in for an NVIDIA device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from impls.interface import Problem
from impls.sdpa import sdpa_math
from suites.engine import capturing, outcome, timed_rounds
from suites.engine.messages import Made, Rest, Uncapturable
from suites.engine.protocol import Measure
from suites.measure.cuda import Spin
from suites.measure.graph import SYNCHRONIZES, Graphs
from suites.measure.inputs import bind, call_of, make_inputs
from suites.records.record import Record
from suites.records.settings import Settings
from tests.engine.test_timed_rounds import IMPLS, Log, fields
from tests.stand_in.device import stand_in
from tests.stand_in.runtime import Runtime

pytestmark = pytest.mark.filterwarnings(
    # torch._dynamo.reset imports torch's compiler where there is a CUDA device.
    "ignore:.*torch.jit.script_method:DeprecationWarning"
)
MASKED = Problem.parse("h2 t32 d16 window:8 bf16 cuda")
FILES = {
    "sdpa_math": {"sdpa_math": "sdpa.py"},
    "sdpa_efficient": {"sdpa_efficient": "sdpa.py"},
    "multi_head": {"multi_head": "multi_head.py", "sdpa_math": "sdpa.py"},
    "torch_multi_head": {"torch_multi_head": "multi_head.py"},
}
"""Implementations that cache a mask or weights, and the files that define them."""
OWN = '''
import torch
from torch.nn import functional


def attend(q, k, v, scale):
    return functional.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale)


def plain(q, k, v, *, mask, scale):
    return attend(q, k, v, scale)


def waits(q, k, v, *, mask, scale):
    """Waits for its output."""
    out = attend(q, k, v, scale)
    out.sum().item()
    return out


def refuses_capture(q, k, v, *, mask, scale):
    """Waits for the device within a capture only."""
    if torch.cuda.is_current_stream_capturing():
        q.sum().item()
    return attend(q, k, v, scale)


def changes_the_dtype_in_a_capture(q, k, v, *, mask, scale):
    if torch.cuda.is_current_stream_capturing():
        torch.set_default_dtype(torch.float64)
    return attend(q, k, v, scale)
'''


@pytest.fixture
def cuda() -> Iterator[Runtime]:
    with stand_in(kernel_us=1.0, l2_bytes=0) as runtime:
        yield runtime


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.py"
    path.write_text(OWN)
    return path


class ProcessEndedError(BaseException):
    """Instead of the end of the process of the test."""


def task(*names: str, own: Path | None = None, **changes: Any) -> Measure:
    problem = Problem.parse("h2 t32 d16 causal cuda") if own else MASKED
    found = fields(*names, own=own) | {"problem": problem, "round_budget_ms": 5.0}
    if own is None:
        found["files"] = {
            name: {each: str(IMPLS / file) for each, file in FILES[name.partition("(")[0]].items()}
            for name in names
        }
    return Measure(**found | changes)


def measured(log: Log) -> dict[str, Record]:
    return {made.record.implementation: made.record for made in log.of(Made)}


def test_graphs_read_masks_and_weights_that_implementations_cache(cuda: Runtime) -> None:
    log = Log()
    names = ("sdpa_math", "sdpa_efficient", "multi_head(sdpa_math)", "torch_multi_head")
    timed_rounds.measure(task(*names), log)
    made = measured(log)
    assert [(r.status, r.reason, r.clock) for r in made.values()] == [("ok", "", "graph")] * 4
    assert cuda.captures == 4
    assert cuda.replays >= 4 * 2
    assert all((r.calls_per_sample or 1) % 2 == 0 for r in made.values())  # two input sets


def test_caches_are_emptied_before_the_first_capture(
    cuda: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    captures = []

    def clear(each: Any) -> None:
        captures.append(cuda.captures)
        outcome.clear_caches(each)

    monkeypatch.setattr(timed_rounds, "clear_caches", clear)
    timed_rounds.measure(task("sdpa_math", "sdpa_efficient"), Log())
    assert captures == [0, 0]


def test_the_graphs_of_a_problem_are_released_before_its_outputs_are_checked(
    cuda: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second check calls implementations with other sizes, which empties caches of one entry."""
    done = []
    release, record = Graphs.release, timed_rounds.Bench.record

    def released(graphs: Graphs) -> None:
        done.append("release")
        release(graphs)

    def recorded(bench: timed_rounds.Bench, name: str) -> Record:
        done.append(name)
        return record(bench, name)

    monkeypatch.setattr(Graphs, "release", released)
    monkeypatch.setattr(timed_rounds.Bench, "record", recorded)
    timed_rounds.measure(task("sdpa_math"), Log())
    assert done == ["release", "sdpa_math"]


def kept(call: Callable[[], tuple[Tensor, ...]], into: list[Tensor]) -> None:
    into[:] = call()


@pytest.mark.parametrize("words", ["window:8 bf16", "causal fp32 train"])
def test_a_replay_gives_the_outputs_of_a_call_on_the_present_inputs(
    cuda: Runtime, words: str
) -> None:
    problem = Problem.parse(f"h2 t32 d16 {words} cuda")
    inputs = make_inputs(problem, purpose="graph")
    call = call_of(bind(sdpa_math, problem, inputs), inputs)
    outputs: list[Tensor] = []
    graphs = Graphs(torch.cuda, Spin(torch.cuda))
    calls = [partial(kept, call, outputs)]
    sampler = graphs.sampler(calls, call_ms=2.0)
    captured = list(outputs)
    inputs.q.mul_(-1)
    inputs.v.mul_(3)
    expected = [x.cpu() for x in call()]
    assert not torch.equal(captured[0].cpu(), expected[0])
    sampler.take(calls, 1)
    assert all(torch.equal(x.cpu(), y) for x, y in zip(captured, expected, strict=True))
    assert len(captured) == (4 if problem.training else 1)


@pytest.mark.parametrize(
    ("decided", "own_names", "clocks"),
    [
        ("", ("plain",), {"graph"}),
        ("graph", ("plain",), {"graph"}),
        ("events", ("plain",), {"events"}),
        ("", ("plain", "waits"), {"events"}),
        ("graph", ("waits", "plain"), {"events"}),
    ],
)
def test_all_arms_of_a_problem_have_one_sampler(
    cuda: Runtime, own: Path, decided: Any, own_names: tuple[str, ...], clocks: set[str]
) -> None:
    log = Log()
    timed_rounds.measure(task(*own_names, own=own, sampler=decided), log)
    made = measured(log)
    assert {r.status for r in made.values()} == {"ok"}
    assert {r.clock for r in made.values()} == clocks
    if "waits" in made:
        [note] = made["waits"].notes
        assert note == f"{capturing.CAUSE}: {SYNCHRONIZES}"
        assert made["waits"].unhidden == 1
        assert (made["plain"].notes, made["plain"].unhidden) == ((), 0)


def test_a_problem_of_longer_calls_is_timed_by_events(own: Path) -> None:
    with stand_in(kernel_us=100.0, l2_bytes=0) as cuda:
        log = Log()
        timed_rounds.measure(task("plain", own=own, session=2), log)
        assert measured(log)["plain"].clock == "events"
        assert cuda.captures == 0


def test_single_calls_for_percentiles_are_timed_by_events(cuda: Runtime, own: Path) -> None:
    settings = Settings(sessions=1, memory_limit=1 << 40, threads=(2,), tail=True)
    log = Log()
    timed_rounds.measure(task("plain", own=own, settings=settings, session=2), log)
    assert measured(log)["plain"].clock == "events"


def test_a_failed_capture_ends_the_process_while_no_implementation_is_at_work(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(status: int) -> None:
        raise ProcessEndedError

    def work(task: Any, name: str, sender: Any, work: Callable[[], Any], *_: Any) -> bool:
        work()
        return True

    monkeypatch.setattr("suites.engine.capturing.os._exit", ended)
    monkeypatch.setattr(capturing, "recorded", work)  # it would record any exception
    log = Log()
    with stand_in(kernel_us=1.0, l2_bytes=0, leaks_failed_captures=True):
        with pytest.raises(ProcessEndedError):
            timed_rounds.measure(task("plain", "refuses_capture", own=own), log)
        with pytest.raises(RuntimeError, match="captures_underway"):
            torch.cuda.empty_cache()  # as torch before 2.12: the process is of no more use
    assert measured(log) == {}
    rest, last = log.messages[-2:]
    assert isinstance(rest, Rest)  # no implementation is at work when the process ends
    assert last == Uncapturable(
        implementation="refuses_capture",
        reason="CUDA error: operation failed due to a previous error in capture",
    )


def test_a_capture_that_changes_the_process_is_a_fault(cuda: Runtime, own: Path) -> None:
    log = Log()
    timed_rounds.measure(task("changes_the_dtype_in_a_capture", "plain", own=own), log)
    made = measured(log)
    assert made["changes_the_dtype_in_a_capture"].cause == "process_state"
    assert (made["plain"].status, made["plain"].clock) == ("ok", "graph")
