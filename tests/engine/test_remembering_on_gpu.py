"""On a GPU, too, an implementation that returns remembered outputs is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from impls.interface import Problem
from tests.engine.test_timed_rounds import measured
from tests.stand_in.device import stand_in

pytestmark = pytest.mark.filterwarnings(
    # torch._dynamo.reset imports torch's compiler where there is a CUDA device.
    "ignore:.*torch.jit.script_method:DeprecationWarning"
)
PROBLEM: Final = Problem.parse("h2 t32 d16 causal cuda")
OWN: Final = """
from torch.nn import functional

KNOWN = {}


def attend(q, k, v, scale):
    return functional.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale)


def plain(q, k, v, *, mask, scale):
    return attend(q, k, v, scale)


def remembered(key, q, k, v, scale):
    if key not in KNOWN:
        KNOWN[key] = attend(q, k, v, scale)
    return KNOWN[key] * 1


def by_address(q, k, v, *, mask, scale):
    return remembered(("address", q.data_ptr()), q, k, v, scale)


def by_version(q, k, v, *, mask, scale):
    return remembered(("version", q.data_ptr(), q._version), q, k, v, scale)


def by_absolute_values(q, k, v, *, mask, scale):
    return remembered(tuple(q.abs().flatten().tolist()), q, k, v, scale)
"""


@pytest.mark.parametrize("name", ["by_address", "by_version", "by_absolute_values"])
@pytest.mark.parametrize("l2_bytes", [1 << 10, 1 << 16])
def test_remembered_outputs_are_found_with_few_and_many_input_sets(
    name: str, l2_bytes: int, tmp_path: Path
) -> None:
    own = tmp_path / "own.py"
    own.write_text(OWN)
    with stand_in(kernel_us=100.0, l2_bytes=l2_bytes):  # too long for graphs
        made = measured("plain", name, own=own, problem=PROBLEM, round_budget_ms=5.0)
    assert (made["plain"].status, made["plain"].clock) == ("ok", "events")
    assert made[name].status == "wrong"
    assert "agrees in the check, but not while timed" in made[name].reason
