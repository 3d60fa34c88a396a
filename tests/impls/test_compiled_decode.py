"""The compiled kernel of decoding: its numbers, masks, threads and refusals."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
import torch

from impls import compiled_decode as module
from impls.compiled_decode import compiled_decode
from impls.interface import Problem
from suites.agreement.checker import Checker

LACKING = compiled_decode.limits[0].unavailable
needs_it = pytest.mark.skipif(bool(LACKING), reason=LACKING)
CASES = (
    "b1 h2 t1/300 d64",
    "b2 h8/2 t1/130 d64 scale0.3",
    "b1 h3/1 t1/70 d32",  # an odd number of rows
    "b1 h2 t16/100 d32 causal",
    "b2 h4/2 t4/90 d128 causal bthd",
    "b1 h2 t3/66 d20 dv12",  # dimensions that are no multiple of a vector
    "b1 h2 t2/65 d7 dv3",
    "b2 h2 t4/90 d16 causal+padding:0.5",
    "b1 h2 t5/200 d16 window:9",
    "b2 h4/2 t2/90 d16 padding:0.5 bf16",
    "b1 h2 t40 d16 causal+documents:10x4",
    "b1 h2 t6/3 d16 causal",  # three queries see no key
)


@pytest.fixture(params=[1, 2, 5])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@needs_it
@pytest.mark.parametrize("words", CASES)
def test_it_agrees(words: str) -> None:
    assert Checker(Problem.parse(words), seed=3, labels=()).check(compiled_decode).fault == ""


@needs_it
def test_it_agrees_on_hard_inputs() -> None:
    problem = Problem.parse("b2 h4/2 t2/70 d16 causal")
    assert Checker(problem, seed=3).check(compiled_decode).fault == ""


@needs_it
def test_parts_of_the_keys_are_merged_for_any_number_of_threads(threads: int) -> None:
    problem = Problem.parse("b1 h2/1 t2/1000 d16 window:990")
    assert module._parts(1, 1000) == {1: 1, 2: 8, 5: 16}[threads]
    assert Checker(problem, seed=3, labels=()).check(compiled_decode).fault == ""


@needs_it
@pytest.mark.parametrize("keys", [63, 64, 65, 67, 129])
def test_lengths_around_a_block_of_keys_are_whole(keys: int) -> None:
    """Equal scores: the output is the mean of all values."""
    v = torch.arange(keys, dtype=torch.float32)[:, None].expand(1, 1, keys, 8).contiguous()
    problem = Problem.parse(f"b1 h1 t1/{keys} d8")
    out = compiled_decode.prepared(problem)()(torch.zeros(1, 1, 1, 8), torch.randn_like(v), v)
    torch.testing.assert_close(out, torch.full((1, 1, 1, 8), (keys - 1) / 2))


@needs_it
def test_keys_that_no_query_sees_are_never_read() -> None:
    problem = Problem.parse("b1 h1 t2/100 d16 padding:10-90")
    q, k, v = torch.randn(1, 1, 2, 16), torch.randn(1, 1, 100, 16), torch.randn(1, 1, 100, 16)
    for x in (k, v):
        x[:, :, :10] = x[:, :, 90:] = torch.nan
    assert compiled_decode.prepared(problem)()(q, k, v).isfinite().all()


@needs_it
def test_a_nan_among_the_keys_is_seen_in_the_output() -> None:
    q, k, v = torch.randn(1, 1, 1, 16), torch.randn(1, 1, 100, 16), torch.randn(1, 1, 100, 16)
    k[0, 0, 50, 3] = torch.nan
    assert compiled_decode.prepared(Problem.parse("b1 h1 t1/100 d16"))()(q, k, v).isnan().all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cuda", "device cuda: runs on cpu"),
        ("fp16", "dtype float16: takes float32, bfloat16"),
        ("train", "training: forward only"),
        ("alibi", "bias alibi: takes none"),
        ("softcap30", "softcap 30.0"),
        ("sink", "sink: takes"),
    ],
)
def test_what_is_out_of_reach_is_refused_in_words(text: str, words: str) -> None:
    refusals = compiled_decode.refusals(Problem.parse(f"t1/64 {text}"))
    assert any(each.startswith(words) for each in refusals)


def test_a_missing_compiler_and_another_system_are_refused_in_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(module, "which", lambda name: None)
    assert module._lacking() == "g++ is not installed: it compiles the kernel"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert module._lacking() == "its kernel is compiled on Linux only, not on darwin"


@needs_it
def test_a_failing_compilation_raises_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SOURCE", "int main() { return nothing; }")
    module._library.cache_clear()
    with pytest.raises(RuntimeError) as raised:
        compiled_decode.prepared(Problem.parse("t1/64"))
    assert str(raised.value).startswith("g++ does not compile the kernel: ")
    assert "nothing" in str(raised.value)
    assert "\n" not in str(raised.value)
