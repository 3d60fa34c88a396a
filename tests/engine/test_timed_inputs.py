"""The input sets that timed calls rotate through."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest
import torch

from impls.interface import Problem
from suites.engine import timed_inputs
from suites.engine.timed_inputs import TimedInputs, timed_sets
from suites.measure import input_files, inputs
from suites.measure.devices import Cuda, Host
from suites.measure.inputs import Inputs
from suites.records.input_files import InputFile
from tests.stand_in.device import stand_in

PROBLEM: Final = Problem.parse("b1 h2 t24 d8 causal fp32")
L2: Final = 50 << 20


def test_two_sets_are_drawn_and_the_others_are_derived_from_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    purposes: list[str] = []

    def drawn(problem: Problem, *, purpose: str, session: int, seed: int) -> Inputs:
        purposes.append(purpose)
        return inputs.make_inputs(problem, purpose=purpose, session=session, seed=seed)

    monkeypatch.setattr(timed_inputs, "make_inputs", drawn)
    sets = timed_sets(PROBLEM, 9, session=1, seed=3)
    assert len(sets) == 9
    assert purposes == ["time 0", "time 1"]


def test_every_set_has_memory_and_numbers_of_its_own() -> None:
    sets = timed_sets(PROBLEM, 7, session=1, seed=3)
    for one, other in combinations(sets, 2):
        assert one.q.data_ptr() != other.q.data_ptr()
        assert not torch.equal(one.q, other.q)
        rows = torch.nn.functional.scaled_dot_product_attention
        a, b = (rows(each.q, each.k, each.v, is_causal=True) for each in (one, other))
        assert ((a - b).abs().amax(-1) > 0).all()  # the output differs in every row


def test_derived_numbers_are_as_large_as_those_drawn() -> None:
    sets = timed_sets(PROBLEM, 6, session=1, seed=3)
    for index, each in enumerate(sets[2:]):
        drawn = sets[index % 2]
        assert torch.equal(each.q.abs(), drawn.q.abs())
        assert torch.equal(each.k, drawn.k)


def test_equal_problems_get_equal_sets_on_every_device() -> None:
    with stand_in():
        there = timed_sets(replace(PROBLEM, device="cuda"), 5, session=2, seed=4)
        moved = [(each.q.cpu(), each.k.cpu(), each.v.cpu()) for each in there]
    here = timed_sets(PROBLEM, 5, session=2, seed=4)
    for each, (q, k, v) in zip(here, moved, strict=True):
        assert torch.equal(each.q, q)
        assert torch.equal(each.k, k)
        assert torch.equal(each.v, v)


def test_a_refresh_changes_every_set_in_another_way() -> None:
    sets = timed_sets(PROBLEM, 4, session=1, seed=3)
    before = [each.q.clone() for each in sets]
    TimedInputs(sets, 7).refresh()
    signs = [each.q / q for each, q in zip(sets, before, strict=True)]
    assert all((x.abs() == 1).all() for x in signs)
    assert all((x < 0).any() for x in signs)
    assert len({tuple(x.flatten().tolist()) for x in signs}) > 1


def gpu(*, cold: bool = False) -> Cuda:
    properties = SimpleNamespace(L2_cache_size=L2)
    cuda: Any = SimpleNamespace(
        current_device=lambda: 0,
        get_device_properties=lambda _: properties,
        Event=lambda **_: None,
    )
    return Cuda(cuda, cold=cold)


@pytest.mark.parametrize(
    ("words", "sets"),
    [
        ("b1 h16 t8192 d128 full bf16 cuda", 2),  # 96 MiB, beyond the cache by themselves
        ("b1 h16 t1024 d128 full bf16 cuda", 13),  # 12 MiB
        ("b1 h4 t128 d64 full bf16 cuda", 64),
    ],
)
def test_sets_exceed_the_cache_three_times_by_their_inputs(words: str, sets: int) -> None:
    problem = Problem.parse(words)
    assert gpu().input_sets(problem) == sets
    assert sets in (2, 64) or 3 * L2 < sets * problem.input_bytes < 4 * L2


@pytest.mark.parametrize(
    ("words", "calls", "place"),
    [
        ("b1 h16 t8192 d128 full bf16 cuda", 1, "memory"),
        ("b1 h16 t1024 d128 full bf16 cuda", 20, "memory"),
        ("b1 h16 t1024 d128 full bf16 cuda", 2, "L2"),  # the sample uses two sets of 12 MiB
        ("b1 h4 t128 d64 full bf16 cuda", 256, "L2"),  # 64 sets of 192 KiB
    ],
)
def test_where_hot_calls_find_their_inputs_is_known(words: str, calls: int, place: str) -> None:
    problem = Problem.parse(words)
    assert gpu().inputs_from(problem, calls) == place
    assert Host(cold=False).inputs_from(problem, calls) == ""


def files(folder: Path, count: int) -> tuple[InputFile, ...]:
    """Files with tensors of a problem with grouped heads."""
    generator = torch.Generator().manual_seed(5)
    paths = [folder / f"{index}.pt" for index in range(count)]
    for path in paths:
        shapes = {"q": (1, 4, 24, 8), "k": (1, 2, 24, 8), "v": (1, 2, 24, 8)}
        drawn = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
        torch.save({**drawn, "mask": "causal"}, path)
    return tuple(input_files.described(str(path), "cpu") for path in paths)


def scores(inputs: Inputs) -> torch.Tensor:
    return inputs.q @ inputs.k.repeat_interleave(2, 1).mT


@pytest.mark.parametrize("count", [1, 3])
def test_sets_of_files_keep_their_scores_and_change_the_output(tmp_path: Path, count: int) -> None:
    every = files(tmp_path, count)
    problem = every[0].problem
    sets = timed_sets(problem, 2, session=1, seed=3, files=every)
    assert len(sets) == max(2, count)
    for index, each in enumerate(sets):
        given = input_files.load(every[index % count], problem)
        torch.testing.assert_close(scores(each), scores(given))
        assert torch.equal(each.v.abs(), given.v.abs())
        assert torch.equal(each.q, given.q) == (index < count)
    before = [(scores(each), each.q.clone(), each.v.clone()) for each in sets]
    TimedInputs(sets, 7, keep_scores=True).refresh()
    for each, (was, q, v) in zip(sets, before, strict=True):
        torch.testing.assert_close(scores(each), was)
        assert not torch.equal(each.q, q)
        assert not torch.equal(each.v, v)


def test_a_refresh_leaves_the_files_as_they_were_read(tmp_path: Path) -> None:
    (file,) = files(tmp_path, 1)
    was = input_files.load(file, file.problem).q.clone()
    sets = timed_sets(file.problem, 2, session=1, seed=3, files=(file,))
    TimedInputs(sets, 7, keep_scores=True).refresh()
    assert torch.equal(input_files.load(file, file.problem).q, was)
