"""git bisect in a clone of its own: the user's repository and working tree stay as they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, Self

from suites.versions.git import GitError, git

Mark = Literal["good", "bad", "skip"]


@dataclass(slots=True)
class Bisection:
    """A search for the first bad commit between a good one and a bad one.

    clone  the repository that keeps its marks
    good   the commit known to be good
    paths  commits that change none of these are left out; empty: all count
    """

    clone: Path
    good: str
    paths: tuple[str, ...]
    _skipped: set[str] = field(default_factory=set)

    @classmethod
    @contextmanager
    def of(
        cls, repository: Path, good: str, bad: str, paths: tuple[str, ...] = ()
    ) -> Iterator[Self]:
        """A search in a temporary clone, which shares the objects of the repository.

        Raises GitError where the good commit is not an ancestor of the bad one.
        """
        with TemporaryDirectory(prefix="attnbench-bisect-", ignore_cleanup_errors=True) as folder:
            clone = Path(folder, "clone")
            git(repository, "clone", "--shared", "--no-checkout", "--quiet", ".", str(clone))
            try:
                git(clone, "merge-base", "--is-ancestor", good, bad)
            except GitError as error:
                raise GitError(f"{good[:7]} is no ancestor of {bad[:7]}") from error
            git(clone, "bisect", "start", "--no-checkout", bad, good, "--", *paths)
            yield cls(clone, good, paths)

    @property
    def bad(self) -> str:
        """The earliest commit that is marked as bad."""
        return git(self.clone, "rev-parse", "refs/bisect/bad")

    @property
    def left(self) -> list[str]:
        """The commits that may be the first bad one, the newest first."""
        marked = git(self.clone, "for-each-ref", "--format=%(objectname)", "refs/bisect/good-*")
        others = [f"^{commit}" for commit in marked.split()]
        found = git(self.clone, "rev-list", self.bad, *others, "--", *self.paths).split()
        return found if self.bad in found else [self.bad, *found]

    @property
    def commit(self) -> str:
        """The commit to judge next; empty where none is left that was not skipped."""
        if set(self.left) <= {self.bad, *self._skipped}:
            return ""
        return git(self.clone, "rev-parse", "BISECT_HEAD")

    def mark(self, commit: str, mark: Mark) -> None:
        """Mark a commit as judged."""
        if mark == "skip":
            self._skipped.add(commit)
        try:
            git(self.clone, "bisect", mark, commit)
        except GitError:
            if self.commit:  # otherwise only skipped commits are left, which git reports as failure
                raise


def subject(repository: Path, commit: str) -> str:
    """The first line of a commit's message."""
    return git(repository, "log", "-1", "--format=%s", commit)


def last_change(repository: Path, commit: str, path: str) -> str:
    """The latest commit up to this one that changed a file."""
    return git(repository, "rev-list", "-1", commit, "--", path)
