"""The limits of a plain function: from made-up records, and once in real processes."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from impls import load_file
from impls.interface import Limits, Problem
from impls.interface.implementation import from_function
from impls.interface.limits import EVERY_BIAS, EVERY_MASK
from reports.analysis.run_analysis import Analysis
from reports.outputs.export.limits_data import of_limits
from reports.outputs.terminal.check_report import check_report
from reports.outputs.terminal.screen import TrialScreen
from suites.discover.discovery import Discovery, discover, merged, within
from suites.discover.limits import (
    HEAD_DIMS,
    base_problems,
    combinations,
    features,
    inferred_limits,
    narrowest_limits,
    widest_range,
)
from suites.discover.source import decorator_source, non_default_fields
from suites.engine.conductor import Conductor
from suites.engine.local_pool import LocalPool
from suites.records.plan import Entry, Plan
from suites.records.record import CHECK, Record
from suites.records.store import Run, Store
from suites.request.suites import named

FIRST = base_problems("cpu")[0][0]
CLAIMED = Limits(
    masks=EVERY_MASK, biases=EVERY_BIAS, own_value_dim=True, softcap=True, sink=True
)  # fmt: skip
EVERYTHING = replace(CLAIMED, devices=("cpu",), head_dims=range(1, 257))
Fault = Callable[[Problem], str]

WITHOUT_KEYS = {
    feature.value
    for feature in features(FIRST)
    if feature.field == "masks" and all(p.has_keyless_rows for p in feature.problems)
}
"""Kinds of masks whose trials all have queries that see no key."""
WITH_KEYS = tuple(kind for kind in EVERY_MASK if kind not in WITHOUT_KEYS)
WITHOUT_ROWS = tuple(kind for kind in EVERY_MASK if "rows" not in kind)
"""Kinds of masks that equal lengths suffice for: the rows that are tried have other keys."""
UNABLE: dict[str, tuple[Fault, dict[str, Any]]] = {
    "nothing": (lambda p: "", {}),
    "other dtypes than float32": (
        lambda p: "" if p.dtype == "float32" else "float32 only",
        {"dtypes": ("float32",)},
    ),
    "unequal lengths": (
        lambda p: "" if p.query_length == p.key_length else "lengths differ",
        {"unequal_lengths": False, "masks": WITHOUT_ROWS},
    ),
    "unequal lengths where it is causal": (
        lambda p: "top-left" if p.mask.right == 0 and p.query_length != p.key_length else "",
        {"unequal_lengths": False, "masks": WITHOUT_ROWS},
    ),
    "grouped heads": (
        lambda p: "" if p.query_heads == p.key_heads else "sizes do not match",
        {"grouped_heads": False},
    ),
    "gradients": (lambda p: "no grad_fn" if p.training else "", {"backward": False}),
    "masks but causal": (
        lambda p: "" if p.mask.kind == "causal" else "causal only",
        {"masks": ("causal",)},
    ),
    "windows that look ahead": (
        lambda p: "wrong" if p.mask.right else "",
        {"windows": "causal"},
    ),
    "windows that are not symmetric": (
        lambda p: "" if p.mask.left is None or p.mask.left - 1 == p.mask.right else "one reach",
        {"windows": "symmetric"},
    ),
    "lengths that are no multiple of 64": (
        lambda p: "T % 64 == 0" if p.query_length % 64 or p.key_length % 64 else "",
        {"length_multiple": 64},
    ),
    "lengths that are no multiple of 16": (
        lambda p: "T % 16 == 0" if p.query_length % 16 or p.key_length % 16 else "",
        {"length_multiple": 16},
    ),
    "odd numbers of heads": (
        lambda p: "pairs of heads" if p.query_heads % 2 or p.key_heads % 2 else "",
        {"head_multiple": 2},
    ),
    "more queries than keys": (
        lambda p: "Tq <= Tk" if p.query_length > p.key_length else "",
        {"queries_at_most_keys": True},
    ),
    "queries without keys": (
        lambda p: "NaN" if p.has_keyless_rows else "",
        {"keyless_rows": False, "masks": WITH_KEYS},
    ),
    "head dimensions that are no multiple of 8": (
        lambda p: "multiples of 8 only" if p.head_dim % 8 else "",
        {"head_dims": range(8, 257, 8)},
    ),
    "head dimensions above 128 in training": (
        lambda p: "shared memory" if p.head_dim > 128 and p.training else "",
        {"head_dims": range(1, 129)},
    ),
    "gradients in half precision": (
        lambda p: "wrong" if p.training and p.dtype in ("float16", "bfloat16") else "",
        {"dtypes": ("float64", "float32")},
    ),
    "bfloat16, of which it dies": (
        lambda p: "SIGABRT" if p.dtype == "bfloat16" else "",
        {"dtypes": ("float64", "float32", "float16")},
    ),
    "biases in training": (
        lambda p: "wrong" if p.bias.kind != "none" and p.training else "",
        {"biases": ("none",)},
    ),
}


def entry_of(tmp_path: Path, source: str, name: str = "mine", limits: Limits = CLAIMED) -> Entry:
    path = tmp_path / "mine.py"
    path.write_text(source)
    return Entry(name=name, files={name: str(path)}, hashes={name: "0"}, limits=(limits,))


def run_of(entry: Entry, problems: Iterable[Problem]) -> Run:
    plan = Plan(
        suite="agreement",
        problems=tuple(problems),
        entries=(entry,),
        sessions=0,
        seed=3,
        round_budget_ms=1.0,
        time_limit_s=60.0,
        memory_limit=4 << 30,
        threads=(1,),
    )
    return Run(
        name="check",
        started="2026-01-02T03:04:05+00:00",
        command="python run_bench.py check mine.py",
        plan=plan,
        machine={"devices": [{"device": "cpu"}]},
    )


def record_of(problem: Problem, name: str, fault: str) -> Record:
    return Record(
        session=CHECK,
        problem=problem,
        implementation=name,
        status="failed" if fault else "ok",
        cause="exception" if fault else "",
        reason=fault,
    )


def records_of(run: Run, fault: Fault) -> list[Record]:
    """The records of a function with these faults, by the plan."""
    settled = list(run.plan.settled())
    return settled + [
        record_of(problem, name, fault(problem))
        for problem, names in run.plan.unchecked(settled)
        for name in names
    ]


def discovery_of(tmp_path: Path, fault: Fault, limits: Limits = CLAIMED) -> Discovery:
    entry = entry_of(tmp_path, "def mine(q, k, v): ...", limits=limits)
    run = run_of(entry, named("agreement").problems(("cpu",)))
    # A check adds hard inputs with all features of the limits, so with wide limits all may fail.
    claimed = [p for p in run.plan.problems if not limits.refusals(p)]
    able = not any(map(fault, claimed))
    first = records_of(run, fault if able else lambda _: "on a hard input")
    return discover(entry, run, first, lambda further: records_of(further, fault))


@pytest.mark.parametrize("what", UNABLE)
def test_the_limits_state_all_supported_features_and_no_other(what: str, tmp_path: Path) -> None:
    fault, narrower = UNABLE[what]
    found = discovery_of(tmp_path, fault)
    assert found.limits == (replace(EVERYTHING, **narrower),)
    assert found.claims_too_much == bool(narrower)


@pytest.mark.parametrize("what", [what for what, (_, narrower) in UNABLE.items() if narrower])
def test_within_the_limits_the_suite_is_checked_again_and_agrees(what: str, tmp_path: Path) -> None:
    fault, _ = UNABLE[what]
    found = discovery_of(tmp_path, fault)
    assert found.verified
    assert {record.status for record in found.verified} == {"ok"}
    within_them = [
        p
        for p in named("agreement").problems(("cpu",))
        if not found.limits[0].refusals(p)
    ]  # fmt: skip
    assert [record.problem for record in found.verified] == within_them


def test_a_problem_that_agreed_within_wider_limits_is_not_checked_again(tmp_path: Path) -> None:
    entry = entry_of(tmp_path, "def mine(q, k, v): ...")
    problems = ("b1 h1 t8 d8 full fp32 cpu", "b1 h1 t8 d8 full bf16 cpu", "b1 h1 t9 d8 full cpu")
    run = run_of(entry, (Problem.parse(text) for text in problems))
    first = [
        record_of(text, "mine", "bad" if index else "")
        for index, text in enumerate(run.plan.problems)
    ]
    plans: list[Plan] = []

    def conduct(further: Run) -> list[Record]:
        plans.append(further.plan)
        return records_of(further, UNABLE["other dtypes than float32"][0])

    found = discover(entry, run, first, conduct)
    assert plans[-1].problems == run.plan.problems[2:]
    assert found.verified is not None
    assert [record.problem for record in found.verified] == [
        run.plan.problems[0],
        run.plan.problems[2],
    ]


def test_a_failure_within_the_limits_is_reported(tmp_path: Path) -> None:
    found = discovery_of(tmp_path, lambda p: "long" if p.query_length > 1000 else "")
    assert found.limits == (EVERYTHING,)
    long = [p for p in named("agreement").problems(("cpu",)) if p.query_length > 1000]
    assert f"still does not agree on {len(long)} of" in printed(found)
    assert "long" in printed(found)
    assert found.claims_too_much


def test_limits_that_permit_no_problem_of_the_suite_are_reported_so(tmp_path: Path) -> None:
    def fault(problem: Problem) -> str:
        lengths = problem.query_length, problem.key_length
        return "" if lengths == (64, 64) and problem.head_dim == 64 else "one size only"

    found = discovery_of(tmp_path, fault)
    assert found.verified == ()
    assert "No problem of the suite is within these Limits" in printed(found)


def test_without_a_base_that_agrees_no_limits_are_stated(tmp_path: Path) -> None:
    found = discovery_of(tmp_path, lambda p: "always wrong")
    assert found.limits == ()
    assert found.claims_too_much
    assert "Nothing to paste: mine agrees on none of the problems" in printed(found)
    assert "always wrong" in printed(found)
    assert "import" not in printed(found)


def test_another_base_is_found_for_a_function_in_half_precision_only(tmp_path: Path) -> None:
    def fault(problem: Problem) -> str:
        half = problem.dtype == "bfloat16" and problem.mask.kind == "causal"
        return "" if half else "bfloat16 and causal only"

    found = discovery_of(tmp_path, fault)
    assert found.devices[0].base == Problem.parse("b2 h4 t65 d64 causal bf16")
    assert found.limits[0].dtypes == ("bfloat16",)
    assert found.limits[0].masks == ("causal",)


def test_a_feature_without_a_parameter_is_not_tried(tmp_path: Path) -> None:
    claimed = Limits(masks=("full",), own_scale=False, own_value_dim=True)
    asked: list[str] = []

    def fault(problem: Problem) -> str:
        asked.append(str(problem))
        return ""

    found = discovery_of(tmp_path, fault, claimed)
    assert found.limits == (replace(claimed, devices=("cpu",), head_dims=range(1, 257)),)
    assert not found.claims_too_much
    assert not [text for text in asked if claimed.refusals(Problem.parse(text))]
    said = printed(found)
    assert "- not accepted by its parameters: " in said
    assert re.search(r", masks causal, padding, causal\+padding and \d+ more, own scale, ", said)
    assert {record.problem for record in found.faults} == set()


def test_each_problem_is_tried_within_the_narrowest_limits_that_permit_it() -> None:
    for feature in features(FIRST):
        for problem in feature.problems:
            own = narrowest_limits(problem)
            assert own.refusals(problem) == ()
            assert (
                problem == FIRST or own.refusals(FIRST) or narrowest_limits(FIRST).refusals(problem)
            )
    assert narrowest_limits(FIRST).refusals(Problem.parse("b2 h4/2 t33/65 d64 train scale0.3"))


def test_features_are_combined_with_training_and_bands_within_the_limits() -> None:
    every, _ = inferred_limits(FIRST, dict.fromkeys(single_features(), ""))
    found = set(map(str, combinations(FIRST, every)))
    assert "b2 h4 t129/33 d64 window:16 fp32 cpu" in found
    assert "b2 h4 t65 d64 causal alibi fp32 cpu" in found
    assert "b2 h4 t65 d64 full bf16 train cpu" in found
    assert "b2 h4 t65 d256 full fp32 train cpu" in found
    forward = replace(every, backward=False, masks=("full",))
    assert not [text for text in map(str, combinations(FIRST, forward)) if "train" in text]
    assert not [text for text in map(str, combinations(FIRST, forward)) if "causal" in text]


def single_features() -> list[Problem]:
    return [FIRST, *(problem for feature in features(FIRST) for problem in feature.problems)]


def test_a_feature_that_was_not_tried_is_not_supported() -> None:
    limits, unsupported = inferred_limits(FIRST, {FIRST: ""})
    assert limits == narrowest_limits(FIRST)
    assert {each.reason for each in unsupported} == {"not tried"}


@settings(deadline=None, database=None)
@given(
    st.sets(
        st.sampled_from(
            sorted({*single_features(), *combinations(FIRST, EVERYTHING)} - {FIRST}, key=str)
        )
    )
)
def test_no_problem_within_the_limits_failed(failed: set[Problem]) -> None:
    faults = dict.fromkeys([*single_features(), *combinations(FIRST, EVERYTHING)], "")
    limits, _ = inferred_limits(FIRST, faults | dict.fromkeys(failed, "wrong"))
    assert limits.refusals(FIRST) == ()
    assert all(limits.refusals(problem) for problem in failed)


@pytest.mark.parametrize(
    ("agreed", "expected"),
    [
        (HEAD_DIMS, range(1, 257)),
        ([n for n in HEAD_DIMS if n % 8 == 0], range(8, 257, 8)),
        ([n for n in HEAD_DIMS if n % 16 == 0], range(16, 257, 16)),
        ([n for n in HEAD_DIMS if n <= 128], range(1, 129)),
        ([64, 128], range(64, 129, 64)),
        ([64], range(64, 65)),
        ([128], range(128, 129)),
    ],
)
def test_the_range_of_head_dimensions_is_the_widest_one_that_agreed(
    agreed: list[int], expected: range
) -> None:
    failed = [size for size in HEAD_DIMS if size not in agreed]
    assert widest_range([agreed[-1], *agreed], failed) == expected


@settings(deadline=None, database=None)
@given(st.sets(st.sampled_from(HEAD_DIMS), min_size=1), st.data())
def test_a_range_never_holds_a_size_that_failed(agreed: set[int], data: st.DataObject) -> None:
    first = data.draw(st.sampled_from(sorted(agreed)))
    found = widest_range([first, *agreed], set(HEAD_DIMS) - agreed)
    assert first in found
    assert {found[0], found[-1]} <= agreed
    assert not set(found) & (set(HEAD_DIMS) - agreed)


LIMITS = [
    Limits(),
    Limits(devices=("cpu",)),
    replace(EVERYTHING, head_dims=range(8, 257, 8), cuda_capability=(9, 0)),
    *(replace(EVERYTHING, **narrower) for _, narrower in UNABLE.values()),
]


@pytest.mark.parametrize("limits", [*((each,) for each in LIMITS), tuple(LIMITS[1:4])])
def test_the_decorator_source_is_python_that_makes_the_limits(limits: tuple[Limits, ...]) -> None:
    text = decorator_source(limits)
    namespace: dict[str, Any] = {}
    exec(f"{text}\ndef mine(q, k, v, *, mask, scale): ...", namespace)  # noqa: S102 - it is ours
    assert namespace["mine"].limits == limits
    assert max(map(len, text.splitlines())) < 80  # no terminal wraps it


def test_only_fields_that_differ_from_the_defaults_are_stated_in_the_order_of_the_class() -> None:
    narrow = Limits(sink=True, backward=False, devices=("cpu",))
    assert list(non_default_fields(narrow)) == ["devices", "backward", "sink"]
    assert non_default_fields(Limits()) == {}


def test_devices_with_the_same_limits_share_them() -> None:
    cpu, cuda = Limits(devices=("cpu",)), Limits(devices=("cuda",), cuda_capability=(9, 0))
    assert merged([cpu, cuda]) == (Limits(devices=("cpu", "cuda"), cuda_capability=(9, 0)),)
    halves = replace(cuda, dtypes=("float16",))
    assert merged([cpu, halves]) == (cpu, halves)


PLAIN = "def mine(q, k, v, *, mask, scale): ..."


def test_a_function_is_the_same_within_other_limits(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("def mine(q, k, v, *, scale):\n    return q * scale")
    narrow = Limits(backward=False)
    (each,) = within(
        {"mine_0": (narrow,)}, file=str(path), function="mine", module="here"
    ).values()  # fmt: skip
    assert each.limits == (narrow,)
    assert each.function.__module__ == "here"
    given_q: Any = 3.0
    assert each.bound(mask=FIRST.mask, scale=2.0)(given_q, None, None) == 6.0


def printed(found: Discovery) -> str:
    """What `check` prints of a discovery alone, on a wide terminal."""
    run = run_of(Entry(name="mine", limits=(CLAIMED,)), ())
    console = Console(file=io.StringIO(), width=400)
    console.print(*check_report(Analysis(run, []), [found]), sep="\n")
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_discovery_is_printed_with_reasons_and_the_limits(tmp_path: Path) -> None:
    said = printed(discovery_of(tmp_path, UNABLE["other dtypes than float32"][0]))
    assert re.search(r"dtypes: float32 *\n", said)
    cannot = said[said.index("What it cannot") : said.index("To paste")].splitlines()[1:]
    assert re.match(
        r"- dtypes float64, float16, bfloat16: float32 only \(failed on \d+ pr", cannot[0]
    )
    assert [line for line in cannot[1:] if line.strip()] == []
    assert 'dtypes=("float32",),' in said
    assert "with these Limits it agrees on all" in said


def test_a_function_that_agrees_with_all_of_its_claims_is_reported_so(tmp_path: Path) -> None:
    said = printed(discovery_of(tmp_path, lambda p: ""))
    assert "mine agrees on all that its parameters accept" in said
    assert "What it cannot" not in said
    assert re.search(r"masks: full, causal, window, padding", said)


def test_the_discovery_is_exported_as_data(tmp_path: Path) -> None:
    data = json.loads(json.dumps(of_limits(discovery_of(tmp_path, UNABLE["gradients"][0]))))
    assert data["limits"][0]["backward"] is False
    assert data["limits"][0]["head_dims"] == [1, 256, 1]
    (device,) = data["devices"]
    assert [each["field"] for each in device["lacking"]] == ["backward"]
    assert device["lacking"][0]["reason"] == "failed: no grad_fn"
    assert set(data["verified"]) == {"ok"}
    assert "Limits(" in data["paste"]
    nothing = of_limits(discovery_of(tmp_path, lambda p: "always wrong"))
    assert nothing["paste"] == ""
    assert nothing["devices"][0]["base"] is None


def test_progress_shows_steps_and_no_faults() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with TrialScreen(console) as screen:
        screen.search("mine")
        screen.phase("checking 2 implementations", 2)
        screen.record(record_of(FIRST, "mine_0", "float32 only"))
        screen.phase("checking 6 implementations", 6)
        assert screen.line == "finding the limits of mine, 1 of 8 trials; 0 s so far"
    assert isinstance(console.file, io.StringIO)
    assert "finding the limits of mine" in console.file.getvalue()
    assert "float32 only" not in console.file.getvalue()


SOURCE = """
import os
import torch

