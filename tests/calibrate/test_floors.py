"""The floors: the products and exponentials of the tiles, layers and their parts, the command."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from impls.chunked import chunked
from impls.interface import Implementation, Problem
from impls.interface.tiles import fitting_sizes, parts_of
from impls.local_window import local_window
from suites.calibrate.floors import __main__ as command
from suites.calibrate.floors import child, layers, operators
from suites.calibrate.floors.child import Session, Task
from suites.measure.inputs import bind, call_of, make_inputs

TILED = (
    "h2 t300 d16 full",
    "h2 t300 d16 causal",
    "h2 t600 d16 window:40",
    "b2 h4/2 t70/130 d16 causal",
    "h4 t1/500 d16 full",
    "h2 t300 d16 dv8 full",
    "h2 t300 d16 full bf16",
)


class Operators(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch leaves it untyped
    """Within this, operators and the elements of exponentials are counted."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # torch leaves it untyped
        self.raised, self.found = 0, set[Any]()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """To skip it, torch would import its compiler: 2 s."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.found.add(func.overloadpacket)
        if func.overloadpacket is torch.ops.aten.exp2_:
            self.raised += args[0].numel()
        return func(*args, **(kwargs or {}))


def in_place(_: Any, left: Any, right: Any, **__: Any) -> int:
    """FLOPs of `baddbmm_`, which torch does not count."""
    return 2 * int(math.prod(left)) * int(right[-1])


def flops(call: Callable[[], object]) -> int:
    counter = FlopCounterMode(display=False, custom_mapping={torch.ops.aten.baddbmm_: in_place})
    with counter:
        call()
    return counter.get_total_flops()


def raised(call: Callable[[], object]) -> int:
    with Operators() as counted:
        call()
    return counted.raised


def pairs_of_tiles(problem: Problem, blocks: tuple[int | None, int | None] = (None, None)) -> int:
    """Pairs of queries and keys in the tiles, hidden ones included, over all heads."""
    inputs = make_inputs(problem, purpose="test")
    grouped = torch.unflatten(inputs.q, 1, (problem.key_heads, -1))
    sizes = fitting_sizes(grouped, inputs.k, problem.mask, blocks)
    return sum(
        (batch.stop - batch.start) * (heads.stop - heads.start) * grouped.shape[2]
        * sum(len(tile.queries) * len(tile.keys) for tile in tiles)
        for batch, heads, tiles in parts_of(problem.mask, grouped, inputs.k, sizes)
    )  # fmt: skip


def floor(each: Implementation, text: str) -> Callable[[], None]:
    return operators.floor_of(operators.calls_of(each, Problem.parse(text))[0])


@pytest.mark.parametrize("text", TILED)
def test_a_forward_floor_has_two_products_and_one_exponential_of_every_tile(text: str) -> None:
    problem = Problem.parse(text)
    pairs, call = pairs_of_tiles(problem), floor(chunked, text)
    assert flops(call) == 2 * pairs * (problem.head_dim + problem.value_size)
    assert raised(call) == pairs


@pytest.mark.parametrize("text", TILED)
def test_a_training_floor_has_seven_products_and_two_exponentials(text: str) -> None:
    problem = Problem.parse(f"{text} train")
    pairs, call = pairs_of_tiles(problem), floor(chunked, f"{text} train")
    assert flops(call) == 2 * pairs * (4 * problem.head_dim + 3 * problem.value_size)
    assert raised(call) == 2 * pairs


@pytest.mark.parametrize("text", ["h2 t300 d16 window:40", "b2 h4/2 t300 d16 window:60:20"])
def test_the_floor_of_a_window_has_the_products_of_its_strips(text: str) -> None:
    problem = Problem.parse(text)
    forward, train = (floor(local_window, each) for each in (text, f"{text} train"))
    own = operators.calls_of(local_window, problem)[0]
    assert flops(forward) == flops(own)
    pairs = raised(forward)
    visible = problem.visible_pairs * problem.query_heads
    assert visible < pairs < 3 * visible
    assert flops(forward) == 2 * pairs * 2 * problem.head_dim
    assert flops(train) == 2 * pairs * 7 * problem.head_dim
    assert raised(train) == 2 * pairs


def test_scores_that_were_computed_twice_are_in_the_floor_once() -> None:
    problem, blocks = Problem.parse("h1 t256 d16 full"), {"block_q": 64, "block_k": 64}
    inputs = make_inputs(problem, purpose="test")
    inputs.k.mul_(torch.arange(1.0, 257.0)[:, None] ** 2)  # every tile exceeds the references
    call = call_of(bind(chunked.choosing(**blocks), problem, inputs), inputs)
    pairs = pairs_of_tiles(problem, (64, 64))
    assert flops(call) > 4 * pairs * 16
    assert flops(operators.floor_of(call)) == 4 * pairs * 16


@pytest.mark.parametrize("each", [chunked, local_window], ids=str)
@pytest.mark.parametrize("text", ["h2 t300 d16 window:40", "h2 t300 d16 window:40 train"])
def test_repeats_stay_finite_and_leave_the_inputs(each: Implementation, text: str) -> None:
    problem = Problem.parse(text)
    inputs = make_inputs(problem, purpose="test")
    call = call_of(bind(each, problem, inputs), inputs)
    before = [x.clone() for x in (inputs.q, inputs.k, inputs.v)]
    with operators._Recorder() as recorder:
        call()
    repeat = operators.floor_of(call)
    with torch.no_grad():
        for _ in range(50):
            repeat()
            for product in recorder.products:
                for step in product.steps():
                    step()
        assert all(product.out.isfinite().all() for product in recorder.products)
    assert all(
        torch.equal(x, y) for x, y in zip((inputs.q, inputs.k, inputs.v), before, strict=True)
    )


def test_the_floor_of_half_precision_is_that_of_float32(monkeypatch: Any) -> None:
    asked, calls_of = [], operators.calls_of

    def watched(each: Implementation, problem: Problem) -> Any:
        asked.append((str(each), problem.dtype))
        return calls_of(each, problem)

    monkeypatch.setattr(operators, "calls_of", watched)
    assert "floor of chunked" in child.arms_of("h1 t8 d8 full bf16").calls
    assert asked == [("sdpa_flash", "bfloat16"), ("chunked", "bfloat16"), ("chunked", "float32")]


def test_the_arms_of_attention() -> None:
    full, window = (child.arms_of(f"h2 t40 d8 {mask}") for mask in ("full", "window:8"))
    assert set(full.calls) == {"sdpa_flash", "chunked", "floor of chunked"}
    assert set(window.calls) == {*full.calls, "local_window", "floor of local_window"}
    assert ("local_window", ("chunked",)) in window.pairs
    for arms in (full, window):
        assert {("chunked", ("floor of chunked",)), ("chunked", ("sdpa_flash",))} < set(arms.pairs)
        assert {arm for own, base in arms.pairs for arm in (own, *base)} == set(arms.calls)
        assert all(len(calls) == 2 for calls in arms.calls.values())


@pytest.mark.parametrize(
    "text", ["b2 h2 t40 d8 full", "h2 t40 d8 causal", "h2 t40 d8 causal train"]
)
def test_all_layers_compute_the_same(text: str) -> None:
    found = layers.made_layers(Problem.parse(text))
    x = torch.randn(Problem.parse(text).batch, 40, 16)
    first, *others = (layer(x) for layer, _ in found.values())
    for other in others:
        torch.testing.assert_close(other, first)
    counts = [sum(p.numel() for p in weights if p.dim() == 2) for _, weights in found.values()]
    assert counts == [4 * 16 * 16] * 4


@pytest.mark.parametrize(("word", "fast"), [("", True), ("train", False)])
def test_torch_takes_its_fast_path_with_a_bias_outside_of_training(
    word: str, *, fast: bool
) -> None:
    arms = child.arms_of(f"layer h2 t40 d8 full {word}")
    for name, bias in layers.TORCHS.items():
        with Operators() as counted:
            arms.calls[name][0]()
        taken = torch.ops.aten._native_multi_head_attention in counted.found
        assert taken == (fast and bias)


def test_the_parts_of_a_layer() -> None:
    arms = child.arms_of("layer b2 h2 t40 d8 causal")
    assert set(arms.calls) == {
        "multi_head(sdpa_flash)",
        "multi_head(chunked)",
        *layers.TORCHS,
        "products",
        "sdpa_flash",
        "chunked",
    }
    assert ("multi_head(chunked)", ("products", "chunked")) in arms.pairs
    x = torch.randn(2, 40, 16)
    assert flops(layers.products(x, None)) == 4 * 2 * 80 * 16 * 16
    assert flops(layers.products(x, x)) == 12 * 2 * 80 * 16 * 16
    inner = sum(flops(arms.calls[name][0]) for name in ("products", "chunked"))
    assert flops(arms.calls["multi_head(chunked)"][0]) == inner


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--problem", "h8 t64 causl"], "causl"),
        (["--problem", "h8 t64 sink"], "sdpa_flash refuses it"),
        (["--problem", "h8 t64 cuda"], "expected a call of attention alone, on a CPU"),
        (["--problem", "layer h8 t64 window:8"], "expected self-attention in float32"),
        (["--problem", "layer h8/2 t64"], "as many key heads as query heads"),
        (["--sessions", "0"], "--sessions 0: expected at least 1"),
        (["--threads", "100000"], "--threads 100000: expected 1 to"),
        (["--rounds", "many"], "--rounds: invalid int value"),
        (["--out", "/no/such/folder/file"], "expected a file in a folder that exists"),
        (["--layers", "h8"], "unrecognized arguments"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(words: list[str], expected: str, capsys: Any) -> None:
    assert command.main(words) == 2
    said = capsys.readouterr()
    assert expected in said.err
    assert (said.out, said.err.count("\n")) == ("", 1)


def test_the_default_problems_can_be_measured() -> None:
    assert len({child.checked(text) for text in command.PROBLEMS}) == len(command.PROBLEMS)


def session(number: int, slow: float) -> Session:
    return Session(
        task=Task(problem="b1", session=number, rounds=4),
        times_ms={"a": (3 * slow, 3 * slow, 90.0, 90.0), "b": (1.0,) * 4, "c": (0.5,) * 4},
        quiet=(0, 1),
        pairs=(("a", ("b",)), ("a", ("b", "c"))),
    )


def test_a_ratio_is_that_of_the_quiet_rounds_to_the_sum_of_the_base() -> None:
    one, two = command.rows([session(1, 1.0), session(2, 1.0201)])
    assert one == ("b1", "a", "b", "3.030 [2.670, 3.438]", "3.030", "1.000")
    assert two[2:4] == ("b + c", "2.020 [1.780, 2.292]")
    (alone, _) = command.rows([session(1, 1.0)])
    assert alone[3] == "3.000 (an interval takes 2 sessions, not 1)"


def test_the_command_prints_the_table_and_keeps_every_sample(
    monkeypatch: Any, capsys: Any, tmp_path: Path
) -> None:
    machine = {"cpu": "A CPU", "cores": 2, "versions": {"torch": "2"}}
    monkeypatch.setattr(command, "open_catalogue", lambda *_, **__: (machine, ()))
    monkeypatch.setattr(command, "run_session", lambda task, _: child.measure(task))
    problems = ["--problem", "h2 t32 d8 window:8 train", "--problem", "layer h2 t32 d8 full"]
    options = ["--sessions", "2", "--rounds", "2", "--threads", "1", "--out", str(tmp_path / "f")]
    assert command.main([*problems, *options]) == 0
    *lines, about = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 7 + 6
    assert about.endswith("A CPU, 1 of 2 cores; torch 2")
    sessions = json.loads((tmp_path / "f").read_text())["sessions"]
    assert [each["task"]["session"] for each in sessions] == [1, 2, 1, 2]
    assert all(len(times) >= 2 for each in sessions for times in each["times_ms"].values())


def test_a_session_is_a_process_of_its_own() -> None:
    found = command.run_session(Task(problem="h1 t16 d8 full", session=1, rounds=2), 1)
    assert found.times_ms.keys() == {"sdpa_flash", "chunked", "floor of chunked"}


def test_a_process_that_fails_is_an_error(monkeypatch: Any, capsys: Any) -> None:
    done = SimpleNamespace(returncode=-9, stderr="one\nKilled\n", stdout="")
    monkeypatch.setattr("subprocess.run", lambda *_, **__: done)
    monkeypatch.setattr(command, "open_catalogue", lambda *_, **__: ({}, ()))
    assert command.main(["--problem", "h1 t16 d8 full"]) == 1
    said = "attnbench: b1 h1 t16 d8 full fp32 cpu: its process ended with -9: Killed\n"
    assert capsys.readouterr().err == said
