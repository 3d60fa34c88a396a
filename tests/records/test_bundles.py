"""Bundles: what is read is what was written; anything else is one line, and nothing is unpacked."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from zipfile import ZIP_LZMA, ZipFile

import numpy as np
import pytest

from impls import FOLDER
from impls.interface import Limits
from impls.interface.revision_tree import import_root
from suites.records.bundles import layout
from suites.records.bundles.layout import MANIFEST, BundleError, is_bundle
from suites.records.bundles.reading import Bundle
from suites.records.bundles.sources import imported
from suites.records.bundles.writing import doubts, write
from suites.records.codec import to_json
from suites.records.plan import Entry
from suites.records.store import Store
from tests.records.bundles import (
    bundled,
    entry,
    members,
    rewritten,
    small,
    stored_whole,
    with_manifest,
    zipped,
)

MINE = "import beside\n\ndef mine(q, k, v):\n    return beside.soft(q @ k.mT) @ v\n"


@pytest.fixture
def user(tmp_path: Path) -> Path:
    """A folder with a file of the user and one that it imports."""
    folder = tmp_path / "home" / "kernels"
    folder.mkdir(parents=True)
    (folder / "mine.py").write_text(MINE)
    (folder / "beside.py").write_text("def soft(x):\n    return x.softmax(-1)\n")
    (folder / "other.py").write_text("x = 1\n")
    return folder


def test_a_run_and_its_records_are_read_as_they_were_stored(tmp_path: Path) -> None:
    run, records = small(entry("naive", FOLDER / "naive.py"), unread=("a row: ValueError",))
    found = Bundle.read(bundled(tmp_path / "a.zip", run, records))
    assert found.run == run
    assert found.records == records
    assert len(records) > 5
    assert len(run.facts) == 3


def test_every_way_an_answer_can_end_is_read_back(tmp_path: Path) -> None:
    run, records = small()
    found = Bundle.read(bundled(tmp_path / "a.zip", run, records))
    assert found.records == records
    assert len({record.status for record in records}) >= 4
    assert found.run == run


def test_the_same_run_gives_the_same_bytes(tmp_path: Path, user: Path) -> None:
    run, records = small(entry("mine", user / "mine.py"))
    one, two = (bundled(tmp_path / name, run, records) for name in ("one.zip", "two.zip"))
    assert one.read_bytes() == two.read_bytes()


def test_the_files_of_the_user_are_members_with_those_that_they_import(
    tmp_path: Path, user: Path
) -> None:
    run, records = small(entry("mine", user / "mine.py"), entry("naive", FOLDER / "naive.py"))
    found = Bundle.read(bundled(tmp_path / "a.zip", run, records))
    assert sorted(found.files) == ["files/beside.py", "files/mine.py", "impls/naive.py"]
    assert found.files["files/mine.py"].decode() == MINE
    mine, naive = found.run.plan.entries
    assert mine.files == {"mine": "files/mine.py"}
    assert naive.files == {"naive": str(FOLDER / "naive.py")}
    assert mine.hashes == run.plan.entries[0].hashes


def test_folders_of_the_user_are_in_no_member(
    tmp_path: Path, user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    path = user / "mine.py"
    words = f"python run_bench.py run --impl {path} --store sqlite:///{tmp_path}/home/b.db"
    run, records = small(entry("mine", path), command=words)
    file = bundled(tmp_path / "a.zip", run, records)
    assert not [name for name, data in members(file).items() if str(tmp_path).encode() in data]
    command = Bundle.read(file).run.command
    assert command == "python run_bench.py run --impl mine.py --store sqlite:///~/b.db"


def test_files_of_two_folders_with_one_name_are_two_members(tmp_path: Path, user: Path) -> None:
    second = user.parent / "more"
    second.mkdir()
    (second / "mine.py").write_text("def mine(q, k, v):\n    return v\n")
    run, records = small(entry("mine", user / "mine.py"), entry("more.mine", second / "mine.py"))
    found = Bundle.read(bundled(tmp_path / "a.zip", run, records))
    assert {"files/mine.py", "files2/mine.py"} <= found.files.keys()
    assert found.files["files2/mine.py"] == (second / "mine.py").read_bytes()


def test_a_file_in_a_package_has_its_package_around_it(tmp_path: Path) -> None:
    package = tmp_path / "project" / "kernels"
    (package / "deep").mkdir(parents=True)
    for name in ("__init__", "deep/__init__", "unused"):
        (package / f"{name}.py").write_text("")
    (package / "scores.py").write_text("from kernels import masks\n")
    (package / "masks.py").write_text("import scores_of_nobody\n")
    own = package / "deep" / "mine.py"
    own.write_text("from ..scores import x\nimport torch.nn\n\ndef mine(q, k, v): ...\n")
    assert import_root(own) == tmp_path / "project"
    names = {each.relative_to(package).as_posix() for each in imported(own, tmp_path / "project")}
    assert names == {"__init__.py", "deep/__init__.py", "scores.py", "masks.py"}


def test_a_file_that_python_cannot_read_imports_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def f(:\n")
    assert imported(tmp_path / "mine.py", tmp_path) == set()


def test_an_installed_module_is_named_and_no_member(tmp_path: Path) -> None:
    file = Path(np.__file__)
    run, records = small(entry("dot", file))
    found = Bundle.read(bundled(tmp_path / "a.zip", run, records))
    assert found.files == {}
    assert found.run.plan.entries[0].files == {"dot": "installed/numpy/__init__.py"}
    assert (found.lacking, doubts(run)) == ({}, [])


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda path: path.write_text("x = 2\n"), "it has changed since the run"),
        (lambda path: path.unlink(), "it cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_is_not_what_was_measured_is_left_out_and_named(
    spoil: Callable[[Path], object], why: str, tmp_path: Path, user: Path
) -> None:
    run, records = small(entry("mine", user / "mine.py"), entry("naive", FOLDER / "naive.py"))
    spoil(user / "mine.py")
    found = Bundle.read(bundled(tmp_path / "a.zip", run, records))
    assert sorted(found.files) == ["impls/naive.py"]
    assert found.lacking == {"files/mine.py": why}
    assert doubts(run) == [
        f"the bundle lacks files/mine.py: {why}; rerun cannot measure its implementations elsewhere"
    ]


def test_a_copy_of_this_program_elsewhere_counts_as_this_program(tmp_path: Path) -> None:
    copy = tmp_path / "impls" / "naive.py"
    copy.parent.mkdir()
    copy.write_bytes((FOLDER / "naive.py").read_bytes())
    run, records = small(entry("naive", copy))
    found = Bundle.read(bundled(tmp_path / "a.zip", run, records))
    assert found.run.plan.entries[0].files == {"naive": str(FOLDER / "naive.py")}


def test_damaged_rows_of_a_store_stay_what_they_are_there(tmp_path: Path) -> None:
    run, records = small(Entry(name="naive", limits=(Limits(),)))
    url = f"sqlite:///{tmp_path}/b.db"
    store = Store.open(url)
    store.begin(run)
    store.add(run.name, *records)
    with closing(sqlite3.connect(tmp_path / "b.db")) as file, file:
        file.execute("UPDATE records SET data = '{}' WHERE id = 2")
        file.execute("UPDATE records SET problem = 'nonsense' WHERE id = 3")
    damaged, there = store.run(run.name), store.records(run.name)
    assert damaged.unread
    assert any(record.cause == "unreadable_record" for record in there)
    write(store, damaged, tmp_path / "a.zip")
    found = Bundle.read(tmp_path / "a.zip")
    assert (found.run, found.records) == (damaged, there)


def test_files_are_unpacked_into_a_folder_that_stays(tmp_path: Path, user: Path) -> None:
    run, records = small(entry("mine", user / "mine.py"), entry("naive", FOLDER / "naive.py"))
    bundle = Bundle.read(bundled(tmp_path / "a.zip", run, records))
    for _ in range(2):  # a second time, nothing changes
        unpacked, files = bundle.unpack(tmp_path / "there")
        assert [str(each.relative_to(tmp_path)) for each in files] == [
            "there/files/beside.py",
            "there/files/mine.py",
        ]
        assert unpacked.plan.entries[0].files == {"mine": str(tmp_path / "there/files/mine.py")}
        assert unpacked.plan.entries[1].files == {"naive": str(FOLDER / "naive.py")}
    (tmp_path / "there/files/mine.py").write_text("changed")
    with pytest.raises(BundleError, match=r"mine\.py is there with another content; move it away"):
        bundle.unpack(tmp_path / "there")


def test_an_implementation_that_this_program_lacks_is_unpacked(tmp_path: Path) -> None:
    run, records = small(entry("naive", FOLDER / "naive.py"))
    file = bundled(tmp_path / "a.zip", run, records)
    plan = members(file)["plan.json"].replace(b"impls/naive.py", b"impls/newer.py")
    rewritten(file, {"plan.json": plan, "impls/newer.py": b"x = 1\n", "impls/naive.py": None})
    unpacked, files = Bundle.read(file).unpack(tmp_path / "there")
    assert files == [tmp_path / "there/impls/newer.py"]
    assert unpacked.plan.entries[0].files == {"naive": str(files[0])}


def first(name: str, old: bytes, new: bytes) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        data = members(path)[name]
        assert old in data
        rewritten(path, {name: data.replace(old, new, 1)})

    return spoil


def unhashed(name: str, data: bytes | None) -> Callable[[Path], None]:
    """Another member, and the manifest as it was."""

    def spoil(path: Path) -> None:
        found = {**members(path), name: data}
        zipped(path, {each: text for each, text in found.items() if text is not None})

    return spoil


def twice(path: Path) -> None:
    with ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("run.json", "{}")


def twice_a_record(path: Path) -> None:
    data = members(path)["records.jsonl"]
    rewritten(path, {"records.jsonl": data + data.split(b"\n")[0] + b"\n"})


def with_lzma(path: Path) -> None:
    found = members(path)
    with ZipFile(path, "w", ZIP_LZMA) as archive:
        for name, data in found.items():
            archive.writestr(name, data)


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "gone": (lambda path: path.unlink(), r"no bundle at .*a\.zip; python run_bench.py export RUN"),
    "empty": (lambda path: path.write_bytes(b""), "is no zip file, or damaged: "),
    "a text": (lambda path: path.write_text("hello"), "is no zip file, or damaged: "),
    "cut": (
        lambda path: path.write_bytes(path.read_bytes()[:-200]),
        "is no zip file, or damaged: .*get the bundle again",
    ),
    "another zip": (lambda path: zipped(path, {"a.txt": b"a"}), f"no bundle: it has no {MANIFEST}"),
    "another format": (lambda path: with_manifest(path, format="x"), "does not name 'attnbench-b"),
    "no manifest": (lambda path: rewritten_manifest(path, b"[1]"), "does not name 'attnbench-b"),
    "newer": (
        lambda path: with_manifest(path, version=layout.VERSION + 1, more=1),
        r"a bundle of version 2, this release reads 1: update attnbench",
    ),
    "a field more": (lambda path: with_manifest(path, more=1), f"the {MANIFEST} of .* is damaged"),
    "a version in words": (
        lambda path: with_manifest(path, version="1"),
        f"the {MANIFEST} of .* is damaged: version",
    ),
    "other content": (
        unhashed("machine.json", b"{}"),
        r"is damaged: the SHA-256 of machine\.json is 44136fa355b3\.\.\., its manifest.json says",
    ),
    "a member lost": (unhashed("machine.json", None), r"damaged: it lacks machine\.json; get the"),
    "a member more": (unhashed("x.py", b""), r"holds 'x\.py', which its manifest.json does not"),
    "a member twice": (twice, r"holds 'run\.json' twice"),
    "no records": (
        lambda path: rewritten(path, {"records.jsonl": None}),
        r"its manifest.json does not list records\.jsonl",
    ),
    "another compression": (with_lzma, "is encrypted, or not deflated"),
    "a record twice": (twice_a_record, "holds a record twice"),
    "a line of no record": (
        lambda path: rewritten(path, {"records.jsonl": b"[]\n"}),
        r"a line of records\.jsonl of .* is no JSON object: ",
    ),
    "no run": (first("run.json", b"{", b"["), r"run\.json of .* is no JSON object"),
    "a name that leaves the folder": (
        first("run.json", b'"2026-01-02-quick"', b'"../quick"'),
        "cannot be read: .*cannot be a folder's",
    ),
    "no plan": (first("plan.json", b'"seed"', b'"sead"'), "cannot be read: .*; update attnbench"),
    "no machine": (lambda path: rewritten(path, {"machine.json": b"3"}), "cannot be read: .*mach"),
    "a path in the plan": (
        first("plan.json", b"files/mine.py", b"/root/mine.py"),
        r"names the file '/root/mine\.py'; expected the name of a member",
    ),
    **{
        f"a member {name}": (
            partial(rewritten, changed={name: b"x = 1\n"}),
            "which no bundle has; expected Python files below impls/ and files/",
        )
        for name in (
            *("../x.py", "files/../../x.py", "/files/x.py", "files//x.py", "files/./x.py"),
            *("files/C:x.py", "files/a\\x.py", "files/x.sh", "elsewhere/x.py", "files"),
        )
    },
}


def rewritten_manifest(path: Path, text: bytes) -> None:
    zipped(path, {**members(path), MANIFEST: text})


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bundle_that_is_not_sound_is_one_line(fault: str, tmp_path: Path, user: Path) -> None:
    spoil, expected = FAULTS[fault]
    run, records = small(entry("mine", user / "mine.py"))
    file = bundled(tmp_path / "a.zip", run, records)
    spoil(file)
    with pytest.raises(BundleError, match=expected) as raised:
        Bundle.read(file)
    assert str(file) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_bundle_with_a_changed_byte_is_refused_or_reads_the_same(
    tmp_path: Path, user: Path
) -> None:
    run, records = small(entry("mine", user / "mine.py"))
    file = bundled(tmp_path / "a.zip", run, records)
    sound, whole = Bundle.read(file), file.read_bytes()
    random, refused = Random(1), 0
    for each in range(300):
        at = each * len(whole) // 300  # evenly, so that the count hardly depends on chance
        file.write_bytes(
            whole[:at] + bytes([whole[at] ^ 1 << random.randrange(8)]) + whole[at + 1 :]
        )
        try:
            found = Bundle.read(file)
        except BundleError:
            refused += 1
        else:
            assert found == sound
    assert refused > 250


def test_records_of_a_bundle_are_those_of_the_store_line_by_line(tmp_path: Path) -> None:
    run, records = small()
    lines = members(bundled(tmp_path / "a.zip", run, records))["records.jsonl"].splitlines()
    assert [line.decode() for line in lines] == list(map(to_json, records))
    assert json.loads(members(tmp_path / "a.zip")["plan.json"]) == json.loads(to_json(run.plan))


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    run, records = small()
    (tmp_path / "a.zip").mkdir()
    with pytest.raises(OSError, match=r"a\.zip"):
        write(stored_whole(run, records), run, tmp_path / "a.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_names_that_end_in_zip_are_bundles() -> None:
    assert is_bundle("runs/a.zip")
    assert not is_bundle("latest~1")
    assert not is_bundle("quick-20260102-zip")


def test_a_run_without_facts_and_records_is_read_back(tmp_path: Path) -> None:
    run, _ = small()
    run = replace(run, facts=(), ended=None)
    found = Bundle.read(bundled(tmp_path / "a.zip", run, []))
    assert (found.run, found.records) == (run, [])
