"""The device and the day of an implementation's newest times, from a store and in `list`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from impls.interface import Limits
from suites import listing
from suites.records.address import DEFAULT_STORE
from suites.records.codec import from_json
from suites.records.plan import Entry
from suites.records.record import CHECK
from suites.records.store import Store, StoreError
from tests.saved_run import MACHINE, small_run

GPU = {"device": "cuda", "name": "NVIDIA H200"}
MADE = tuple(
    Entry(name=name, limits=(Limits(),), ran_on="")
    for name in ("varlen", "xformers[operator=fa2]", "x_formers")
)


def stored(url: str, name: str, device: str, day: str, *, timed: bool = True) -> None:
    """A run of MADE with times, or of the check alone."""
    run, records = small_run(problems=[f"t64 bf16 {device}"], sessions=1, made=MADE)
    machine = {**MACHINE, "devices": [GPU, *MACHINE["devices"]]}
    kept = Store.open(url)
    kept.begin(replace(run, name=name, started=f"{day}T03:04:05+00:00", machine=machine))
    kept.add(name, *(record for record in records if timed or record.session == CHECK))


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'runs.db'}"


def test_the_newest_times_on_the_device_count(url: str) -> None:
    stored(url, "old", "cuda", "2026-01-02")
    stored(url, "new", "cuda", "2026-03-04")
    found = Store.open(url).timed_on(("varlen", "xformers", "other"), "cuda")
    assert found == {
        "varlen": "NVIDIA H200, 2026-03-04",
        "xformers": "NVIDIA H200, 2026-03-04",  # with a setting
        "other": "",
    }


@pytest.mark.parametrize(("device", "timed"), [("cpu", True), ("cuda", False)])
def test_times_on_a_cpu_and_checks_alone_do_not_count(
    url: str, device: str, *, timed: bool
) -> None:
    stored(url, "run", device, "2026-01-02", timed=timed)
    assert Store.open(url).timed_on(("varlen",), "cuda") == {"varlen": ""}


def test_a_name_is_no_pattern(url: str) -> None:
    stored(url, "run", "cuda", "2026-01-02")
    assert Store.open(url).timed_on(("_armlen", "x%", "xformer_"), "cuda") == {
        "_armlen": "",
        "x%": "",
        "xformer_": "",
    }


def test_an_empty_store_has_no_times(url: str, tmp_path: Path) -> None:
    (tmp_path / "runs.db").touch()
    assert Store.open(url, create=False).timed_on(("varlen",), "cuda") == {"varlen": ""}


def listed(store: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """`ran_on` by name, from the data of `list implementations`."""
    entries = (*MADE, Entry(name="naive", limits=(Limits(),)))
    monkeypatch.setattr("suites.engine.catalogue.open_catalogue", lambda *_, **__: ({}, entries))
    data: Any = listing.of("implementations", store)
    return {each["name"]: each["ran_on"] for each in data}


def test_the_list_has_what_this_machine_ran(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stored(url, "run", "cuda", "2026-01-02")
    found = listed(url, monkeypatch)
    assert found["varlen"] == "NVIDIA H200, 2026-01-02"
    assert found["naive"] is None


def test_without_a_store_nothing_was_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert listed(DEFAULT_STORE, monkeypatch)["varlen"] == ""
    with pytest.raises(StoreError, match="no store at"):
        listed("sqlite:///elsewhere.db", monkeypatch)


def test_an_entry_keeps_where_it_ran() -> None:
    from suites.records.codec import to_json

    assert from_json(Entry, to_json(MADE[0])).ran_on == ""
