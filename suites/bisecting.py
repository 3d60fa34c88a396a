"""Finds the commit that made a file slower: each commit is measured beside the good one.

`good` and `candidate` are two implementations of one run, so their calls alternate. A run is made
for every commit and kept in the store.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from suites.conducting import Conducted, Live, begin
from suites.records.revision import SHORT
from suites.records.store import Store
from suites.request.planning import Request
from suites.versions import bisection, git
from suites.versions.bisection import Bisection, Mark
from suites.versions.git import GitError
from suites.versions.revisions import Version

GOOD: Final = "good"
CANDIDATE: Final = "candidate"
_RANGE: Final = re.compile(r"(?P<good>.*[^.])\.\.(?P<bad>[^.].*)?")
_FILE: Final = re.compile(r"(?P<file>.+\.py)(?P<function>:\w+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """How a commit compares with the good one.

    verdict  slower: by more than the limit; within it; undecided; or none where it has no times
    ratio    of its time to that of the good commit on the problem that decides; None without times
    low, high  of the confidence interval
    reason   why there is no verdict
    """

    verdict: Literal["slower", "within", "undecided", "none"]
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A commit that was measured.

    runs    the names of its runs, one or two
    judged  of the last one
    mark    the answer for git bisect
    """

    commit: str
    subject: str
    runs: tuple[str, ...]
    judged: Judged
    mark: Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The end of a search.

    first  the first slower commit; None where the last commit is not slower, or where commits in
           between could not be judged
    left   the commits that may be the first slower one, the newest first
    """

    first: Step | None
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The range, the file and the settings of a search.

    file      path of the file, with `:FUNCTION` in `function` where one was typed
    path      of the file in its repository
    good, bad  full hashes
    paths     what a commit has to change to be measured; empty: every commit is
    request   problems and settings
    """

    repository: Path
    file: Path
    function: str
    path: str
    good: str
    bad: str
    paths: tuple[str, ...]
    request: Request
    url: str
    command: str

    @classmethod
    def of(cls, span: str, request: Request, url: str, command: str) -> Terms:
        """The terms of a command line. Raises ValueError for a mistake in it."""
        file, function = _file_of(request)
        typed_good, typed_bad = _ends(span)
        if not request.problems:
            raise ValueError('--problem is missing; expected one, as "b1 h8 t1024 d64 causal"')
        try:
            repository, path = git.repository_of(file)
            ends = [git.commit_of(repository, each) for each in (typed_good, typed_bad)]
            versions = [Version.of(file, each) for each in ends]
        except GitError as error:
            raise ValueError(f"{file}: {error}") from error
        paths = () if any(each.process for each in versions) else (path,)
        good, bad = (
            bisection.last_change(repository, each, path) if paths else each for each in ends
        )
        if good == bad:
            raise ValueError(f"{span}: no commit of it changes {path}; expected a range that does")
        Store.open(url)
        return cls(
            repository=repository,
            file=file,
            function=function,
            path=path,
            good=good,
            bad=bad,
            paths=paths,
            request=request,
            url=url,
            command=command,
        )

    def request_of(self, commit: str, sessions: int | None) -> Request:
        """The request that measures a commit beside the good one."""
        names = {GOOD: self.good, CANDIDATE: commit}
        specs = tuple(f"{n}={self.file}{self.function}@{each}" for n, each in names.items())
        settings = dict(self.request.settings) | ({"sessions": sessions} if sessions else {})
        return replace(self.request, specs=specs, against=GOOD, settings=settings)


Measure = Callable[[Terms, str, int | None, Live], Conducted]
"""Measures a commit beside the good one, in a number of sessions (None: the usual one)."""
Judge = Callable[[Conducted], Judged]
Show = Callable[[str], Live]
"""The progress of a run, by its title."""


def measure(of: Terms, commit: str, sessions: int | None, live: Live) -> Conducted:
    """Measure a commit beside the good one, in a run of the store."""
    return begin(of.request_of(commit, sessions), of.url, of.command, live, None)


@dataclass(slots=True)
class Search:
    """A search: iterate over its steps; `found` is known at the end."""

    of: Terms
    judge: Judge
    show: Show
    measure: Measure = measure
    found: Found | None = None

    def steps(self) -> Iterator[Step]:
        """Every measured commit, as soon as it is judged: the bad one first."""
        last = self._step(self.of.bad)
        yield last
        if last.mark != "bad":
            self.found = Found(first=None)
            return
        with self._bisection() as search:
            latest_bad = last
            while commit := search.commit:
                step = self._step(commit)
                yield step
                search.mark(commit, step.mark)
                latest_bad = step if step.mark == "bad" else latest_bad
            left = tuple(search.left)
        self.found = Found(first=latest_bad if len(left) == 1 else None, left=left)

    @contextmanager
    def _bisection(self) -> Iterator[Bisection]:
        of = self.of
        try:
            with Bisection.of(of.repository, of.good, of.bad, of.paths) as search:
                yield search
        except GitError as error:
            raise ValueError(f"git bisect: {error}") from error

    def _step(self, commit: str) -> Step:
        """Measure a commit, twice where the first run does not decide."""
        runs: list[str] = []
        judged = Judged(verdict="undecided")
        sessions: int | None = None
        for _ in range(2):
            try:
                done = self._measured(commit, sessions)
            except ValueError as error:  # it does not import, or has no such function
                judged = Judged(verdict="none", reason=str(error))
                break
            runs.append(done.run.name)
            judged, sessions = self.judge(done), 2 * done.run.plan.sessions
            if judged.verdict != "undecided":
                break
        marks: dict[str, Mark] = {"slower": "bad", "within": "good"}
        return Step(
            commit=commit,
            subject=bisection.subject(self.of.repository, commit),
            runs=tuple(runs),
            judged=judged,
            mark=marks.get(judged.verdict, "skip"),
        )

    def _measured(self, commit: str, sessions: int | None) -> Conducted:
        subject = bisection.subject(self.of.repository, commit)
        again = f", {sessions} sessions" if sessions else ""
        live = self.show(f"{commit[:SHORT]} {subject}{again}")
        return self.measure(self.of, commit, sessions, live)


def _ends(span: str) -> tuple[str, str]:
    """The two revisions of GOOD..BAD; without BAD, HEAD."""
    match = _RANGE.fullmatch(span)
    if match is None:
        raise ValueError(f"{span!r} is no range; expected GOOD..BAD, as v1.0..HEAD")
    return match["good"], match["bad"] or "HEAD"


def _file_of(request: Request) -> tuple[Path, str]:
    """The one file of --impl, and `:FUNCTION` or nothing."""
    specs = request.specs or ()
    match = _FILE.fullmatch(specs[0]) if len(specs) == 1 else None
    if match is None:
        raise ValueError(
            f"--impl is {', '.join(specs) or 'missing'}; expected one FILE.py or FILE.py:FUNCTION"
        )
    return Path(match["file"]), match["function"] or ""
