"""The attention layers of a model's step among its source lines."""

from __future__ import annotations

import pytest

from impls import chunked, naive
from impls.interface import Implementation, Problem
from suites.measure.profiler.model_layers import LayerFrames
from suites.measure.profiler.profiling import BUDGET_MS, Profiled, profiled
from suites.measure.timing import HostClock
from suites.models.steps import ModelSteps
from suites.records.profile import REST, ROOT, Node

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
FORWARD = Problem.parse("b1 h2/1 t16 d8 causal model:llama")
TRAINED = Problem.parse("b1 h2/1 t16 d8 causal train model:llama")
LAYERS = ["model.layers.0.self_attn", "model.layers.1.self_attn"]


def taken(problem: Problem, implementation: Implementation) -> Profiled:
    """The profile of one step."""
    steps, frames = ModelSteps(problem, seed=1), LayerFrames()
    step = steps.step(steps.within(implementation, frames.around).model, steps.given(1))
    step()
    ticks = iter(range(0, 10 * int(BUDGET_MS * 1e6), int(BUDGET_MS * 1e6)))
    return profiled(step, problem, HostClock(), 0, now_ns=lambda: next(ticks), frames=frames)


def layer_of(found: Profiled, node: Node) -> str:
    """The layer above a node."""
    while node.kind != "layer" and node.parent >= ROOT:
        node = found.nodes[node.parent]
    return node.name


@pytest.mark.parametrize(
    ("problem", "implementation"),
    [(FORWARD, naive.naive), (TRAINED, naive.naive), (TRAINED, chunked.chunked)],
    ids=str,
)
def test_each_layer_has_its_calls_its_site_and_its_part_of_the_step(
    problem: Problem, implementation: Implementation
) -> None:
    found = taken(problem, implementation)
    assert found.in_model is not None
    assert [each.layer for each in found.in_model.layers] == LAYERS
    for each in found.in_model.layers:
        assert each.calls == 1
        assert each.forward_ms > 0
        assert (each.backward_ms or 0) > 0 if problem.training else each.backward_ms is None
    assert 0 < found.in_model.attention_ms < found.in_model.step_ms
    tops = [each for each in found.nodes if each.kind == "layer"]
    assert {each.name.partition(" ")[0] for each in tops if each.name != REST} == set(LAYERS)
    assert all(each.parent == ROOT for each in tops)
    sites = {each.name.partition(" ")[2] for each in tops if each.name != REST}
    (site,) = sites
    assert "modeling_llama.py:" in site
    assert site.endswith(" LlamaAttention.forward")
    spent_ns = sum(each.total_ns for each in tops if each.name != REST)
    assert spent_ns / 1e6 == pytest.approx(found.in_model.attention_ms)


def test_lines_of_an_implementation_are_below_its_layer_and_those_of_the_model_are_not() -> None:
    found = taken(TRAINED, chunked.chunked)
    lines = [each for each in found.nodes if each.kind == "line"]
    own = [each for each in lines if each.name.startswith("impls/chunked.py")]
    others = [each for each in lines if "modeling_llama.py" in each.name]
    assert {layer_of(found, each).partition(" ")[0] for each in own} == set(LAYERS)
    assert {layer_of(found, each) for each in others} == {REST}
    assert any(each.name.endswith(" backward") for each in own)
