"""Groups: RUN stands for its runs RUN@KIND, where a command takes several, and never for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from suites import listing
from suites.records import groups, named
from suites.records.copying import copy_run
from suites.records.store import Store, StoreError
from tests.records.test_store import run

EVERY = ("first", "quick@amd", "later", "quick@h200", "lone@amd")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/bench.db"


@pytest.fixture
def store(url: str) -> Store:
    """Two runs of their own, a group of two kinds of machine, and one of a single kind."""
    opened = Store.open(url)
    for name in EVERY:
        opened.begin(run(name))
    return opened


@pytest.mark.parametrize(
    ("name", "group", "kind"),
    [
        ("quick-3@amd-epyc", "quick-3", "amd-epyc"),
        ("quick@a@b", "quick", "a@b"),
        ("quick", "", ""),
        ("quick@", "", ""),
    ],
)
def test_the_name_of_a_run_has_its_group_and_kind(name: str, group: str, kind: str) -> None:
    assert (groups.group_of(name), groups.kind_of(name)) == (group, kind)
    assert not group or groups.name_on(group, kind) == name


@pytest.mark.parametrize(
    ("name", "runs"),
    [
        ("quick", ("quick@amd", "quick@h200")),
        ("quick@amd", ("quick@amd",)),
        ("first", ("first",)),
        ("lone", ("lone@amd",)),
        ("latest", ("lone@amd",)),
        ("latest~1", ("quick@amd", "quick@h200")),
        ("latest~2", ("later",)),
        ("latest~3", ("first",)),
    ],
)
def test_a_name_stands_for_these_runs(store: Store, name: str, runs: tuple[str, ...]) -> None:
    """A group is one step of `latest~N`, at the place of its newest run."""
    assert store.standing_for(name) == runs
    if len(runs) == 1:
        assert store.run(name).name == runs[0]


def test_a_run_hides_a_group_of_its_name(store: Store) -> None:
    store.begin(run("quick"))
    assert store.standing_for("quick") == ("quick",)
    assert store.standing_for("latest~2") == ("quick@amd", "quick@h200")


@pytest.mark.parametrize("name", ["", "quick@", "quic", "latest~4", "quick@tpu"])
def test_a_name_of_no_run_and_no_group_is_refused(store: Store, name: str) -> None:
    with pytest.raises(StoreError, match=f"^no run {name!r}"):
        store.standing_for(name)


@pytest.mark.parametrize("name", ["quick", "latest~1"])
def test_a_command_of_one_run_names_those_of_a_group(store: Store, url: str, name: str) -> None:
    said = (
        f"^'{name}' stands for 2 runs, one on each kind of machine; "
        "name one of them: quick@amd, quick@h200$"
    )
    with pytest.raises(StoreError, match=said):
        store.run(name)
    with pytest.raises(StoreError, match=said):
        copy_run(name, store, url)
    with pytest.raises(StoreError, match=said):
        named.runs(["first", name], url)


def test_a_saved_name_may_stand_for_a_group(store: Store) -> None:
    store.save("main", "quick")
    assert store.standing_for("main") == ("quick@amd", "quick@h200")


@pytest.mark.parametrize("name", ["quick", "main@amd"])
def test_no_saved_name_hides_a_group_or_looks_like_one_of_its_runs(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match=f"^--save {name}: "):
        store.expect_saveable(name)


def test_a_new_run_has_no_name_of_a_group(store: Store) -> None:
    name = store.unused_name("quick")
    store.begin(run(f"{name}@amd"))
    again = store.unused_name("quick")
    assert again != name
    assert groups.members(again, [f"{name}@amd"]) == ()


def test_runs_of_a_group_are_listed_together(store: Store, url: str) -> None:
    store.save("main", "quick")
    data = listing.of("runs", url)
    assert isinstance(data, list)
    assert [each["name"] for each in data] == [
        "lone@amd", "quick@amd", "quick@h200", "later", "first",
    ]  # fmt: skip
    assert [(each["group"], each["kind"], each["saved_as"]) for each in data[1:4]] == [
        ("quick", "amd", ["main"]),
        ("quick", "h200", ["main"]),
        ("", "", []),
    ]
