"""One dispatch file for several machines: each reader gets the section of its own machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import run_bench
from reports.analysis.machines import kinds
from reports.analysis.ranking.dispatch import Dispatch, dispatch
from reports.analysis.ranking.dispatch_group import dispatch_group
from reports.outputs.export.export import export, export_group, takes_groups
from reports.outputs.export.json_data import plain
from suites.records.store import Store
from tests.kind_runs import AMD, ARM, GPU, GROUP, H200, group, on
from tests.saved_run import MACHINE

EPYC = {**MACHINE, "cpu": "AMD EPYC 9004", "devices": [{"device": "cpu", "name": "AMD EPYC 9004"}]}
WITH_GPU = {**MACHINE, **GPU}
PROBLEM = "b1 h8 t1024 d64 causal fp32"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of a CPU and a GPU."""
    file = tmp_path / "dispatch.json"
    file.write_text(json.dumps(plain(dispatch_group(GROUP, kinds(group()))), allow_nan=False))
    return file


@pytest.mark.parametrize(
    ("machine", "device", "name"),
    [(EPYC, "cpu", "sdpa_flash"), (WITH_GPU, "cuda", "chunked")],
)
def test_a_reader_gets_the_section_of_its_machine(
    path: Path, machine: dict[str, Any], device: str, name: str
) -> None:
    table = Dispatch.read(path, machine)
    assert table.choose(f"{PROBLEM} {device}").name == name
    assert Dispatch.read(path, lambda: machine).run == table.run


def test_a_section_is_what_a_run_alone_has(path: Path) -> None:
    data = json.loads(path.read_text())
    assert (data["format"], data["version"]) == ("attnbench dispatch of machines", 1)
    assert data["run"] == GROUP
    for section, side in zip(data["machines"], kinds(group()).sides, strict=True):
        assert section["table"] == json.loads(json.dumps(plain(dispatch(side.analysis))))
    assert [(each["kind"], each["for"]) for each in data["machines"]] == [
        (AMD, {"cpu": "AMD EPYC 9004", "cores": 2}),
        (H200, {"cuda": "Example H200"}),
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"cpu": "Other CPU"},
        {"cores": 4},
        {"cpu": None},
    ],
)
def test_no_section_of_another_machine_is_taken(path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no section is for this machine") as caught:
        Dispatch.read(path, {**EPYC, **change})
    said = str(caught.value)
    assert "\n" not in said
    assert f"{AMD} (cpu AMD EPYC 9004, cores 2); {H200} (cuda Example H200)" in said


def test_a_machine_without_recorded_facts_is_nobodys(tmp_path: Path) -> None:
    unknown = on(AMD, "cpu", machine={"cpu": None, "cores": None})
    file = tmp_path / "dispatch.json"
    file.write_text(json.dumps(plain(dispatch_group(GROUP, kinds([unknown, group()[1]])))))
    with pytest.raises(ValueError, match="no section is for this machine"):
        Dispatch.read(file, {"cpu": None, "cores": None})


def test_two_sections_for_one_machine_are_no_choice(tmp_path: Path) -> None:
    twice = [group()[0], on(ARM, "cpu", machine={"cpu": "AMD EPYC 9004"})]
    file = tmp_path / "dispatch.json"
    file.write_text(json.dumps(plain(dispatch_group(GROUP, kinds(twice)))))
    with pytest.raises(ValueError, match="2 sections are for this machine"):
        Dispatch.read(file, EPYC)


def test_the_facts_of_the_machine_are_asked_for(path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected the facts of this machine as machine="):
        Dispatch.read(path)


@pytest.mark.parametrize("damage", ["machines", "for", "table"])
def test_a_damaged_file_is_refused_in_one_line(path: Path, damage: str) -> None:
    data = json.loads(path.read_text())
    for spot in (data, *data["machines"]):
        spot.pop(damage, None)
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match="is damaged") as caught:
        Dispatch.read(path, EPYC)
    assert "\n" not in str(caught.value)


def test_a_script_gets_no_mix_of_another_machine(path: Path) -> None:
    """This machine is none of the made-up ones."""
    with pytest.raises(ValueError, match="no section is for this machine"):
        run_bench.substituted(path)


def test_a_group_is_exported_as_one_file_and_one_of_its_runs_as_before(tmp_path: Path) -> None:
    store = Store.open("sqlite://")
    for run, records in group():
        store.begin(run)
        store.add(run.name, *records)
    runs = [store.run(name) for name in store.standing_for(GROUP)]
    (written,) = export_group(store, runs, "dispatch", tmp_path / "all.json")
    assert Dispatch.read(written, EPYC).choose(f"{PROBLEM} cpu").name == "sdpa_flash"
    (alone,) = export(store, runs[0], "dispatch", tmp_path / "one.json")
    assert Dispatch.read(alone).choose(f"{PROBLEM} cpu").name == "sdpa_flash"
    assert takes_groups("dispatch")
    assert not takes_groups("csv")
