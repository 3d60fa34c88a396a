from __future__ import annotations

import pytest
import torch

from impls.interface import Problem
from suites.agreement.calls import tensors_of
from suites.agreement.probes.read_only_inputs import read_only
from suites.measure.inputs import make_inputs


@pytest.mark.parametrize(
    "text",
    ["b2 h4/2 t33 d16 causal", "h4 t7 d16 full bf16 train bthd", "h4 t33 d16 full alibi sink"],
)
def test_read_only_inputs_have_the_same_values_and_strides(text: str) -> None:
    inputs = make_inputs(Problem.parse(text), purpose="hard")
    with read_only(inputs) as closed:
        pairs = list(zip(tensors_of(closed), tensors_of(inputs), strict=True))
        for (name, made), (_, x) in pairs:
            assert torch.equal(made, x), name
            assert made.stride() == x.stride()
            assert made.data_ptr() != x.data_ptr()
    for (_, made), _ in pairs:
        made.zero_()  # writable again afterwards
        assert not made.any()
