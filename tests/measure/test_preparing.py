"""Set-up: prepared once for each problem, announced, and on all CPUs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from impls.interface import Implementation, Limits, Problem, implementation
from suites.agreement.calls import Caller
from suites.agreement.checker import Checker
from suites.measure import affinity, compilers
from suites.measure.inputs import make_inputs
from suites.measure.preparing import Preparation

PROBLEM = Problem.parse("h2 t16 d16 causal")
OTHER = Problem.parse("h2 t24 d16 causal")


@dataclass
class Log:
    """Problems that were prepared, and how many preparations were announced."""

    prepared: list[Problem] = field(default_factory=list)
    announced: int = 0

    @contextmanager
    def announce(self) -> Iterator[None]:
        self.announced += 1
        yield


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return functional.scaled_dot_product_attention(q, k, v, is_causal=True)


def two_steps(log: Log) -> Implementation:
    """Exact causal attention that is prepared for a problem."""

    def prepares(problem: Problem) -> Callable[..., Tensor]:
        log.prepared.append(problem)
        return attend

    limits = Limits(masks=("causal",), unequal_lengths=False, own_scale=False, grouped_heads=False)
    found: Any = implementation(limits)(prepares)
    return found


def plain(q: Tensor, k: Tensor, v: Tensor, *, mask: Any, scale: float) -> Tensor:
    return attend(q, k, v)


@torch.compile(backend="eager")
def compiled(q: Tensor, k: Tensor, v: Tensor, *, mask: Any, scale: float) -> Tensor:
    return attend(q, k, v)


def uses_compiled(q: Tensor, k: Tensor, v: Tensor, *, mask: Any, scale: float) -> Tensor:
    return compiled(q, k, v, mask=mask, scale=scale)


def compiles_inside(q: Tensor, k: Tensor, v: Tensor, *, mask: Any, scale: float) -> Tensor:
    return torch.compile(attend)(q, k, v)


def module() -> Any:
    return torch.compile(torch.nn.Identity(), backend="eager")


def test_it_is_prepared_once_for_each_problem() -> None:
    log = Log()
    caller = Caller(Preparation(two_steps(log), log.announce))
    for problem in (PROBLEM, OTHER, PROBLEM):
        given = make_inputs(problem, purpose="test")
        caller.call(problem, given)()
        caller.function(problem, given)(given.q, given.k, given.v)
    assert log.prepared == [PROBLEM, OTHER]
    assert set(caller.preparation.took_ms) == {PROBLEM, OTHER}


def test_a_whole_check_prepares_each_problem_once() -> None:
    log = Log()
    checker = Checker(PROBLEM, 1, announced=log.announce)
    assert checker.check(two_steps(log)).fault == ""
    assert log.prepared.count(PROBLEM) == 1
    assert log.announced > len(set(log.prepared))


def test_the_step_and_first_calls_of_each_form_are_announced() -> None:
    log = Log()
    caller = Caller(Preparation(two_steps(log), log.announce))
    call = caller.call(PROBLEM, make_inputs(PROBLEM, purpose="test"))
    assert log.announced == 1
    call()
    call()
    assert log.announced == 2
    given = make_inputs(PROBLEM, purpose="test")
    function = caller.function(PROBLEM, given)
    function(given.q, given.k, given.v)
    assert log.announced == 3
    with torch.no_grad():
        function(given.q, given.k, given.v)
    assert log.announced == 4  # compilers specialize for the grad mode


@pytest.mark.parametrize("function", [compiled, uses_compiled, compiles_inside])
def test_what_compiles_with_torch_is_recognized(function: Any) -> None:
    found: Any = implementation(Limits())(function)
    assert compilers.compilers(found) == {"torch"}
    log = Log()
    with Preparation(found, log.announce).first("form", PROBLEM):
        assert log.announced == 1


def test_a_compiled_module_is_recognized() -> None:
    made = module()

    def calls_it(q: Tensor, k: Tensor, v: Tensor, *, mask: Any, scale: float) -> Tensor:
        return attend(made(q), k, v)

    assert compilers.compilers(implementation(Limits())(calls_it)) == {"torch"}


def test_first_calls_of_eager_functions_are_not_announced() -> None:
    log = Log()
    with Preparation(implementation(Limits())(plain), log.announce).first("form", PROBLEM):
        assert log.announced == 0


@pytest.mark.parametrize(
    ("words", "announced"),
    [("t1 cuda", 1), ("t5/1 cuda", 1), ("t16 d1 cuda", 1), ("t16 cuda", 0), ("t1 cpu", 0)],
)
def test_products_over_one_number_that_torch_compiles_on_a_gpu_are_announced(
    words: str, announced: int
) -> None:
    log = Log()
    preparation = Preparation(implementation(Limits())(plain), log.announce)
    with preparation.first("form", Problem.parse(words)):
        assert log.announced == announced


def test_torch_may_compile_for_more_than_eight_shapes() -> None:
    before = torch._dynamo.config.recompile_limit
    torch._dynamo.reset()
    try:
        preparation = Preparation(implementation(Limits())(compiled))
        with preparation.first("form", PROBLEM):
            pass
        assert torch._dynamo.config.recompile_limit == compilers.RECOMPILATIONS
    finally:
        torch._dynamo.config.recompile_limit = before


def test_set_up_runs_on_all_cpus_of_openmp_and_ends_on_the_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = os.sched_getaffinity(0)
    if len(before) < 2:
        pytest.skip("one CPU only")
    first = {min(before)}
    monkeypatch.setattr(affinity, "openmp_cpus", lambda: frozenset(before))
    os.sched_setaffinity(0, first)
    try:
        with Preparation(implementation(Limits())(plain)).first("form", PROBLEM):
            assert os.sched_getaffinity(0) == before
        assert os.sched_getaffinity(0) == first
        with pytest.raises(RuntimeError), affinity.on_all_cpus():
            raise RuntimeError
        assert os.sched_getaffinity(0) == first
    finally:
        os.sched_setaffinity(0, before)
