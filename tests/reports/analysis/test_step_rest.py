"""A profiled step by kind of operators: names, phases, sums, and what no operator covers."""

from __future__ import annotations

import pytest

from reports.analysis.step_rest import ATTENTION, UNCOVERED, kinds
from suites.recording.raw_files import Operator, ProfiledStep


def operator(
    name: str, ms: float = 1.0, phase: str = "forward", *, inside: bool = False
) -> Operator:
    return Operator(name, phase, inside, 1, ms)


def kind_of(name: str) -> str:
    (first, *_) = kinds(ProfiledStep(1.0, (operator(name),)))
    return first.name


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("aten::mm", "matrix products"),
        ("aten::addmm", "matrix products"),
        ("aten::bmm", "matrix products"),
        ("aten::baddbmm", "matrix products"),
        ("aten::_addmm_activation", "matrix products"),
        ("mkldnn::_linear_pointwise", "matrix products"),
        ("aten::mkldnn_convolution", "convolutions"),
        ("aten::convolution_backward", "convolutions"),
        ("aten::native_layer_norm", "normalization"),
        ("aten::_fused_rms_norm", "normalization"),
        ("aten::linalg_vector_norm", "reductions"),
        ("aten::_softmax_backward_data", "softmax and losses"),
        ("aten::nll_loss_forward", "softmax and losses"),
        ("aten::embedding_dense_backward", "embedding and indexing"),
        ("aten::index_put_", "embedding and indexing"),
        ("aten::copy_", "copies and fills"),
        ("aten::cat", "copies and fills"),
        ("aten::bernoulli_", "random numbers and dropout"),
        ("aten::sum", "reductions"),
        ("aten::argmax", "reductions"),
        ("aten::gelu_backward", "elementwise and other operators"),
        ("aten::mul", "elementwise and other operators"),
        ("autograd::engine::evaluate_function: MulBackward0", "autograd engine"),
        ("torch::autograd::AccumulateGrad", "autograd engine"),
        ("AddmmBackward0", "autograd engine"),
        ("mine::scan", "operators outside torch"),
    ],
)
def test_an_operator_has_a_kind(name: str, kind: str) -> None:
    assert kind_of(name) == kind


def test_what_attention_and_the_optimizer_call_is_theirs() -> None:
    step = ProfiledStep(
        10.0,
        (
            operator("aten::bmm", 3.0, inside=True),
            operator("aten::_flash_bwd", 1.0, "backward", inside=True),
            operator("aten::mul", 2.0, "optimizer"),
            operator("aten::copy_", 0.5, "data loading"),
        ),
    )
    found = {each.name: each for each in kinds(step)}
    assert set(found) == {ATTENTION, "optimizer", "data loading", UNCOVERED}
    assert (found[ATTENTION].ms, found[ATTENTION].operators[0]) == (4.0, "aten::bmm")
    assert found[ATTENTION].by_phase == {"forward": 3.0, "backward": 1.0}


def test_kinds_add_up_to_the_step_with_the_longest_first() -> None:
    step = ProfiledStep(10.0, (operator("aten::mm", 2.0), operator("aten::mul", 1.0)))
    found = kinds(step)
    assert [each.name for each in found][:2] == [UNCOVERED, "matrix products"]
    assert sum(each.ms for each in found) == 10.0