def mine(q, k, v):
    if q.dtype == torch.bfloat16:
        os.abort()
    if q.dtype != torch.float32 or q.shape[-1] % 16 or q.shape[2] != k.shape[2]:
        raise ValueError("float32, equal lengths and multiples of 16 only")
    with torch.no_grad():
        return torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, -1) @ v
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="sessions need a POSIX system")
def test_in_real_processes_the_pasted_limits_make_an_implementation_that_agrees(
    tmp_path: Path,
) -> None:
    entry = entry_of(tmp_path, SOURCE, limits=from_function(lambda q, k, v: q).limits[0])
    texts = ("b1 h2 t33 d16 full", "b1 h2 t33 d16 full bf16", "b1 h2 t7/33 d16 full")
    run = run_of(entry, (Problem.parse(text) for text in texts))
    kept = Store.open("sqlite://")
    with LocalPool(60.0, 4 << 30) as pool:
        screen = TrialScreen(Console(file=io.StringIO()), quiet=True)

        def conduct(further: Run) -> list[Record]:
            kept.begin(further)
            return Conductor(run=further, store=kept, listener=screen, pool=pool).conduct()

        first = [record_of(text, "mine", "wrong") for text in run.plan.problems]
        found = discover(entry, run, first, conduct)
    assert [each.reason for each in found.devices[0].unsupported if "SIGABRT" in each.reason]
    assert found.verified is not None
    assert [(r.problem, r.status) for r in found.verified] == [(run.plan.problems[0], "ok")]
    path = tmp_path / "pasted.py"
    path.write_text(SOURCE.replace("def mine", f"{decorator_source(found.limits)}\ndef mine"))
    (stated_now,) = load_file(path)
    assert stated_now.limits == found.limits
    assert found.limits == (
        Limits(
            devices=("cpu",),
            dtypes=("float32",),
            masks=("full",),
            head_dims=range(16, 257, 16),
            grouped_heads=False,
            unequal_lengths=False,
            backward=False,
            own_scale=False,
            own_value_dim=True,
        ),
    )
