"""Compiled FlexAttention on a CPU: its masks and biases, its block mask, and what it refuses.

A compilation takes seconds, so problems have few different sizes.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch._dynamo.utils import counters

from impls.flex import _block_mask, flex
from impls.interface import Problem
from suites.agreement.checker import Checker
from suites.measure.compilers import raise_limits

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _compiler_and_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    raise_limits()
    yield
    torch.set_num_threads(before)


def fault(words: str, block: int = 128) -> str:
    """The first fault on the problem itself, without hard inputs of other sizes; "" for none."""
    return Checker(Problem.parse(words), seed=3, labels=()).check(flex.choosing(block=block)).fault


def graphs() -> int:
    return int(counters["stats"]["unique_graphs"])


def test_masks_agree_and_share_one_compilation() -> None:
    before = graphs()
    for mask in ("full", "causal", "window:9", "window:9:5", "window:*:7", "documents:30/35"):
        assert fault(f"b2 h4/2 t65 d16 {mask}") == "", mask
    assert fault("b2 h4/2 t65 d16 window:9:5+documents:30/35") == ""
    assert graphs() == before + 1


def test_rows_of_a_packed_batch_agree() -> None:
    for mask in ("rows:3x1/40+20/33", "causal+rows:3x1/40+20/33+9/5", "window:9:3+rows:20/70+9/5"):
        assert fault(f"h4/2 d16 {mask}") == "", mask


def test_padding_agrees_with_every_other_mask() -> None:
    for mask in ("padding:0.5", "causal+padding:0.5", "window:9+padding:0-0/3-40+documents:30/35"):
        assert fault(f"b2 h4/2 t65 d16 {mask}") == "", mask


@pytest.mark.parametrize("bias", ["alibi", "relative:8", "dense"])
def test_biases_agree_with_a_softcap_a_value_dimension_and_strided_inputs(bias: str) -> None:
    assert fault(f"b2 h4/2 t33/65 d16 dv24 causal {bias} softcap3.0 bf16 bthd") == ""


def test_queries_without_a_key_get_zeros() -> None:
    assert fault("b2 h4 t65/33 d16 causal") == ""


def test_a_smaller_block_agrees() -> None:
    assert fault("b1 h2 t129 d16 window:40", block=32) == ""


def test_code_is_compiled_for_each_number_of_threads() -> None:
    """Code for few threads has buffers for these only: more threads would write outside of them."""
    words = "b2 h4/2 t65 d16 causal"
    assert fault(words) == ""
    before = graphs()
    torch.set_num_threads(torch.get_num_threads() + 1)
    assert fault(words) == ""
    assert graphs() == before + 1


@pytest.mark.parametrize(
    ("mask", "blocks", "whole"),
    [
        ("full", 64, 64),
        ("causal", 36, 28),
        ("window:128", 15, 0),
        ("window:256:256", 34, 22),
        ("causal+documents:512x2", 20, 12),
    ],
)
def test_blocks_without_a_visible_key_are_left_out(mask: str, blocks: int, whole: int) -> None:
    made = _block_mask(Problem.parse(f"t1024 {mask}"), 128, CPU)
    assert made.full_kv_num_blocks is not None
    assert int(made.full_kv_num_blocks.sum()) == whole
    assert int(made.kv_num_blocks.sum()) == blocks - whole


@pytest.mark.parametrize(
    "words",
    [
        *("causal", "window:9:5", "t33/65 causal", "t65/33 causal", "padding:0.5 b3"),
        *("causal+rows:1/9+3/2+4/8", "window:2:1+rows:2x1/9+4/4"),
    ],
)
def test_the_mask_is_that_of_the_problem(words: str) -> None:
    problem = Problem.parse(f"t65 d16 {words}" if "/" not in words else f"d16 {words}")
    sizes = problem.batch, problem.query_length, problem.key_length
    mask_mod = _block_mask(problem, 128, CPU).mask_mod
    rows = (torch.arange(sizes[0])[:, None, None], torch.tensor(0))
    seen = mask_mod(*rows, torch.arange(sizes[1])[:, None], torch.arange(sizes[2]))
    expected = problem.mask.resolved(problem.batch, problem.key_length).dense(*sizes, CPU)
    assert torch.equal(seen.expand(sizes), expected.reshape(-1, *sizes[1:]).expand(sizes))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("train", "training: forward only"),
        ("sink", "sink: takes a softmax over the keys alone"),
        ("fp64", "dtype float64: takes float32, float16, bfloat16"),
        ("d8 cuda", "head dimension 8: takes 16 to 256"),
    ],
)
def test_it_refuses_in_words_what_the_generated_kernel_lacks(words: str, reason: str) -> None:
    assert reason in flex.refusals(Problem.parse(words))


def test_it_trains_on_nvidia_devices() -> None:
    assert flex.refusals(Problem.parse("causal train bf16 cuda"), (9, 0)) == ()
    assert flex.refusals(Problem.parse("causal bf16 cuda"), (7, 5)) != ()
