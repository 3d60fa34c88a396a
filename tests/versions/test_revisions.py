"""FILE.py@REVISION: the file of a commit, the process it needs, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import impls
from suites.engine.catalogue import open_catalogue
from suites.records.codec import from_json, to_json
from suites.records.plan import Entry
from suites.records.revision import Revision
from suites.request.planning import Request, specs_of
from suites.request.suites import named
from suites.versions import git as git_calls
from suites.versions.git import git
from suites.versions.revisions import Placed, placed, working
from tests.versions.repository import Repository, attention

QUICK = named("quick")
PACKAGE = (
    "from pack_of_tests.factor import FACTOR\n\ndef attention(q, k, v):\n    return FACTOR * v\n"
)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """Three commits of k.py; the working directory is beside it."""
    made = Repository.at(tmp_path / "project")
    made.commit("first", k=attention("one"))
    made.commit("second", k=attention("two"))
    made.commit("third", k=attention("three"), other=attention("other"))
    beside = tmp_path / "beside"
    beside.mkdir()
    monkeypatch.chdir(beside)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return made


def places(*specs: str, against: str | None = None) -> Placed:
    return placed(Request(suite=QUICK, specs=specs, against=against))


def spec_of(placed: Placed, position: int = 0) -> str:
    return (placed.request.specs or ())[position]


def test_a_revision_is_the_file_of_that_commit(repository: Repository) -> None:
    found = places(f"old={repository.root}/k.py@HEAD~1")
    name, _, path = spec_of(found).partition("=")
    assert (name, Path(path).read_text()) == ("old", attention("two"))
    assert Path(path).parent == Path.cwd() / "results/revisions" / repository.commits[1][:12]
    assert not found.processes
    assert (repository.root / "k.py").read_text() == attention("three")


def test_writing_a_revision_leaves_the_repository_as_it_is(repository: Repository) -> None:
    (repository.root / "k.py").write_text("# not committed\n")
    git(repository.root, "add", "k.py")
    before = git(repository.root, "status", "--porcelain")
    places(f"old={repository.root}/k.py@{repository.commits[0]}")
    assert git(repository.root, "status", "--porcelain") == before == "M  k.py"
    assert git(repository.root, "diff", "--cached", "--name-only") == "k.py"


def test_a_revision_without_a_name_is_named_by_its_commit(repository: Repository) -> None:
    short = repository.commits[1][:7]
    found = places(f"{repository.root}/k.py@HEAD~1", f"{repository.root}/k.py:attention@HEAD~1")
    names = [spec_of(found, position).partition("=")[0] for position in (0, 1)]
    assert names == [f"k.py@{short}", f"k.py:attention@{short}"]
    assert spec_of(found, 1).endswith("k.py:attention")


def test_settings_and_layers_of_a_revision_need_a_name(repository: Repository) -> None:
    path = f"{repository.root}/k.py@HEAD~1"
    with pytest.raises(ValueError, match="expected a name, as old=multi_head"):
        places(f"multi_head({path})")
    found = places(f"old=multi_head({path})")
    assert spec_of(found).startswith(f"old=multi_head({Path.cwd()}/results/revisions/")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("k.py@nowhere", "k.py@nowhere: .*project has no commit 'nowhere'"),
        ("k.py@--all", "k.py@--all: '--all' is no revision"),
        ("other.py@HEAD~1", "other.py@HEAD~1: commit .{7} has no file other.py"),
        ("k.py@HEAD~1:attention", "k.py@HEAD~1:attention: expected FILE.py:FUNCTION@REVISION"),
    ],
)
def test_what_git_does_not_find_is_refused_in_one_line(
    repository: Repository, spec: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        places(f"{repository.root}/{spec}")
    assert "\n" not in str(raised.value)


def test_a_file_in_no_repository_is_refused(repository: Repository) -> None:
    (Path.cwd() / "k.py").write_text(attention())
    with pytest.raises(ValueError, match=r"k\.py@HEAD: .*not a git repository"):
        places("k.py@HEAD")


def test_a_machine_without_git_is_refused(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ValueError, match=r"git does not start: .*; expected it to be installed"):
        places(f"{repository.root}/k.py@HEAD")
    assert working(repository.root / "k.py") is None


def test_variables_of_a_hook_of_git_do_not_choose_the_repository(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere/index")
    assert places(f"old={repository.root}/k.py@HEAD").versions
    assert git_calls.commit_of(repository.root, "HEAD") == repository.commits[2]


def test_a_name_that_is_given_twice_is_refused(repository: Repository) -> None:
    path = repository.root / "k.py"
    with pytest.raises(ValueError, match="the name 'a' is given twice; choose another for a="):
        places(f"a={path}@HEAD", f"a={path}")


def test_a_baseline_may_be_a_revision(repository: Repository) -> None:
    path = repository.root / "k.py"
    found = places(str(path), against=f"{path}@HEAD~1")
    assert found.request.against == (specs_of(found.request) or [])[1]
    same = places(f"old={path}@HEAD", f"new={path}", against="old")
    assert specs_of(same.request) == [*(same.request.specs or ())]


def test_entries_have_the_commit_of_their_file(repository: Repository) -> None:
    path = repository.root / "k.py"
    path.write_text(attention("changed"))
    found = places(f"old={path}@HEAD~2", f"new={path}", f"other={repository.root}/other.py")
    _, entries = open_catalogue(specs_of(found.request), threads=1)
    old, new, other = found.described(entries)
    assert old.revision == Revision(commit=repository.commits[0], path="k.py", typed="HEAD~2")
    assert new.revision == Revision(commit=repository.commits[2], path="k.py", changed=True)
    assert other.revision == Revision(commit=repository.commits[2], path="other.py")
    assert str(old.revision) == f"k.py at {repository.commits[0][:7]}"
    assert str(new.revision) == f"k.py with changes since {repository.commits[2][:7]}"
    assert from_json(Entry, to_json(old)) == old
    assert [each.process for each in (old, new, other)] == ["", "", ""]


def test_a_file_that_no_commit_has_is_a_change(repository: Repository) -> None:
    path = repository.root / "k_new.py"
    path.write_text(attention())
    found = working(path)
    assert found is not None
    assert (found.commit, found.changed) == (repository.commits[2], True)


def test_a_change_of_an_imported_file_is_a_change(repository: Repository) -> None:
    repository.commit("package", near="FACTOR = 1\n", k=f"import near\n{attention()}")
    path = repository.root / "k.py"
    before = working(path)
    (repository.root / "near.py").write_text("FACTOR = 2\n")
    after = working(path)
    assert before is not None
    assert after is not None
    assert (before.changed, after.changed) == (False, True)


@pytest.mark.parametrize(
    "imports",
    ["from . import factor", "from package import factor", "import package.factor", "import near"],
)
def test_a_file_that_imports_its_repository_has_a_process_of_its_own(
    repository: Repository, imports: str
) -> None:
    folder = "package" if "package" in imports or " ." in imports else "plain"
    more = {"package_in___init__": ""} if folder == "package" else {}
    files = {f"{folder}_in_k": f"{imports}\n{attention()}", f"{folder}_in_near": "", **more}
    commit = repository.commit("neighbours", **files)
    found = places(f"old={repository.root}/{folder}/k.py@HEAD", f"new={repository.root}/k.py")
    assert list(found.processes.values()) == [f"k.py@{commit[:7]}"]
    assert found.versions[0].apart == f"it imports files of its repository at {commit[:7]}"


def test_imports_of_a_revision_find_the_files_of_that_revision(repository: Repository) -> None:
    package = {"pack_of_tests_in___init__": "", "pack_of_tests_in_k": PACKAGE}
    for factor in (1, 2, 3):
        repository.commit(f"{factor}", **package, pack_of_tests_in_factor=f"FACTOR = {factor}\n")
    path = repository.root / "pack_of_tests/k.py"
    found = places(f"new={path}", f"old={path}@HEAD~1", f"oldest={path}@HEAD~2")
    _, entries = open_catalogue(specs_of(found.request), threads=1, processes=found.processes)
    assert [each.name for each in entries] == ["new", "old", "oldest"]
    shorts = [commit[:7] for commit in repository.commits[-3:]]
    assert [each.process for each in entries] == ["", f"k.py@{shorts[1]}", f"k.py@{shorts[0]}"]
    (old,) = impls.load_file(Path(entries[1].files["attention"]))
    assert old.function(0, 0, 1) == 2
    # This process now has the package of one commit: another one is refused, never mixed with it.
    with pytest.raises(ValueError, match=r"pack_of_tests.*; expected the one of commit"):
        impls.load_file(Path(entries[2].files["attention"]))
