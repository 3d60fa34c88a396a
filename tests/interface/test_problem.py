"""Problems: their words, their sizes, their counts."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impls.interface import CAUSAL, Bias, Mask, Problem
from impls.interface.problem import DEVICES, DTYPES, LAYOUTS, parse_dtype

UNHURRIED = settings(deadline=None)
SIZES = st.integers(1, 4096)
SCALES = st.none() | st.floats(1e-30, 1e15, allow_subnormal=False)
CAPS = st.none() | st.floats(0, 1e300, exclude_min=True)
BIASES = st.sampled_from(["none", "alibi", "dense"]).map(Bias) | SIZES.map(
    lambda n: Bias("relative", 2 * n)
)
BANDS = st.sampled_from(["full", "causal", "window:3", "window:*:2", "causal+padding:0.25"])


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    key_heads, key_length = draw(SIZES), draw(SIZES)
    query_length = draw(SIZES)
    mask, packed = Mask.parse(draw(BANDS)), False
    if draw(st.booleans()):
        query_length = key_length
        mask = Mask(mask.left, mask.right, mask.padding, documents=(key_length,))
    elif packed := draw(st.booleans()):
        rows = draw(st.lists(st.tuples(SIZES, SIZES), min_size=1, max_size=4).map(tuple))
        mask = Mask(mask.left, mask.right, rows=rows)
        query_length, key_length = map(sum, zip(*rows, strict=True))
    head_dim, value_dim = draw(SIZES), draw(st.none() | SIZES)
    return Problem(
        batch=1 if packed else draw(SIZES),
        query_heads=key_heads * draw(st.integers(1, 8)),
        key_heads=key_heads,
        query_length=query_length,
        key_length=key_length,
        head_dim=head_dim,
        value_dim=None if value_dim == head_dim else value_dim,
        softcap=draw(CAPS),
        sink=draw(st.booleans()),
        mask=mask,
        bias=Bias() if packed else draw(BIASES),
        scale=draw(SCALES),
        dtype=draw(st.sampled_from(list(DTYPES))),
        device=draw(st.sampled_from(DEVICES)),
        training=draw(st.booleans()),
        layout=draw(st.sampled_from(LAYOUTS)),
    )


@UNHURRIED
@given(problems())
def test_a_printed_problem_is_read_back_as_itself(problem: Problem) -> None:
    assert Problem.parse(str(problem)) == problem


@UNHURRIED
@given(problems(), st.data())
def test_the_words_of_a_problem_come_in_any_order(problem: Problem, data: st.DataObject) -> None:
    words = data.draw(st.permutations(str(problem).split()))
    assert Problem.parse("  ".join(words)) == problem


@UNHURRIED
@given(st.floats(min_value=0, exclude_min=True, allow_infinity=False))
def test_any_scale_and_softcap_is_read_back_as_itself(number: float) -> None:
    for problem in (Problem(scale=number), Problem(softcap=number)):
        assert Problem.parse(str(problem)) == problem


def test_the_example_of_the_design_reads_as_it_says() -> None:
    text = "b2 h32/8 t4096 d128 causal bf16 train cuda"
    problem = Problem.parse(text)
    assert problem == Problem(
        batch=2,
        query_heads=32,
        key_heads=8,
        query_length=4096,
        key_length=4096,
        head_dim=128,
        mask=CAUSAL,
        dtype="bfloat16",
        training=True,
        device="cuda",
    )
    assert str(problem) == text


def test_every_part_that_is_not_the_default_is_printed() -> None:
    problem = Problem(
        query_length=8,
        key_length=16,
        mask=Mask(left=4, right=2, padding=((0, 9),)),
        bias=Bias("relative", 32),
        scale=0.5,
        training=True,
        layout="bthd",
        value_dim=32,
        softcap=30.0,
        sink=True,
    )
    assert str(problem) == (
        "b1 h8 t8/16 d64 dv32 window:4:2+padding:0-9 relative:32 scale0.5 softcap30.0 sink "
        "fp32 train bthd cpu"
    )


def test_the_words_of_what_is_optional_set_its_fields() -> None:
    assert Problem.parse("d64 dv32") == Problem(value_dim=32)
    assert Problem.parse("softcap30") == Problem.parse("softcap30.0") == Problem(softcap=30.0)
    assert Problem.parse("sink") == Problem(sink=True)
    assert Problem.parse("relative:32") == Problem(bias=Bias("relative", 32))


def test_what_is_left_out_has_its_default() -> None:
    assert Problem.parse("") == Problem()
    assert Problem.parse("t2048") == Problem(query_length=2048, key_length=2048)
    assert Problem.parse("forward fp32 bhtd full") == Problem()


def test_the_device_is_the_one_named_else_the_one_given() -> None:
    assert Problem.parse("t8", device="cuda").device == "cuda"
    assert Problem.parse("t8 cpu", device="cuda").device == "cpu"


@pytest.mark.parametrize(
    ("word", "near"),
    [("casual", "causal"), ("T512", "t512"), ("windw:64", "window:64"), ("BF16", "bf16")],
)
def test_the_nearest_word_is_offered(word: str, near: str) -> None:
    with pytest.raises(ValueError, match=f"'{word}' is not understood; did you mean '{near}'"):
        Problem.parse(f"h8 {word}")


@pytest.mark.parametrize(
    "word",
    ["x3", "b", "t4/", "h8/2/1", "fp8", "tpu", "none", "b-1", "scale", "dv", "dv-1", "softcap",
     "sink1", "softcap-3"],
)  # fmt: skip
def test_a_word_that_is_not_understood_is_named(word: str) -> None:
    expected = (
        rf"^problem 't8 {word}': '{word}' is not understood; .*expected words like those of 'b2 h32"
    )
    with pytest.raises(ValueError, match=expected):
        Problem.parse(f"t8 {word}")


@pytest.mark.parametrize("word", ["scale1.2.3", "scale.", "scale1.5.e-3", "softcap.", "softcap1e"])
def test_a_scale_or_softcap_that_is_no_number_is_named(word: str) -> None:
    with pytest.raises(ValueError, match=f"^problem 't8 {word}': '{re.escape(word)}' is not"):
        Problem.parse(f"t8 {word}")


@pytest.mark.parametrize(
    ("first", "second"),
    [("t8", "t9/8"), ("b1", "b1"), ("cpu", "cuda"), ("fp32", "float32"), ("full", "causal"),
     ("train", "forward"), ("alibi", "relative:4"), ("h8", "h8/4"), ("scale1", "scale2"),
     ("softcap1", "softcap2"), ("sink", "sink"), ("dv3", "dv4"), ("ranks2", "ranks4")],
)  # fmt: skip
def test_saying_a_thing_twice_is_refused(first: str, second: str) -> None:
    with pytest.raises(ValueError, match=f"{second!r} sets a field that is set already"):
        Problem.parse(f"{first} {second}")


def test_errors_inside_a_word_name_the_problem() -> None:
    with pytest.raises(
        ValueError, match=r"^problem 't8 window:x': unknown mask 'window:x'; expected"
    ):
        Problem.parse("t8 window:x")
    with pytest.raises(ValueError, match=r"^problem 'relative': bias relative with 0 buckets; exp"):
        Problem.parse("relative")
    with pytest.raises(ValueError, match=r"^problem 'h8/3': 8 query heads do not divide by 3 key"):
        Problem.parse("h8/3")


@pytest.mark.parametrize(
    ("text", "name"),
    [("b0", "batch"), ("h0", "query_heads"), ("h8/0", "key_heads"), ("t0", "query_length"),
     ("t8/0", "key_length"), ("d0", "head_dim")],
)  # fmt: skip
def test_a_size_of_nothing_is_refused(text: str, name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is 0, expected at least 1"):
        Problem.parse(text)


@pytest.mark.parametrize(
    ("what", "known"),
    [("dtype", "float64, float32"), ("device", "cpu, cuda, mps"), ("layout", "bhtd, bthd")],
)
def test_an_unknown_dtype_device_or_layout_names_the_known_ones(what: str, known: str) -> None:
    with pytest.raises(ValueError, match=f"unknown {what} 'int4'; expected one of {known}"):
        Problem(**{what: "int4"})  # type: ignore[arg-type] # one field at a time


@pytest.mark.parametrize("name", ["scale", "softcap"])
@pytest.mark.parametrize("number", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_or_softcap_is_positive_and_finite(name: str, number: float) -> None:
    given: dict[str, Any] = {name: number}
    with pytest.raises(ValueError, match=f"{name} is {number:g}, expected more than 0, and finite"):
        Problem(**given)


@pytest.mark.parametrize("size", [0, -3, 64])
def test_a_value_dimension_is_positive_and_another_than_that_of_the_heads(size: int) -> None:
    with pytest.raises(
        ValueError, match=f"value_dim is {size}, expected at least 1 and another than head_dim, 64"
    ):
        Problem(head_dim=64, value_dim=size)


@pytest.mark.parametrize("text", ["t9 documents:4x2", "t8/9 documents:4x2", "t9/8 documents:4x2"])
def test_documents_that_do_not_add_up_to_both_lengths_are_refused(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"documents of 8 in all, with \d queries and \d keys; expec"
    ):
        Problem.parse(text)


@pytest.mark.parametrize(
    ("typed", "printed"),
    [
        ("h32/8 d128 causal+rows:8x1/4096+2x512/8192", "b1 h32/8 t1032/49152 d128 causal+rows:8x1"),
        ("h32/8 2q1ks8k_q1s4k", "b1 h32/8 t2049/20480 d64 causal+rows:2x1024/8192+1/4096 fp32 cpu"),
        ("documents:3/4", "b1 h8 t7 d64 documents:3/4 fp32 cpu"),
        ("t2/5 rows:1/2+1/3", "b1 h8 t2/5 d64 rows:1/2+1/3 fp32 cpu"),
    ],
)
def test_rows_and_documents_state_the_lengths(typed: str, printed: str) -> None:
    assert str(Problem.parse(typed)).startswith(printed)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "t3 rows:1/2+1/3",
            "rows of 2 queries and 5 keys in all, with 3 queries and 3 keys; expec",
        ),
        ("b2 rows:1/2+1/3", "rows in a batch of 2, expected b1"),
        ("rows:1/2+1/3 alibi", "rows beside the bias alibi, expected no bias"),
    ],
)
def test_rows_that_do_not_fit_the_problem_are_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Problem.parse(text)


@pytest.mark.parametrize(
    "text", ["b1 t4 padding:0-1/0-1", "b3 t4 padding:0-1/0-1", "b2 t4 padding:0-1/0-5"]
)
def test_padding_must_fit_the_batch_and_the_keys(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"padding of 2 rows up to key \d; expected \d rows within 4"
    ):
        Problem.parse(text)


def test_the_scale_is_one_over_the_root_of_the_head_dimension_unless_given() -> None:
    assert Problem(head_dim=64).softmax_scale == 0.125
    assert Problem(head_dim=64, scale=2.0).softmax_scale == 2.0


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("b2 t3/5", 30),
        ("b2 t4 causal", 20),
        ("b1 t2/4 causal", 7),
        ("b1 t4/2 causal", 3),
        ("b3 t4 window:2", 21),
        ("b2 t10 padding:0.5", 150),
        ("b2 t6 causal+documents:2/4", 26),
        ("causal+rows:2x1/5+3/4", 19),
        ("window:2+rows:1/5+3/4+2/1", 9),
    ],
)
def test_visible_pairs_counted_by_hand(text: str, pairs: int) -> None:
    assert Problem.parse(text).visible_pairs == pairs


@pytest.mark.parametrize(
    ("text", "flops"),
    [
        ("b1 h1 t1 d1", 4),
        ("b2 h4/2 t3/5 d8", 4 * 30 * 4 * 8),
        ("b2 h4/2 t4 d8 causal", 4 * 20 * 4 * 8),
        ("b2 h4/2 t4 d8 causal train", 14 * 20 * 4 * 8),
        ("b2 h4/2 t4 d8 dv5 causal", 2 * 20 * 4 * (8 + 5)),
        ("b2 h4/2 t4 d8 dv5 causal train", 2 * 20 * 4 * (4 * 8 + 3 * 5)),
    ],
)
def test_flops_follow_the_visible_area(text: str, flops: int) -> None:
    assert Problem.parse(text).flops == flops


@pytest.mark.parametrize(
    ("text", "elements", "size"),
    [
        ("b1 h1 t1 d1 fp32", 4, 4),
        ("b2 h4/2 t3/5 d8 bf16", 2 * 192 + 2 * 160, 2),
        ("b2 h4/2 t3/5 d8 fp16 train", 4 * 192 + 4 * 160, 2),
        ("b1 h1 t1 d1 fp64 train", 8, 8),
        ("b2 h4/2 t3/5 d8 dv2 fp16", 192 + 160 + 48 + 40, 2),
        ("b2 h4/2 t3/5 d8 dense bf16", 2 * 192 + 2 * 160 + 4 * 3 * 5, 2),
        ("b2 h4/2 t3/5 d8 dense fp16 train", 4 * 192 + 4 * 160 + 4 * 3 * 5, 2),
    ],
)
def test_fewest_bytes_are_each_input_and_output_once(text: str, elements: int, size: int) -> None:
    assert Problem.parse(text).fewest_bytes == elements * size


@pytest.mark.parametrize(
    ("text", "elements", "size"),
    [
        ("b1 h1 t1 d1 fp32", 3, 4),
        ("b2 h4/2 t3/5 d8 bf16", 192 + 2 * 160, 2),
        ("b2 h4/2 t3/5 d8 dv2 fp16 train", 192 + 48 + 160 + 40, 2),
        ("b2 h4/2 t3/5 d8 dense bf16", 192 + 2 * 160 + 4 * 3 * 5, 2),
    ],
)
def test_input_bytes_are_those_of_all_large_inputs(text: str, elements: int, size: int) -> None:
    assert Problem.parse(text).input_bytes == elements * size


@pytest.mark.parametrize(("name", "short"), DTYPES.items())
def test_a_dtype_is_understood_in_full_and_short(name: str, short: str) -> None:
    assert parse_dtype(name) == parse_dtype(short) == name
    assert Problem.parse(name).dtype == name


def test_an_unknown_dtype_names_the_known_ones() -> None:
    with pytest.raises(
        ValueError, match="unknown dtype 'fp8'; expected one of float64, float32, fl"
    ):
        parse_dtype("fp8")


def test_a_device_index_is_refused_with_what_to_do_instead() -> None:
    instead = (
        "'cuda:1' has a device index, expected 'cuda': .*; choose the device with --device cuda:1"
    )
    with pytest.raises(ValueError, match=f"^problem 'b1 cuda:1': {instead}"):
        Problem.parse("b1 cuda:1")
    with pytest.raises(ValueError, match=instead):
        Problem(device="cuda:1")


@pytest.mark.parametrize(
    ("text", "tokens", "older"),
    [
        ("b3 t8", 24, False),
        ("b3 t1/8", 3, True),
        ("t8/3", 8, False),
        ("causal+rows:4x1/9+8/8", 12, True),
        ("causal+rows:4/4+9/5", 13, False),
    ],
)
def test_new_tokens_are_the_queries_and_older_ones_have_keys_only(
    text: str, tokens: int, *, older: bool
) -> None:
    problem = Problem.parse(text)
    assert (problem.new_tokens, problem.has_older_tokens) == (tokens, older)


def test_ranks_are_printed_and_parsed_and_divide_the_lengths() -> None:
    assert str(Problem.parse("t64 causal ranks4")) == "b1 h8 t64 d64 causal fp32 ranks4 cpu"
    assert Problem.parse("t64 ranks1") == Problem.parse("t64")
    with pytest.raises(ValueError, match="query_length 62 does not divide by 4 ranks; expected a"):
        Problem.parse("t62 ranks4")
    with pytest.raises(ValueError, match="ranks is 0, expected at least 1"):
        Problem.parse("t64 ranks0")
    with pytest.raises(ValueError, match="model:llama with ranks; a model runs in one process"):
        Problem.parse("t64 model:llama ranks2")
