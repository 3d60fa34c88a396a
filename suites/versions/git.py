"""Calls of the program git. They read a repository, and never change it or its working tree."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

_LOCATIONS: Final = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR")
"""Variables that a hook of another repository sets: they would replace the folder of a call."""


class GitError(ValueError):
    """A call of git failed; the message is its last line."""


def git(folder: Path, *words: str, variables: Mapping[str, str] | None = None) -> str:
    """What git prints on a call in a folder, without the last line break.

    variables  added to the environment

    Raises GitError where git is not installed or the call fails.
    """
    kept = {name: value for name, value in os.environ.items() if name not in _LOCATIONS}
    try:
        made = subprocess.run(  # noqa: S603 - words of this program, no shell
            ["git", "-C", str(folder), *words],  # noqa: S607 - the git of the user's PATH
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            env={**kept, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", **(variables or {})},
        )
    except OSError as error:
        raise GitError(f"git does not start: {error.strerror}; expected it to be installed") from (
            error
        )
    if made.returncode:
        lines = made.stderr.strip().splitlines()
        raise GitError(lines[-1] if lines else f"git {words[0]} ended with {made.returncode}")
    return made.stdout.removesuffix("\n")


def repository_of(file: Path) -> tuple[Path, str]:
    """The repository that holds a file, and the file's path in it; the file need not exist.

    Raises GitError where no repository holds it.
    """
    absolute = Path(os.path.normpath(Path.cwd() / file))
    folder = next(each for each in absolute.parents if each.is_dir())
    root = Path(git(folder, "rev-parse", "--show-toplevel"))
    inside = absolute.relative_to(folder)
    return root, (folder.resolve() / inside).relative_to(root.resolve()).as_posix()


def commit_of(repository: Path, revision: str) -> str:
    """The full hash of the commit that a revision names. Raises GitError for an unknown one."""
    if revision.startswith("-"):
        raise GitError(f"{revision!r} is no revision")
    try:
        return git(repository, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    except GitError as error:
        raise GitError(f"{repository} has no commit {revision!r}") from error


def has_file(repository: Path, commit: str, path: str) -> bool:
    """Whether a commit has a file of this path."""
    try:
        return git(repository, "cat-file", "-t", f"{commit}:{path}") == "blob"
    except GitError:
        return False


def changes(repository: Path, files: Iterable[Path]) -> list[str]:
    """Those of these files that differ from the commit that is checked out, or that it lacks."""
    words = ("status", "--porcelain", "--ignored", "--untracked-files=all", "--")
    return git(repository, *words, *map(str, files)).splitlines()
