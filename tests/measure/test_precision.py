from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from suites.measure import precision


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    precision.settle()


def test_products_are_exact_whatever_was_set_before() -> None:
    torch.set_float32_matmul_precision("medium")
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = True
    assert precision.describe() == {
        "float32 products": "medium",
        "TF32": "allowed",
        "half-precision sums": "in half precision",
    }
    precision.settle()
    assert precision.describe() == {
        "float32 products": "highest",
        "TF32": "off",
        "half-precision sums": "in float32",
    }
