"""Signatures: which argument each parameter of a callable takes."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from impls.interface.signatures import ROLES, signature_of


def flash(
    q: Any, k: Any, v: Any, dropout_p: float = 0.0, softmax_scale: Any = None, *, causal: bool
) -> Any:
    return q, k, v, dropout_p, softmax_scale, causal


@pytest.mark.parametrize(("role", "names"), ROLES.items())
def test_a_parameter_has_the_role_of_its_name(role: str, names: tuple[str, ...]) -> None:
    for name in names:
        namespace: dict[str, Any] = {}
        exec(f"def f(q, k, v, {name}=None): ...", namespace)  # noqa: S102 - it is ours
        found = signature_of(namespace["f"])
        assert found is not None
        assert found.roles == {name: role}
        assert found.having(role) == name


def test_parameters_of_flash_attn_are_known() -> None:
    found = signature_of(flash)
    assert found is not None
    assert found.roles == {"dropout_p": "dropout", "softmax_scale": "scale", "causal": "causal"}
    assert found.required == ("causal",)
    assert found.keyword_only == {"causal"}
    assert found.unfilled == ()


@pytest.mark.parametrize(
    "names",
    [
        "q, k, v",
        "query, key, value",
        "Q, K, V",
        "queries, keys, values",
        "xq, xk, xv",
        "q_, k_, v_",
    ],
)
def test_query_key_and_value_have_any_of_their_usual_names(names: str) -> None:
    namespace: dict[str, Any] = {}
    exec(f"def f({names}): ...", namespace)  # noqa: S102 - it is ours
    found = signature_of(namespace["f"])
    assert found is not None
    assert found.named_qkv


@pytest.mark.parametrize(
    "names", ["x, y, z", "x, query, key, value", "q, k, k2", "module, x, y, z"]
)
def test_other_names_are_not_those_of_query_key_and_value(names: str) -> None:
    namespace: dict[str, Any] = {}
    exec(f"def f({names}): ...", namespace)  # noqa: S102 - it is ours
    found = signature_of(namespace["f"])
    assert found is not None
    assert not found.named_qkv


def test_a_required_parameter_of_no_role_is_unfilled() -> None:
    def f(q: Any, k: Any, v: Any, n_heads: int, mask: Any) -> Any:
        return q, k, v, n_heads, mask

    found = signature_of(f)
    assert found is not None
    assert found.unfilled == ("n_heads",)
    bound = signature_of(partial(f, n_heads=8))
    assert bound is not None
    assert bound.unfilled == ()


def test_the_signature_of_a_function_in_c_is_that_of_its_docstring() -> None:
    found = signature_of(functional.scaled_dot_product_attention)
    assert found is not None
    assert found.having("causal") == "is_causal"
    assert found.having("grouped") == "enable_gqa"
    assert found.named_qkv


def test_the_signature_of_apply_is_that_of_forward_without_ctx() -> None:
    class Attention(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, scale: float = 1.0) -> Tensor:
            return q

    found = signature_of(Attention.apply)
    assert found is not None
    assert found.names == ("scale",)


def test_the_signature_of_a_module_is_that_of_forward() -> None:
    class Attention(torch.nn.Module):
        def forward(self, queries: Any, keys: Any, values: Any, attn_mask: Any = None) -> Any:
            return queries, keys, values, attn_mask

    found = signature_of(Attention())
    assert found is not None
    assert found.roles == {"attn_mask": "mask"}


def test_fewer_than_three_positional_parameters_are_no_signature_of_attention() -> None:
    assert signature_of(lambda x, y: x) is None
    assert signature_of(lambda q, *, k, v: q) is None


@pytest.mark.parametrize(
    ("names", "order", "takes_layer"),
    [
        ("q, k, v", (0, 1, 2), False),
        ("k, q, v", (1, 0, 2), False),
        ("values, keys, queries, mask", (2, 1, 0), False),
        ("module, query, key, value", (0, 1, 2), True),
    ],
)
def test_the_order_of_query_key_and_value_is_that_of_their_names(
    names: str, order: tuple[int, ...], *, takes_layer: bool
) -> None:
    namespace: dict[str, Any] = {}
    exec(f"def f({names}): ...", namespace)  # noqa: S102 - it is ours
    found = signature_of(namespace["f"])
    assert found is not None
    assert found.named_qkv
    assert (found.order, found.takes_layer) == (order, takes_layer)
