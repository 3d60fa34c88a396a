"""bisect: the commit that made a file slower, by fake measurements and by one real search."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from reports.outputs import bisecting as output
from suites import bisecting
from suites.bisecting import Judged, Search, Step, Terms
from suites.conducting import Conducted
from suites.request.options import OPTIONS
from suites.request.planning import requested
from suites.request.suites import named
from suites.versions.git import git
from tests.command_line.program import call
from tests.versions.repository import Repository, attention

PROBLEM = "b1 h2 t64 d32 full"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """Ten commits; the seventh makes the function do its work twice."""
    made = Repository.at(tmp_path / "project")
    for number in range(10):
        made.commit(f"commit {number}", k=attention(f"{number}", times=1 + (number >= 7)))
    monkeypatch.chdir(tmp_path)
    return made


def terms(repository: Repository, span: str, **options: Any) -> Terms:
    given = {"--impl": [f"{repository.root}/k.py"], "--problem": [PROBLEM], **options}
    return Terms.of(span, requested(named("quick"), given), "sqlite://", "bisect")


class Fake:
    """Measurements by the number of the commit.

    verdicts  of the runs of a commit, in order; the last one stays
    """

    def __init__(self, repository: Repository, verdicts: dict[int, list[str]]) -> None:
        self.commits, self.verdicts = repository.commits, verdicts
        self.sessions: list[tuple[int, int | None]] = []

    def search(self, of: Terms) -> Search:
        return Search(of, self.judge, lambda _: nullcontext(), self.measure)  # type: ignore[arg-type, return-value] # a fake

    def measure(self, _: Terms, commit: str, sessions: int | None, __: Any) -> Conducted:
        number = self.commits.index(commit)
        self.sessions.append((number, sessions))
        if self.verdicts.get(number) == ["broken"]:
            raise ValueError("k.py does not import: NameError")
        plan = type("Plan", (), {"sessions": 5})
        run = type("Run", (), {"name": f"run-{len(self.sessions)}", "plan": plan, "of": number})
        return Conducted(run, None, [])  # type: ignore[arg-type] # a fake

    def judge(self, done: Conducted) -> Judged:
        number = done.run.of  # type: ignore[attr-defined] # a fake
        usual = ["slower" if number >= 7 else "within"]
        own = self.verdicts.get(number, usual)
        verdict: Any = own.pop(0) if len(own) > 1 else own[0]
        return Judged(verdict=verdict, ratio=2.0 if number >= 7 else 1.0, low=0.9, high=2.1)


def searched(
    repository: Repository, span: str = "HEAD~9..HEAD", **verdicts: list[str]
) -> tuple[Search, list[Step], Fake]:
    fake = Fake(repository, {int(name[1:]): each for name, each in verdicts.items()})
    search = fake.search(terms(repository, span))
    return search, list(search.steps()), fake


def test_the_first_slower_commit_is_found(repository: Repository) -> None:
    search, steps, _ = searched(repository)
    assert search.found is not None
    assert search.found.first is not None
    assert search.found.first.commit == repository.commits[7]
    assert steps[0].commit == repository.commits[9]
    assert len(steps) <= 5


def test_a_range_whose_end_is_not_slower_is_not_searched(repository: Repository) -> None:
    search, steps, _ = searched(repository, "HEAD~9..HEAD~4")
    assert [each.mark for each in steps] == ["good"]
    assert search.found == bisecting.Found(first=None)


def test_an_undecided_commit_is_measured_again_with_twice_the_sessions(
    repository: Repository,
) -> None:
    search, _, fake = searched(repository, n9=["undecided", "slower"])
    assert fake.sessions[:2] == [(9, None), (9, 10)]
    assert search.found is not None
    assert search.found.first is not None


def test_a_commit_that_stays_undecided_is_skipped(repository: Repository) -> None:
    search, steps, _ = searched(repository, n6=["undecided"], n7=["undecided"])
    assert {each.commit for each in steps if each.mark == "skip"} <= set(repository.commits[6:8])
    assert search.found is not None
    assert search.found.first is None
    assert set(search.found.left) == set(repository.commits[6:9])


def test_a_commit_that_does_not_import_is_skipped_with_its_reason(repository: Repository) -> None:
    search, steps, _ = searched(repository, n4=["broken"], n5=["broken"])
    broken = [each for each in steps if each.mark == "skip"]
    assert {each.judged.reason for each in broken} <= {"k.py does not import: NameError"}
    assert search.found is not None
    assert search.found.first is not None
    assert search.found.first.commit == repository.commits[7]


def test_commits_that_do_not_change_the_file_are_not_measured(repository: Repository) -> None:
    for number in range(5):
        repository.commit(f"other {number}", other=attention(f"{number}"))
    search, steps, _ = searched(repository, "HEAD~14..HEAD")
    assert {each.commit for each in steps} <= set(repository.commits[:10])
    assert search.found is not None
    assert search.found.first is not None


def test_the_repository_and_its_working_tree_stay_as_they_are(repository: Repository) -> None:
    (repository.root / "k.py").write_text("# not committed\n")
    before = git(repository.root, "for-each-ref"), git(repository.root, "status", "--porcelain")
    searched(repository)
    after = git(repository.root, "for-each-ref"), git(repository.root, "status", "--porcelain")
    assert after == before
    assert not (repository.root / ".git/BISECT_START").exists()


@pytest.mark.parametrize(
    ("span", "options", "message"),
    [
        ("HEAD", {}, "'HEAD' is no range; expected GOOD..BAD"),
        ("HEAD~2...HEAD", {}, "is no range; expected GOOD..BAD"),
        ("nowhere..HEAD", {}, "has no commit 'nowhere'"),
        ("HEAD..HEAD", {}, "HEAD..HEAD: no commit of it changes k.py"),
        ("HEAD~1..HEAD", {"--impl": ["naive"]}, "--impl is naive; expected one FILE.py"),
        ("HEAD~1..HEAD", {"--impl": ["a.py", "b.py"]}, "--impl is a.py, b.py; expected one"),
        ("HEAD~1..HEAD", {"--problem": []}, "--problem is missing"),
    ],
)
def test_mistakes_of_the_command_line_are_refused(
    repository: Repository, span: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        terms(repository, span, **options)


def test_a_good_commit_after_the_bad_one_is_refused(repository: Repository) -> None:
    with pytest.raises(ValueError, match=r"git bisect: .{7} is no ancestor of .{7}"):
        searched(repository, "HEAD..HEAD~1", n8=["slower"])


def test_what_is_printed_names_commits_ratios_and_the_result(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = Fake(repository, {})
    status = output.report(fake.search(terms(repository, "HEAD~9..HEAD")), 0.02, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    short = repository.commits[7][:7]
    assert status == 0
    assert lines[0].startswith(f"{repository.commits[9][:7]}  slower  2.000 [0.900, 2.100]")
    assert lines[-1].startswith(f"{short} (commit 7) made it slower by more than 2 %: 2.000")


@pytest.mark.parametrize(
    ("span", "verdicts", "ending"),
    [
        ("HEAD~9..HEAD~4", {}, "is not slower by more than 2 %: nothing to find"),
        ("HEAD~9..HEAD", {9: ["undecided"]}, "could not be judged: nothing was searched"),
        ("HEAD~9..HEAD", {6: ["broken"], 7: ["broken"]}, "one of 3 commits made it slower by"),
    ],
)
def test_a_search_without_a_result_says_why_and_ends_with_1(
    repository: Repository,
    span: str,
    verdicts: dict[int, list[str]],
    ending: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    search = Fake(repository, verdicts).search(terms(repository, span))
    assert output.report(search, 0.02, as_json=False) == 1
    assert ending in capsys.readouterr().out.splitlines()[-1]


def test_every_option_of_a_search_is_one_of_run() -> None:
    from suites.request.options import BISECT_OPTIONS

    assert {option.name for option in BISECT_OPTIONS} <= OPTIONS.keys()


def test_a_real_search_finds_the_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = Repository.at(tmp_path / "project")
    broken = "import nowhere_at_all\n"
    for subject, text in {
        "first": attention("1"),
        "does its work three times": attention("2", times=3),
        "does not import": broken,
        "last": attention("4", times=3),
    }.items():
        repository.commit(subject, k=text)
    range_and_file = ("HEAD~3..HEAD", "--impl", f"{repository.root}/k.py", "--json")
    problem = ("--problem", "b1 h4 t256 d64 full", "--sessions", "2", "--threads", "1")
    limit = ("--fail-if-slower", "20%")
    words = ("bisect", *range_and_file, *problem, *limit)
    ended = call(*words, monkeypatch=monkeypatch, capsys=capsys, cwd=tmp_path)
    found = json.loads(ended.stdout)
    marks = {each["commit"]: each["mark"] for each in found["steps"]}
    assert marks[repository.commits[3]] == "bad"
    assert marks.get(repository.commits[2], "skip") == "skip"
    assert found["found"] == repository.commits[1], found
    assert (ended.status, found["left"]) == (0, [repository.commits[1]])
