"""Whole runs in real processes on the stand-in, with functions as users write them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.stand_in.machine import environment

ROOT = Path(__file__).parents[2]
FUNCTIONS = """import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from impls.interface import Limits, implementation


def plain(q, k, v, is_causal=False):
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if is_causal:
        hidden = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).triu(1)
        scores = scores.masked_fill(hidden, float("-inf"))
    return torch.softmax(scores, -1) @ v


class Attention(nn.Module):
    def forward(self, query, key, value, attn_mask=None):
        return scaled_dot_product_attention(query, key, value, attn_mask=attn_mask)


module = Attention()


class Buffered(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("hidden", torch.ones(2048, 2048, dtype=torch.bool).triu(1))

    def forward(self, query, key, value, is_causal=False):
        scores = query @ key.mT / query.shape[-1] ** 0.5
        if is_causal:
            hidden = self.hidden[: scores.shape[-2], : scores.shape[-1]]
            scores = scores.masked_fill(hidden, float("-inf"))
        return torch.softmax(scores, -1) @ value


buffered = Buffered()


@implementation(
    Limits(masks=("causal",), grouped_heads=False, unequal_lengths=False, own_scale=False),
    layout="bthd",
)
def tokens_first(q, k, v):
    scores = torch.einsum("bthd,bshd->bhts", q, k) / q.shape[-1] ** 0.5
    hidden = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).triu(1)
    weights = scores.masked_fill(hidden, float("-inf")).softmax(-1)
    return torch.einsum("bhts,bshd->bthd", weights, v)


def prepare(problem):
    sizes = problem.batch, problem.query_length, problem.key_length
    hidden = ~problem.mask.dense(*sizes, problem.device)

    def call(q, k, v):
        scores = (q @ k.mT * problem.softmax_scale).masked_fill(hidden, torch.finfo(q.dtype).min)
        return torch.softmax(scores, -1) @ v

    return call


def planted(q, k, v, is_causal=False):
    scores = q @ k.mT / q.shape[-1] ** 0.5
    hidden = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
    return torch.softmax(scores.masked_fill(hidden, float("-inf")), -1) @ v
"""
NAMES = (
    "plain",
    "module",
    "buffered",
    "tokens_first",
    "prepare",
    "scaled_dot_product_attention",
    "naive",
)
OWN = ("plain", "module", "buffered", "tokens_first", "prepare", "planted")
PROBLEMS = ("b1 h2 t64 d16 causal fp32 cuda", "b1 h2 t64 d16 causal bf16 train cuda")


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The records of a run of these problems, forward and training."""
    folder = tmp_path_factory.mktemp("run")
    file = folder / "own.py"
    file.write_text(FUNCTIONS)
    own = [f"{file}:{name}" for name in OWN]
    known = ["naive", "sdpa_flash", "torch.nn.functional:scaled_dot_product_attention"]
    command = [
        *(sys.executable, ROOT / "run_bench.py", "run", "--sessions", "1"),
        *(word for name in (*known, *own) for word in ("--impl", name)),
        *(word for problem in PROBLEMS for word in ("--problem", problem)),
        *("--store", f"sqlite:///{folder}/run.db", "--out", folder / "out"),
        *("--threads", "1", "--json"),
    ]
    done = subprocess.run(
        list(map(str, command)),
        env=environment(),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    found = [each for line in done.stdout.splitlines() if "status" in (each := json.loads(line))]
    assert found, done.stderr
    return found


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("name", NAMES)
def test_a_function_of_a_user_is_checked_and_timed(
    records: list[dict[str, Any]], name: str, problem: str
) -> None:
    own = [r for r in records if (r["implementation"], r["problem"]) == (name, problem)]
    assert [(r["status"], r["reason"]) for r in own] == [("ok", "")] * 2
    assert any(r["times_ms"] for r in own)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_cpu_tensor_in_a_function_of_a_user_is_found(
    records: list[dict[str, Any]], problem: str
) -> None:
    (own,) = [r for r in records if (r["implementation"], r["problem"]) == ("planted", problem)]
    assert own["status"] == "failed"
    assert "Expected all tensors to be on the same device" in own["reason"]
    assert "make its tensors on q.device" in own["reason"]


def test_a_kernel_that_refuses_a_problem_has_its_reason(records: list[dict[str, Any]]) -> None:
    own = [r for r in records if r["implementation"] == "sdpa_flash"]
    assert {(r["problem"], r["status"]) for r in own} == {
        (PROBLEMS[0], "refused"),
        (PROBLEMS[1], "ok"),
    }
