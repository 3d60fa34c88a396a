"""The hard inputs have the properties that their labels name."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from impls.interface import Implementation, Limits, Problem
from impls.interface.hard_numbers import HARD_NUMBERS
from suites.agreement.hard_inputs import PLAIN, HardInput, accepts, hard_inputs, poisoned
from suites.agreement.hard_numbers import HIGHEST, NUMBERS, RISING, TWICE
from suites.agreement.small_problems import Sizes, SmallProblems, kind_of, sizes_of
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
    narrow = replace(HONEST, limits=(Limits(own_scale=False),))
    plain = "causal d16 scale0.25"  # the scale that 1/sqrt(D) is
    missing = of(plain).keys() - of(plain, narrow).keys()
    assert missing == {"another scale"}


def test_the_contract_names_every_hard_input_with_numbers_of_its_own() -> None:
    assert set(HARD_NUMBERS) == NUMBERS.keys() - {TWICE}


@pytest.mark.parametrize("text", ["full", "causal", "window:9"])
def test_hard_inputs_on_which_it_is_inexact_are_left_out(text: str) -> None:
    inexact = replace(HONEST, inexact_on=HARD_NUMBERS)
    layer = replace(HONEST, inner=replace(inexact, inexact_on=HARD_NUMBERS[:2]))
    assert of(text).keys() - of(text, inexact).keys() == set(HARD_NUMBERS)
    assert of(text).keys() - of(text, layer).keys() == set(HARD_NUMBERS[:2])


RELATIONS = {
    "t1024": lambda queries, keys: queries == keys,
    "t33/129": lambda queries, keys: queries < keys,
    "t1/256": lambda queries, keys: queries == 1,
    "t129/33": lambda queries, keys: queries > keys,
}
FEATURES = ("dtype", "training", "layout", "value_dim", "softcap", "sink", "bias", "head_dim")


@pytest.mark.parametrize("multiple", [1, 8, 64, 256])
@pytest.mark.parametrize("lengths", RELATIONS)
@pytest.mark.parametrize(
    "words",
    ["full", "causal bf16 train", "h6/2 causal bthd", "window:33:32 scale0.3", "alibi window:1"],
)
def test_hard_inputs_have_the_features_of_their_problem(
    words: str, lengths: str, multiple: int
) -> None:
    problem = Problem.parse(f"{lengths} {words}")
    small = hard_inputs(problem, HONEST, Sizes(multiple=multiple))
    found = {each.label: each.problem for each in small}
    assert len(found) > 10
    for label, each in found.items():
        assert RELATIONS[lengths](each.query_length, each.key_length), label
        assert each.query_heads // each.key_heads == problem.query_heads // problem.key_heads
        assert (each.scale is None) == (problem.scale is None)
        assert each.mask.kind == problem.mask.kind
        assert (each.mask.right == 0) == (problem.mask.right == 0)
        assert problem.has_keyless_rows or not each.has_keyless_rows
        for name in FEATURES:
            assert getattr(each, name) == getattr(problem, name), (label, name)


@pytest.mark.parametrize("text", ["window:1", "window:2:1", "window:33:32", "window:400:399"])
def test_a_symmetric_window_stays_symmetric(text: str) -> None:
    for each in of(text).values():
        left, right = each.problem.mask.left, each.problem.mask.right
        assert left is not None
        assert right == left - 1
        assert (left == 1) == (text == "window:1")


@pytest.mark.parametrize("text", ["window:6:30", "window:300:20", "window:9:5"])
def test_a_window_of_other_form_does_not_become_causal_or_symmetric(text: str) -> None:
    for each in of(text).values():
        left, right = each.problem.mask.left, each.problem.mask.right
        assert left is not None
        assert right
        assert left != right + 1


@pytest.mark.parametrize("group", [1, 3, 5, 7, 8])
def test_a_small_group_keeps_its_size(group: int) -> None:
    small = kind_of(Problem.parse(f"h{2 * group}/2"))
    assert (small.query_heads, small.key_heads) == (2 * group, 2)


def test_odd_numbers_of_heads_are_among_the_hard_inputs() -> None:
    assert of("h8")["batch 1"].problem.key_heads == 3
    assert kind_of(Problem.parse("h5")).key_heads == 3


def test_queries_all_see_a_key_where_those_of_the_problem_do() -> None:
    texts = ("causal+padding:0.1 b2", "window:512+padding:0.1 b2", "padding:0.1+documents:512x2 b2")
    for text in texts:
        assert not Problem.parse(text).has_keyless_rows
        assert not any(each.problem.has_keyless_rows for each in of(text).values()), text
        assert any(each.problem.mask.padding is not None for each in of(text).values())


def test_problems_with_the_same_features_share_their_hard_inputs() -> None:
    texts = ("b1 h8 t1024 causal", "b4 h2 t77 causal")
    kinds = {kind_of(Problem.parse(text)) for text in texts}
    assert len(kinds) == 1
    others = (
        *("b1 h8/2 t1024 causal", "h8 causal bf16", "h8 causal train", "h8 causal alibi"),
        *("h8 t77/99 causal", "h8 t1/99 causal", "h8 t99/77 causal", "h7 causal"),
    )
    assert len(kinds | {kind_of(Problem.parse(text)) for text in others}) == 9


def test_stated_limits_give_one_size_within_them() -> None:
    limits = Limits(length_multiple=48, head_multiple=4)
    stated = replace(HONEST, limits=(limits,), states_limits=True)
    problem = Problem.parse("t480 h8 causal")
    assert sizes_of(problem, stated) == (Sizes(multiple=48, head_multiple=4),)
    found = of("t480 h8 causal", stated)
    assert found.keys() == of("t480 h8 causal").keys()
    assert all(not limits.refusals(each.problem) for each in found.values())


def test_a_callable_without_a_mask_gets_the_mask_of_the_problem() -> None:
    for text in ("t1024 window:300", "t1024 window:100:50", "t1024 causal+documents:512x2"):
        problem = Problem.parse(text)
        kept = SmallProblems(problem, Sizes(keeps_mask=True))
        assert kept.base.mask == problem.mask
        assert kept.base.key_length <= problem.key_length
        assert kept.base.visible_pairs < kept.base.batch * kept.base.key_length**2


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


def test_gradients_have_rows_of_zeros() -> None:
    found = of("t65 train")
    third = found["a gradient with rows of zeros"].inputs(1).grad
    single = found["a gradient of one row"].inputs(1).grad
    assert third is not None
    assert single is not None
    assert (third == 0).all(-1).all(0).all(0).sum() == 22
    assert (single != 0).any(-1).any(0).any(0).nonzero().flatten().tolist() == [32]


def test_another_bias_has_no_usual_slopes() -> None:
    found = of("alibi h4")
    assert "another bias" not in of("h4")
    usual, other = (found[label].inputs(1).bias for label in (PLAIN, "another bias"))
    assert usual is not None
    assert other is not None
    assert not torch.isin(other.values, usual.values).any()
    assert float(other.values.diff().abs().min()) > 0


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
    assert (hard.problem.query_length, hard.problem.key_length) == (520, 520)
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


@pytest.mark.parametrize("ranks", [2, 3, 4])
def test_hard_inputs_of_a_group_divide_by_two_chunks_for_each_rank(ranks: int) -> None:
    length = 96 * ranks
    limits = Limits(ranks=True, rank_multiple=2, heads_divide_by_ranks=True)
    group = replace(HONEST, limits=(limits,))
    found = of(f"h{2 * ranks} t{length} causal train ranks{ranks}", group)
    assert {PLAIN, RISING, "lengths 129"} <= found.keys()
    for each in found.values():
        assert each.problem.ranks == ranks
        assert each.problem.query_length % (2 * ranks) == 0
        assert each.problem.query_heads % ranks == 0
