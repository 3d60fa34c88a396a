"""Reruns: the plan of a run once more, with the files, threads and devices that are here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from impls import FOLDER
from impls.interface import Limits, Problem
from suites import rerunning
from suites.records.bundles.layout import BundleError
from suites.records.plan import Entry
from suites.records.revision import Revision
from suites.records.store import Store
from suites.rerunning import differences, fitting, rerun, source, spec_of
from tests.command_line.program import RIGHT
from tests.judging.fake_judging import Silent
from tests.records.bundles import bundled, entry, small

SMALL = Problem.parse("b1 h1 t16 d8")


def test_a_plan_is_measured_again_and_what_is_not_here_is_recorded(tmp_path: Path) -> None:
    """A device, a file and an implementation are of another machine."""
    (tmp_path / "mine.py").write_text(RIGHT)
    mine = entry("mine", tmp_path / "mine.py")
    lost = replace(
        entry("naive", FOLDER / "naive.py"), name="gone", files={"gone": "files/gone.py"}
    )
    run, _ = small(mine, entry("naive", FOLDER / "naive.py"), lost, Entry(name="newer"))
    on_mps = Problem.parse("b1 h1 t16 d8 mps")
    plan = replace(run.plan, problems=(SMALL, on_mps), sessions=1, threads=(1,), baseline="naive")
    url = f"sqlite:///{tmp_path}/b.db"
    done = rerun(replace(run, plan=plan), url, "rerun a.zip", Silent(), None)
    ended = {(r.problem, r.implementation): r for r in done.records if r.session == 0}
    assert {name: ended[SMALL, name].status for name in ("mine", "naive", "gone", "newer")} == {
        "mine": "ok",
        "naive": "ok",
        "gone": "missing",
        "newer": "missing",
    }
    assert ended[SMALL, "gone"].reason == "its file files/gone.py is not here"
    assert ended[SMALL, "newer"].reason.startswith("unknown implementation 'newer'")
    for name in ("mine", "naive", "gone", "newer"):
        assert ended[on_mps, name].status == "refused"
        assert ended[on_mps, name].reason.startswith("this machine has no mps; it has c")
    assert {r.implementation for r in done.records if r.times_ms} == {"mine", "naive"}
    made = Store.open(url).run()
    assert (made.plan.seed, made.plan.problems) == (plan.seed, plan.problems)
    assert (made.plan.sessions, made.plan.baseline) == (1, "naive")
    assert made.plan.entries[0].files == mine.files
    assert made.command == "rerun a.zip"
    assert made.ended


def test_names_become_what_impl_takes_here(tmp_path: Path) -> None:
    file = tmp_path / "my own.py"
    file.write_text("x = 1\n")
    files = {"multi_head": str(FOLDER / "multi_head.py"), "mine": str(file)}
    layer = Entry(name="multi_head(mine[block=4])", files=files)
    assert spec_of(layer) == f"multi_head({file}:mine[block=4])"
    assert spec_of(Entry(name="my own.mine", files={"my own.mine": str(file)})) == f"{file}:mine"
    nested = {"mine_layer": str(file), "mine": str(file)}
    assert spec_of(Entry(name="mine_layer(mine)", files=nested)) == (
        f"{file}:mine_layer({file}:mine)"
    )
    installed = {"dot": "installed/package/deep/module.py"}
    assert spec_of(Entry(name="dot", files=installed)) == "package.deep.module:dot"
    assert spec_of(Entry(name="naive", files={"naive": str(FOLDER / "naive.py")})) == "naive"
    with pytest.raises(ValueError, match=r"its file files/mine\.py is not here"):
        spec_of(Entry(name="mine", files={"mine": "files/mine.py"}))


def test_threads_and_memory_fit_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rerunning, "cores", lambda: 4)
    run, _ = small(Entry(name="naive", limits=(Limits(),)))
    assert differences(run) == []
    whole = psutil.virtual_memory().total
    large = replace(run.plan, threads=(2, 8, 16), memory_limit=2 * whole)
    assert fitting(large).threads == (2, 4)
    assert fitting(large).memory_limit < whole
    threads, memory = differences(replace(run, plan=large))
    assert threads == "threads: 2,8,16 in the run, 2,4 here: it has 4 CPUs"
    assert memory.startswith(f"memory limit: {2 * whole / 2**30:.3g} GiB in the run, ")


def test_files_that_differ_are_named_with_both_hashes(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(RIGHT)
    mine, naive = entry("mine", file), entry("naive", FOLDER / "naive.py")
    run, _ = small(mine, replace(naive, hashes={"naive": "0123456789abcdef"}))
    assert differences(run) == [
        (
            f"naive: the hash of naive.py is 0123456789abcdef in the run and "
            f"{naive.hashes['naive']} here"
        )
    ]
    file.unlink()
    assert f"mine: its file {file} is not here, so it is not measured" in differences(run)


def test_a_source_is_a_stored_run_or_a_bundle(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(RIGHT)
    run, records = small(entry("mine", tmp_path / "mine.py"))
    bundle = bundled(tmp_path / "a.zip", run, records)
    (tmp_path / "mine.py").unlink()
    found, files = source(str(bundle), "sqlite:///nowhere.db", tmp_path / "there")
    (file,) = files
    assert file.read_text() == RIGHT
    assert file.parent.parent.parent == tmp_path / "there"
    assert file.parent.parent.name.startswith(f"{run.name}-")
    assert found.plan.entries[0].files == {"mine": str(file)}
    assert differences(found) == []
    url = f"sqlite:///{tmp_path}/b.db"
    Store.open(url).begin(replace(run, facts=()))
    assert source("latest", url, tmp_path) == (Store.open(url).run(), [])
    with pytest.raises(BundleError, match="no bundle at "):
        source(str(tmp_path / "b.zip"), url, tmp_path)


def test_a_name_of_the_run_is_kept_with_its_file(tmp_path: Path) -> None:
    file = tmp_path / "k.py"
    file.write_text("x = 1\n")
    old = Entry(name="old", spec="k.attention", files={"k.attention": str(file)})
    assert spec_of(old) == f"old={file}:attention"
    sized = Entry(name="b", spec="chunked[block_q=128]", files={"chunked": str(FOLDER / "c.py")})
    assert spec_of(sized) == "b=chunked[block_q=128]"


def test_a_rerun_keeps_process_and_commit_of_files_with_the_same_bytes() -> None:
    commit = Revision(commit="a" * 40, path="k.py", typed="HEAD~1")
    own: dict[str, Any] = {"process": "k.py@aaaaaaa", "apart": "it imports", "revision": commit}
    planned = [Entry(name=name, hashes={"attention": "1"}, **own) for name in ("old", "changed")]
    found = [Entry(name="old", hashes={"attention": "1"})]
    found += [Entry(name="changed", hashes={"attention": "2"})]
    same, other = rerunning._as_planned(found, planned)
    assert same == planned[0]
    assert (other.process, other.revision) == ("k.py@aaaaaaa", None)
