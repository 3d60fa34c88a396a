"""FILE.py@REVISION: a file as a commit of its repository has it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from impls import FOLDER, name_and_spec
from impls.interface.revision_tree import RevisionTree, import_root
from suites.records.bundles.sources import imported
from suites.records.plan import Entry
from suites.records.revision import SHORT, Revision
from suites.request.planning import Request
from suites.versions import git, trees
from suites.versions.git import GitError

AT: Final = re.compile(r"(?P<file>[^\[\]()]+?\.py)(?P<function>:\w+)?@(?P<revision>[^\[\]()]+)")
"""FILE.py@REVISION or FILE.py:FUNCTION@REVISION."""


@dataclass(frozen=True, slots=True)
class Version:
    """A file at a revision.

    place     the file of that revision
    revision  as recorded
    process   the process that measures it; "" is the one of the others
    """

    place: Path
    revision: Revision
    process: str

    @classmethod
    def of(cls, file: Path, typed: str) -> Version:
        """A file at a revision; its files are written. Raises GitError where there is none."""
        repository, path = git.repository_of(file)
        commit = git.commit_of(repository, typed)
        if not git.has_file(repository, commit, path):
            raise GitError(f"commit {commit[:SHORT]} has no file {path}")
        place = trees.tree_of(repository, commit) / path
        tree = RevisionTree.of(place)
        imports = tree.neighbours(place) if tree else set()
        revision = Revision(commit=commit, path=path, typed=typed)
        return cls(place, revision, f"{file.name}@{commit[:SHORT]}" if imports else "")

    @property
    def apart(self) -> str:
        """Why it has a process of its own; empty where it shares one."""
        short = self.revision.commit[:SHORT]
        return f"it imports files of its repository at {short}" if self.process else ""


@dataclass(frozen=True, slots=True)
class Placed:
    """A request whose files at revisions are replaced by the paths of written files.

    versions   these files
    processes  by spec: the process that measures it, where it has one of its own
    """

    request: Request
    versions: tuple[Version, ...]
    processes: dict[str, str]

    def described(self, entries: Iterable[Entry]) -> tuple[Entry, ...]:
        """The entries with the revisions of their files."""
        return tuple(map(self._described, entries))

    def _described(self, entry: Entry) -> Entry:
        files = [Path(each) for each in entry.files.values()]
        for version in self.versions:
            if version.place.resolve() in files:
                return replace(
                    entry,
                    revision=version.revision,
                    process=entry.process or version.process,
                    apart=version.apart or entry.apart,
                )
        own = next((file for file in files if file.parent != FOLDER), None)
        return replace(entry, revision=working(own)) if own else entry


def placed(request: Request) -> Placed:
    """The request with paths for files at revisions, which are written below results/revisions.

    Raises ValueError in one line for what git does not find.
    """
    found: dict[str, list[Version]] = {}
    texts = {text: _placed(text, found) for text in (*(request.specs or ()), request.against or "")}
    specs = None if request.specs is None else tuple(texts[text] for text in request.specs)
    _expect_different(specs or ())
    return Placed(
        replace(request, specs=specs, against=request.against and texts[request.against]),
        tuple(version for versions in found.values() for version in versions),
        {
            spec: process
            for spec, versions in found.items()
            for process in ["+".join(filter(None, (v.process for v in versions)))]
            if process
        },
    )


def _placed(text: str, found: dict[str, list[Version]]) -> str:
    """The text with paths; `found` gets its versions."""
    name, spec = name_and_spec(text)
    versions: list[Version] = []

    def path(match: re.Match[str]) -> str:
        if ":" in match["revision"]:
            raise ValueError(f"{text}: expected FILE.py:FUNCTION@REVISION")
        try:
            versions.append(Version.of(Path(match["file"]), match["revision"]))
        except GitError as error:
            raise ValueError(f"{text}: {error}") from error
        return f"{versions[-1].place}{match['function'] or ''}"

    made = AT.sub(path, spec)
    if not versions:
        return text
    named = f"{name or _usual_name(text, spec, versions[0])}={made}"
    found[named] = versions
    return named


def _usual_name(text: str, spec: str, version: Version) -> str:
    """The name of a version that has none: k.py@a1b2c3d."""
    match = AT.fullmatch(spec)
    name = Path(match["file"]).name if match else ""
    if match is None or "=" in name:
        raise ValueError(f"{text}: expected a name, as old={text}")
    return f"{name}{match['function'] or ''}@{version.revision.commit[:SHORT]}"


def _expect_different(specs: Iterable[str]) -> None:
    """Raise ValueError for a name that two specs have."""
    known: dict[str, str] = {}
    for spec in specs:
        name = name_and_spec(spec)[0]
        if name and known.setdefault(name, spec) != spec:
            raise ValueError(f"the name {name!r} is given twice; choose another for {spec}")


def working(file: Path) -> Revision | None:
    """The commit that is checked out where a file lies; None where no repository has one.

    It is changed where the file, or a file beside it that it imports, is not that of the commit.
    """
    try:
        repository, path = git.repository_of(file)
        commit = git.commit_of(repository, "HEAD")
        changes = git.changes(repository, [file, *imported(file, import_root(file))])
    except GitError:
        return None
    return Revision(commit=commit, path=path, changed=bool(changes))
