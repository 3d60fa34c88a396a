"""Work of operators: FLOPs and bytes of small calls, by hand and by the problem's formula."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from impls.interface import Problem
from impls.naive import naive
from suites.measure.devices import device
from suites.measure.inputs import call_of, make_inputs
from suites.measure.preparing import Preparation
from suites.measure.profiler.events import Input, events_of
from suites.measure.profiler.profiling import profiled
from suites.measure.profiler.work import Work, made_bytes, touched, work
from suites.records.operator_kinds import kind_of

PROBLEM = Problem.parse("b2 h4/2 t24/40 d8 fp32 cpu")
FLASH = "aten::_scaled_dot_product_flash_attention_for_cpu"
FLOAT = 4


def of(call: Callable[[], object], name: str, problem: Problem = PROBLEM) -> Work:
    """The work of the one operator of this name in a call."""
    root, _ = events_of(call, shapes=True)
    (event,) = (each for each in root.walk() if each.name == name)
    calls = [each.name for each in event.within if each.kind == "operator"]
    return work(name, event.inputs, made_bytes(event), problem, calls)


def tensor(*sizes: int) -> torch.Tensor:
    return torch.ones(sizes)


@pytest.mark.parametrize(
    ("call", "name", "flops", "elements"),
    [
        (lambda: tensor(3, 5) @ tensor(5, 7), "aten::mm", 2 * 3 * 5 * 7, 15 + 35 + 21),
        (lambda: tensor(2, 3, 5) @ tensor(2, 5, 7), "aten::bmm", 4 * 105, 2 * (15 + 35 + 21)),
        (
            lambda: torch.addmm(tensor(3, 7), tensor(3, 5), tensor(5, 7)),
            "aten::addmm",
            2 * 105,
            15 + 35 + 2 * 21,
        ),
        (
            lambda: torch.baddbmm(tensor(2, 3, 7), tensor(2, 3, 5), tensor(2, 5, 7)),
            "aten::baddbmm",
            4 * 105,
            2 * (15 + 35 + 2 * 21),
        ),
        (lambda: torch.mv(tensor(3, 5), tensor(5)), "aten::mv", 2 * 15, 15 + 5 + 3),
        (lambda: torch.dot(tensor(5), tensor(5)), "aten::dot", 2 * 5, 5 + 5 + 1),
    ],
    ids=["mm", "bmm", "addmm", "baddbmm", "mv", "dot"],
)
def test_a_product_has_two_flops_for_each_pair(
    call: Callable[[], object], name: str, flops: int, elements: int
) -> None:
    assert of(call, name) == Work(flops, elements * FLOAT)


def test_bytes_of_copies_are_those_of_source_and_target() -> None:
    source, target = tensor(6, 10), torch.empty(6, 10, dtype=torch.float64)
    assert of(lambda: target.copy_(source), "aten::copy_").bytes == 60 * (4 + 8)
    assert of(source.T.contiguous, "aten::copy_").bytes == 2 * 60 * 4
    assert of(lambda: torch.cat([source, source]), "aten::cat").bytes == 2 * 120 * 4
    index = torch.tensor([0, 3, 3])
    picked = of(lambda: source.index_select(0, index), "aten::index_select")
    assert picked.bytes == 2 * 30 * 4 + 3 * 8


def test_an_expanded_dimension_is_read_once() -> None:
    row, target = tensor(1, 10).expand(6, 10), torch.empty(6, 10)
    assert of(lambda: target.copy_(row), "aten::copy_").bytes == (10 + 60) * FLOAT


def test_strips_that_overlap_are_read_once() -> None:
    strips = torch.arange(10.0).unfold(0, 4, 1)
    assert strips.shape == (7, 4)
    assert touched(Input(tuple(strips.shape), strips.stride(), "float32", FLOAT)) == 10 * FLOAT
    assert touched(Input((0, 4), (4, 1), "float32", FLOAT)) == 0


def test_arithmetic_has_one_flop_for_each_element_of_its_output() -> None:
    x, column, out = tensor(6, 10), tensor(6, 1), torch.empty(6, 10)
    made = Work(60, (60 + 6 + 60) * FLOAT)
    assert of(lambda: x.sub(column), "aten::sub") == made
    assert of(lambda: x.sub_(column), "aten::sub_") == made
    assert of(lambda: torch.sub(x, column, out=out), "aten::sub") == made
    assert of(lambda: x.mul(2.0), "aten::mul") == Work(60, 120 * FLOAT)


def test_exponentials_masks_and_reductions_have_bytes_alone() -> None:
    x, hidden, out = tensor(6, 10), torch.zeros(6, 10, dtype=torch.bool), torch.empty(6, 10)
    assert of(x.exp, "aten::exp") == Work(None, 120 * FLOAT)
    assert of(lambda: torch.exp(x, out=out), "aten::exp") == Work(None, 120 * FLOAT)
    assert of(x.exp_, "aten::exp_") == Work(None, 120 * FLOAT)
    assert of(lambda: x.softmax(-1), "aten::_softmax") == Work(None, 120 * FLOAT)
    filled = of(lambda: x.masked_fill_(hidden, 1.0), "aten::masked_fill_")
    assert filled == Work(None, 120 * FLOAT + 60)
    assert of(lambda: x.sum(-1), "aten::sum") == Work(None, 66 * FLOAT)
    assert of(lambda: x.fill_(1.0), "aten::fill_") == Work(None, 60 * FLOAT)


def test_an_operator_that_calls_others_leaves_the_work_to_them() -> None:
    x = tensor(2, 6, 10)
    for name in ("aten::clone", "aten::contiguous"):
        assert of(x.mT.contiguous, name) == Work()
    assert of(lambda: x @ x.mT, "aten::matmul") == Work()
    assert of(lambda: torch.empty(10**5).zero_(), "aten::zero_") == Work()
    assert of(lambda: x.softmax(-1), "aten::softmax") == Work()


def test_views_and_allocations_have_no_known_work() -> None:
    x = tensor(2, 6)
    assert of(lambda: x.view(12), "aten::view") == Work()
    assert of(lambda: torch.empty(7), "aten::empty") == Work()
    assert of(x.trunc, "aten::trunc") == Work()


def test_an_operator_without_recorded_inputs_has_no_known_work() -> None:
    for name in ("aten::mm", "aten::add_", "aten::copy_", "aten::sum", FLASH):
        assert work(name, (), 0, PROBLEM) == Work()


@pytest.mark.parametrize("mask", ["full", "causal"])
def test_an_attention_kernel_has_the_flops_of_the_problem(mask: str) -> None:
    problem = Problem.parse(f"b2 h4 t24 d8 {mask} fp32 cpu")
    inputs = make_inputs(problem, purpose="profile")

    def call() -> torch.Tensor:
        return scaled_dot_product_attention(
            inputs.q, inputs.k, inputs.v, is_causal=mask == "causal"
        )

    assert of(call, FLASH, problem) == Work(problem.flops, 4 * 2 * 4 * 24 * 8 * FLOAT)


def test_its_backward_has_the_five_products_of_training() -> None:
    problem = Problem.parse("b2 h4 t24 d8 full fp32 cpu train")
    inputs = make_inputs(problem, purpose="profile")
    call = call_of(
        lambda q, k, v, **_: scaled_dot_product_attention(q, k, v),  # the mask is full
        inputs,
    )
    forward, backward = of(call, FLASH, problem), of(call, f"{FLASH}_backward", problem)
    assert forward.flops is not None
    assert backward.flops is not None
    assert forward.flops + backward.flops == problem.flops


def test_a_masked_kernel_on_other_lengths_has_no_known_flops() -> None:
    part = make_inputs(Problem.parse("b2 h4 t12 d8 fp32 cpu"), purpose="profile")
    problem = Problem.parse("b2 h4 t24 d8 causal fp32 cpu")

    found = of(lambda: scaled_dot_product_attention(part.q, part.k, part.v), FLASH, problem)
    assert found == Work(None, 4 * 2 * 4 * 12 * 8 * FLOAT)


def product_flops(text: str) -> float:
    """FLOPs of all products in a profile of naive."""
    problem = Problem.parse(text)
    inputs = make_inputs(problem, purpose="profile")
    prepared = Preparation(naive).bind(problem, inputs)
    call = call_of(prepared, inputs)
    call()
    found = profiled(call, problem, device("cpu", cold=False).clock, 0)
    return sum(
        node.flops for node in found.nodes if node.flops and kind_of(node.name) == "products"
    )


def test_the_products_of_naive_have_the_flops_of_the_problem() -> None:
    text = "b2 h4 t24/40 d8 dv16 full fp32 cpu"
    assert product_flops(text) == Problem.parse(text).flops


def test_naive_keeps_the_scores_which_the_formula_of_training_computes_twice() -> None:
    text = "b2 h4 t24/40 d8 dv16 full fp32 cpu train"
    problem = Problem.parse(text)
    scores = 2 * problem.visible_pairs * problem.query_heads * problem.head_dim
    assert product_flops(text) == problem.flops - scores


def test_kernels_with_tokens_before_heads_have_the_same_flops() -> None:
    problem = Problem.parse("b2 h4 t24 d8 causal fp32 cpu")
    rows = tuple(Input((2, 24, 4, 8), (768, 32, 8, 1), "float32", FLOAT) for _ in range(3))
    name = "aten::_flash_attention_forward"
    assert work(name, rows, 0, problem).flops == problem.flops
    outer = "aten::_scaled_dot_product_flash_attention"
    assert work(outer, rows, 0, problem, calls=(name,)) == Work()
