"""The hard inputs have the properties that their labels name."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from impls.interface import Implementation, Limits, Problem
from suites.agreement.hard_inputs import (
    PLAIN,
    HardInput,
    accepts,
    hard_inputs,
    kind_of,
    poisoned,
)
from suites.agreement.hard_numbers import HIGHEST, NUMBERS, RISING, TWICE
from suites.measure.inputs import copies, overwrite
from tests.agreement.attention_call import AttentionCall, attend, implementation_of

HONEST = implementation_of(attend)


def of(text: str, implementation: Implementation = HONEST) -> dict[str, HardInput]:
    return {each.label: each for each in hard_inputs(Problem.parse(text), implementation)}


@pytest.mark.parametrize(
    "text",
    ["causal", "window:300", "window:200:100", "padding:0.3 b2", "causal+documents:512x2"],
)
def test_every_kind_of_mask_still_hides_something_when_it_is_small(text: str) -> None:
    for label, each in of(text).items():
        problem = each.problem
        assert problem.mask.kind == Problem.parse(text).mask.kind
        if min(problem.query_length, problem.key_length) >= 33:
            whole = problem.batch * problem.query_length * problem.key_length
            assert problem.visible_pairs < whole, label


def test_hard_inputs_beyond_the_limits_are_left_out() -> None:
    narrow = replace(HONEST, limits=(Limits(unequal_lengths=False, own_scale=False),))
    missing = of("causal").keys() - of("causal", narrow).keys()
    assert missing == {"lengths 33/129", "lengths 129/33", "another scale"}


def test_half_precision_is_also_checked_in_float32() -> None:
    assert of("bf16")["in float32"].problem.dtype == "float32"
    assert "in float32" not in of("fp32")


def test_problems_with_the_same_features_share_their_hard_inputs() -> None:
    texts = ("b1 h8 t1024 causal", "b4 h2 t77/99 causal")
    kinds = {kind_of(Problem.parse(text)) for text in texts}
    assert len(kinds) == 1
    others = ("b1 h8/2 t1024 causal", "h8 causal bf16", "h8 causal train", "h8 causal alibi")
    assert len(kinds | {kind_of(Problem.parse(text)) for text in others}) == 5


def test_numbers_are_overwritten_in_place_without_a_counted_write() -> None:
    found = of("causal train")
    given = copies(found[PLAIN].inputs(1))
    addresses, writes = given.q.data_ptr(), given.q._version
    for name in NUMBERS.keys() - {RISING, TWICE}:  # which are of more keys
        hard = found[name]
        assert hard.same_call
        assert hard.problem == found[PLAIN].problem
        overwrite(given, hard.inputs(1))
        assert torch.equal(given.q, hard.inputs(1).q)
        assert (given.q.data_ptr(), given.q._version) == (addresses, writes)


def test_a_dominant_key_has_scores_beyond_the_range_of_exp() -> None:
    hard = of("full")["one dominant key"]
    inputs = hard.inputs(1)
    call = AttentionCall(
        inputs.q, inputs.k, inputs.v, hard.problem.mask, hard.problem.softmax_scale
    )
    assert float(call.scores.max()) > 89
    assert float(torch.softmax(call.scores, -1).amax(-1).median()) > 0.9


def test_equal_scores_are_equal_and_a_shifted_column_is_shifted() -> None:
    found = of("full")
    inputs = found["equal scores"].inputs(1)
    scores = inputs.q.double() @ inputs.k.double().mT
    torch.testing.assert_close(scores, scores[..., :1].expand_as(scores))
    means = found["a shifted column of v"].inputs(1).v.mean((0, 1, 2))
    assert float(means[0]) > 99
    assert float(means[1:].abs().max()) < 1


def test_unwritten_memory_holds_nan_within_the_context_only() -> None:
    assert torch.get_deterministic_debug_mode() == 0
    with poisoned():
        assert torch.empty(7).isnan().all()
    assert torch.get_deterministic_debug_mode() == 0


@pytest.mark.parametrize("scale", ["", "scale1.0", "scale0.02"])
def test_scores_that_rise_cover_several_blocks_of_keys(scale: str) -> None:
    hard = of(f"causal train {scale}")[RISING]
    inputs = hard.inputs(1)
    scores = hard.problem.softmax_scale * (inputs.q @ inputs.k.mT)[0, 0, -1]
    assert (hard.problem.query_length, hard.problem.key_length) == (33, 520)
    assert scores[:128].max() + 88 < scores[-128:].max()
    assert float(scores.max()) == pytest.approx(HIGHEST, rel=0.2)


def test_limits_are_read_with_the_capability_of_the_problem_s_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    devices: list[object] = []

    def capability(device: object) -> tuple[int, int]:
        devices.append(device)
        return (8, 0)

    monkeypatch.setattr(torch.cuda, "get_device_capability", capability)
    old, new = (
        replace(HONEST, limits=(Limits(cuda_capability=least),)) for least in ((8, 0), (9, 0))
    )
    on_cuda, on_cpu = Problem.parse("h4 t64 d16 full cuda"), Problem.parse("h4 t64 d16 full")
    assert accepts(old, on_cuda)
    assert not accepts(new, on_cuda)
    assert devices == ["cuda", "cuda"]
    assert accepts(new, on_cpu)
    assert len(devices) == 2
