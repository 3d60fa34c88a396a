"""Records of the check hold the kernels that ran, and a fallback."""

from __future__ import annotations

from pathlib import Path

import pytest

import impls
from impls.interface import Implementation, Problem
from suites.engine.check import check
from suites.engine.messages import Made, Message
from suites.engine.pipe import Sender
from suites.engine.protocol import Check
from suites.records.kernels import MATH, RAN_MATH, UNSEEN
from suites.records.record import CHECK, Record
from suites.records.settings import Settings

FLASH = "aten::_scaled_dot_product_flash_attention_for_cpu"
CALLS = """
from torch.nn.functional import scaled_dot_product_attention
def mine(query, key, value):
    return scaled_dot_product_attention(query, key, value)
"""
MATHS = """
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention
def mine(query, key, value):
    with sdpa_kernel(SDPBackend.MATH):
        return scaled_dot_product_attention(query, key, value)
"""
OUTSIDE = """
import numpy as np
import torch
def mine(query, key, value):
    q, k, v = (x.double().numpy() for x in (query, key, value))
    weights = np.exp(q @ k.swapaxes(-1, -2) / q.shape[-1] ** 0.5)
    return torch.from_numpy(weights @ v / weights.sum(-1, keepdims=True)).to(query.dtype)
"""
NAMED = """
from impls.interface import Limits, implementation
from torch.nn.functional import scaled_dot_product_attention
def chosen(*_, **__):
    return "fell back to math"
@implementation(Limits(masks=("full",)), operator=chosen)
def mine(q, k, v, *, mask, scale):
    return scaled_dot_product_attention(q, k, v, scale=scale)
"""


class Log(Sender):
    """Keeps the records instead of sending messages."""

    def __init__(self) -> None:
        super().__init__(-1)
        self.records: list[Record] = []

    def send(self, message: Message) -> None:
        if isinstance(message, Made):
            self.records.append(message.record)


def checked(name: str, files: dict[str, str]) -> Record:
    log = Log()
    task = Check(
        session=CHECK,
        problem=Problem.parse("b1 h2 t64 d16 full"),
        implementations=(name,),
        files={name: files},
        seed=3,
        settings=Settings(sessions=1, memory_limit=1 << 40, threads=(1,)),
    )
    check(task, log)
    (made,) = log.records
    assert (made.status, made.reason) == ("ok", "")
    return made


def of_file(tmp_path: Path, text: str) -> Record:
    path = tmp_path / "mine.py"
    path.write_text(text)
    each = impls.load([path])["mine"]
    assert isinstance(each, Implementation)
    return checked("mine", {"mine": each.file})


def names(record: Record) -> list[str]:
    return [each.name for each in record.kernels]


def test_a_function_that_calls_sdpa_has_its_kernel_and_no_fallback(tmp_path: Path) -> None:
    made = of_file(tmp_path, CALLS)
    assert FLASH in names(made)
    assert (made.fallback, made.operator) == ("", "")
    assert UNSEEN not in made.notes


@pytest.mark.parametrize(
    ("text", "fallback", "kernel"),
    [(MATHS, RAN_MATH, MATH), (NAMED, "fell back to math", FLASH)],
)
def test_a_fallback_is_seen_or_named(tmp_path: Path, text: str, fallback: str, kernel: str) -> None:
    made = of_file(tmp_path, text)
    assert made.fallback == fallback
    assert kernel in names(made)


def test_kernels_outside_torch_are_not_seen_and_a_note_states_it(tmp_path: Path) -> None:
    made = of_file(tmp_path, OUTSIDE)
    assert made.kernels == ()
    assert UNSEEN in made.notes


def test_sdpa_math_requests_its_kernel_so_that_it_is_no_fallback() -> None:
    each = impls.load()["sdpa_math"]
    assert isinstance(each, Implementation)
    made = checked("sdpa_math", {"sdpa_math": each.file})
    assert MATH in names(made)
    assert (made.operator, made.fallback) == ("math", "")
