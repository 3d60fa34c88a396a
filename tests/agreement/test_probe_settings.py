"""Probes call an implementation in the settings that their names say, and undo them."""

from __future__ import annotations

import pytest
import torch

from impls.interface import Mask, Problem
from suites.agreement.attempts import Raised, attempt
from suites.agreement.calls import tensors_of
from suites.agreement.probes.expanded_inputs import expanded
from suites.agreement.probes.remembered_settings import wider
from suites.agreement.probes.strided_inputs import (
    FORMS,
    GUARD,
    different_strides,
    slices_of_one_projection,
)
from suites.agreement.probes.thread_counts import threads
from suites.measure.inputs import make_inputs

TEXTS = ("b2 h4/2 t33 d16 causal train", "b2 h4 t1/65 d16 dv24 bf16", "h3 t33/7 d16 train bthd")


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_views_have_the_same_numbers_at_an_offset(form: object, text: str) -> None:
    inputs = make_inputs(Problem.parse(text), purpose="test")
    placed = form(inputs)  # type: ignore[operator] # one of FORMS
    was = dict(tensors_of(inputs))
    for name, view in tensors_of(placed.inputs):
        assert torch.equal(view, was[name])
        if name in placed.buffers:
            assert view.storage_offset() > 0
            assert view.stride(-1) == 1
            assert view.untyped_storage().nbytes() > view.nbytes
    assert placed.written_around() == ""


def test_slices_share_one_buffer_where_lengths_are_equal() -> None:
    for text, count in zip(TEXTS, (1, 2, 2), strict=True):
        inputs = make_inputs(Problem.parse(text), purpose="test")
        buffers = slices_of_one_projection(inputs).buffers.values()
        assert len({buffer.data_ptr() for buffer in buffers}) == count


def test_q_v_and_the_gradient_of_the_output_have_strides_of_their_own() -> None:
    inputs = make_inputs(Problem.parse("b2 h4 t33 d16 train"), purpose="test")
    made = different_strides(inputs).inputs
    assert made.grad is not None
    assert len({made.q.stride(), made.k.stride(), made.v.stride()}) == 3
    assert len({made.q.stride(), made.v.stride(), made.grad.stride()}) == 3


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_write_around_a_view_is_reported(form: object) -> None:
    inputs = make_inputs(Problem.parse("b2 h4 t33 d16"), purpose="test")
    for place in (0, -1):
        placed = form(inputs)  # type: ignore[operator] # one of FORMS
        placed.buffers["v"][place] = GUARD + 1
        assert placed.written_around().startswith("it wrote to memory around its input ")


def test_expanded_keys_and_values_have_strides_of_zero() -> None:
    made = expanded(make_inputs(Problem.parse("b2 h4 t33 d16"), purpose="test"))
    assert made.k.stride(1) == 0
    assert made.v.stride(0) == 0
    assert made.q.is_contiguous()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("window:16", "window:19"),
        ("window:6:5", "window:9:8"),
        ("window:9:5", "window:12:5"),
        ("window:*:5", "window:*:8"),
        ("padding:0-4/3-8", "padding:0-8/3-8"),
        ("causal+documents:4/3/1", "causal+documents:7/1"),
        ("causal+rows:1/2+2/3+5/35", "causal+rows:3/5+5/35"),
        ("rows:1/2+7/38", None),
        ("window:1", None),
        ("causal", None),
        ("full", None),
    ],
)
def test_the_other_mask_is_of_the_same_family_and_shows_more(
    text: str, expected: str | None
) -> None:
    mask, keys = Mask.parse(text), 40 if "window" in text or "rows" in text else 8
    batch, queries = (1, 8) if mask.rows else (2, keys)
    other = wider(mask, keys)
    assert (None if other is None else str(other)) == expected
    if other is not None:
        assert other.kind == mask.kind
        assert other.visible_pairs(batch, queries, keys) > mask.visible_pairs(batch, queries, keys)


def test_the_number_of_threads_is_restored() -> None:
    before = torch.get_num_threads()
    with threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_an_exception_is_returned_and_a_lack_of_memory_is_raised() -> None:
    def raises(error: Exception) -> int:
        raise error

    assert attempt(lambda: 3) == 3
    found = attempt(lambda: raises(AssertionError("T % 64")))
    assert isinstance(found, Raised)
    assert str(found.error) == "T % 64"
    for error in (MemoryError(), torch.OutOfMemoryError()):
        with pytest.raises(type(error)):
            attempt(lambda error=error: raises(error))  # type: ignore[misc] # bound now
