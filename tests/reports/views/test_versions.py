"""What the names of a run stand for: sentences of page, terminal and comparison."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from impls import FOLDER
from reports.analysis.comparison import implementations
from reports.analysis.run_analysis import Analysis
from reports.outputs.comparing import compared
from reports.outputs.export import json_data
from reports.rows.kernels import same_kernels
from reports.views import comparison, notes, versions
from reports.views.commands import repeat_command
from suites.records.kernels import Kernel
from suites.records.plan import Entry
from suites.records.record import Record
from suites.records.revision import Revision
from suites.records.store import Store
from tests.saved_run import small_run

FLASH = "aten::_scaled_dot_product_flash_attention_for_cpu"
COMMIT = "a1b2c3d" + 33 * "0"
OLD = Entry(
    name="old",
    spec="attention",
    files={"attention": "/r/k.py"},
    hashes={"attention": "1"},
    revision=Revision(commit=COMMIT, path="k.py", typed="HEAD~1"),
)
NEW = Entry(
    name="new",
    spec="k.attention",
    files={"k.attention": "/w/k.py"},
    hashes={"k.attention": "1"},
    revision=Revision(commit=COMMIT, path="k.py", changed=True),
)


def test_a_name_stands_for_a_function_of_a_file_at_a_commit() -> None:
    assert versions.stands_for(OLD) == "attention of k.py at a1b2c3d"
    assert versions.stands_for(NEW) == "attention of k.py with changes since a1b2c3d"
    assert versions.stands_for(replace(NEW, revision=None)) == "attention of k.py"


def test_a_name_of_an_own_implementation_stands_for_that() -> None:
    ours = {"sdpa_flash": str(FOLDER / "sdpa.py")}
    assert versions.stands_for(Entry(name="a", spec="sdpa_flash", files=ours)) == "sdpa_flash"
    assert versions.stands_for(Entry(name="sdpa_flash", files=ours)) == ""


def test_versions_with_the_same_bytes_are_named() -> None:
    plan = replace(small_run()[0].plan, entries=(OLD, NEW))
    assert versions.sentences(plan)[-1] == "old and new are the same bytes."
    apart = replace(plan, entries=(replace(OLD, process="k.py@a1b2c3d"), NEW))
    assert versions.sentences(apart)[-1] == (
        "old and new are the same bytes; the files that they import may differ."
    )
    other = replace(plan, entries=(replace(OLD, hashes={"attention": "2"}), NEW))
    assert len(versions.sentences(other)) == 2


def test_page_comparison_and_json_say_what_a_name_stands_for() -> None:
    run, records = small_run()
    entries = tuple(
        replace(each, spec=f"{each.name}_of_mine", files={f"{each.name}_of_mine": "/w/k.py"})
        for each in run.plan.entries
    )
    run = replace(run, plan=replace(run.plan, entries=entries))
    analysis = Analysis(run, records)
    first, second = (each.name for each in entries[:2])
    sentence = f"{first} = {first}_of_mine of k.py"
    assert sentence in notes.sentences(analysis)
    assert sentence in comparison.sentences(implementations(run, records, first, second))
    assert json_data.of_run(analysis)["implementations"][0]["stands_for"] == (
        f"{first}_of_mine of k.py"
    )


def test_a_command_that_repeats_a_measurement_keeps_the_name() -> None:
    run, _ = small_run()
    assert repeat_command(run.plan.problems[0], OLD).endswith('--impl "old=/r/k.py:attention"')


def test_versions_are_ranked_although_they_run_the_same_kernel() -> None:
    run, records = small_run()
    problem, kernel = run.plan.problems[0], Kernel(name=FLASH, share=1.0, calls=1)
    names = [entry.name for entry in run.plan.entries[:2]]
    ran = {(problem, name): [_with(records[0], kernel)] for name in names}
    assert same_kernels(run.plan, ran)
    named = tuple(replace(each, spec="mine") for each in run.plan.entries)
    assert same_kernels(replace(run.plan, entries=named), ran) == {}


def _with(record: Record, kernel: Kernel) -> Record:
    return replace(record, kernels=(kernel,))


def test_comparing_names_without_a_run_points_to_the_newest_one(tmp_path: Path) -> None:
    run, _ = small_run()
    url = f"sqlite:///{tmp_path}/runs.db"
    Store.open(url).begin(run)
    first, second = (each.name for each in run.plan.entries[:2])
    with pytest.raises(ValueError, match=f"compare {first} {second} --run latest"):
        compared(url, first, second, run=None, delta=None)
    with pytest.raises(ValueError, match=r"no run .*") as raised:
        compared(url, first, "nowhere", run=None, delta=None)
    assert "--run latest" not in str(raised.value)
