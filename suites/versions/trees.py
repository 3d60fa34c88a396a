"""The files of a commit, written below results/revisions, so that imports find that commit."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from impls.interface.revision_tree import MARKER
from suites.versions.git import git

FOLDER: Final = Path("results/revisions")
"""Where the trees are written, one folder for each commit; they may be deleted."""
_DIGITS: Final = 12
"""Digits of the commit in the name of its folder."""


def tree_of(repository: Path, commit: str) -> Path:
    """The folder with all files of a commit, written now if it is not there.

    The files are as a checkout would write them, without submodules. Raises ValueError where they
    cannot be written.
    """
    place = FOLDER.absolute() / commit[:_DIGITS]
    if place.is_dir():
        return place
    try:
        FOLDER.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=FOLDER, prefix=".") as folder:
            _write(repository, commit, Path(folder).absolute()).rename(place)
    except OSError as error:
        if not place.is_dir():  # another run may have written it meanwhile
            raise ValueError(f"{place} cannot be written: {error.strerror}") from error
    return place


def _write(repository: Path, commit: str, folder: Path) -> Path:
    made = folder / "tree"
    made.mkdir()
    index = {"GIT_INDEX_FILE": str(folder / "index")}  # the user's own index stays as it is
    git(repository, "read-tree", commit, variables=index)
    git(repository, "checkout-index", "--all", "--quiet", f"--prefix={made}/", variables=index)
    about = {"repository": str(repository), "commit": commit}
    (made / MARKER).write_text(json.dumps(about))
    return made
