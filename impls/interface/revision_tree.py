"""Imports of a file at a revision: its neighbours in the repository are of that revision, too.

The files of a revision lie in a folder with a marker, which suites/versions writes.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os.path import isfile
from pathlib import Path
from typing import Final, Self

MARKER: Final = ".attnbench-revision.json"
"""A file in the root of the tree that names the repository and the commit."""
OURS: Final = frozenset({"impls", "suites", "reports"})
"""Packages of this program: a file at any revision imports the ones that run."""
_SHOWN: Final = 7
"""Digits of a commit in a message."""


@dataclass(frozen=True, slots=True)
class RevisionTree:
    """All files of a commit.

    root        the folder that holds them
    repository  the working tree of the repository
    commit      its full hash
    """

    root: Path
    repository: Path
    commit: str

    @classmethod
    def of(cls, file: Path) -> Self | None:
        """The tree that a file lies in; None for a file that is in none."""
        for folder in file.resolve().parents:
            marker = folder / MARKER
            if marker.is_file():
                found = json.loads(marker.read_text())
                return cls(folder, Path(found["repository"]).resolve(), found["commit"])
        return None

    def roots(self, file: Path) -> list[Path]:
        """The folders that imports of a file start from, the nearest first."""
        paths = (Path(each).resolve() for each in sys.path if each)
        installed = (p.relative_to(self.repository) for p in paths if self._is_own(p))
        found = [import_root(file.resolve()), self.root, self.root / "src"]
        found += [self.root / each for each in installed]
        return list(dict.fromkeys(each for each in found if each.is_dir()))

    def neighbours(self, file: Path) -> set[str]:
        """The modules of the tree that a file imports, and its package, by their first names."""
        roots = self.roots(file)
        package = file.resolve().relative_to(import_root(file.resolve())).parts[:-1]
        names = {*imported_names(file), *package[:1]}
        return {name for name in names - OURS if any(has_module(root, name) for root in roots)}

    def _is_own(self, path: Path) -> bool:
        """Whether a path is of the working tree, and of no tree of a revision."""
        return path.is_relative_to(self.repository) and not path.is_relative_to(self.root.parent)

    def expect_no_others(self, file: Path) -> None:
        """Raise ImportError where a neighbour was imported from outside of the tree."""
        own = self.neighbours(file)
        for name, module in list(sys.modules.items()):
            origin = getattr(module, "__file__", None)
            if name.partition(".")[0] not in own or origin is None:
                continue
            if not Path(origin).resolve().is_relative_to(self.root):
                raise ImportError(
                    f"{name} was imported from {origin}; expected the one of commit "
                    f"{self.commit[:_SHOWN]}"
                )


@contextmanager
def neighbours_first(file: Path) -> Iterator[None]:
    """While a file at a revision is imported, modules of its tree precede all others.

    Raises ImportError where one was imported from elsewhere before. Other files are not affected.
    """
    tree = RevisionTree.of(file)
    if tree is None:
        yield
        return
    before, roots = list(sys.path), list(map(str, tree.roots(file)))
    sys.path[:0] = roots
    try:
        yield
    finally:
        added = [each for each in (*sys.path[len(roots) :], *roots) if each not in before]
        sys.path[:] = [*before, *dict.fromkeys(added)]
    tree.expect_no_others(file)


def import_root(file: Path) -> Path:
    """The folder that imports of a file start from: its own, or the one that holds its package."""
    root = file.parent
    while isfile(root / "__init__.py"):  # noqa: PTH113 - Path.is_file raises for too long a name
        root = root.parent
    return root


def imported_names(file: Path) -> set[str]:
    """The first names of the modules that a file imports by their full names, anywhere in it."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return set()  # importing it raises
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names)


def has_module(root: Path, name: str) -> bool:
    """Whether a folder holds a module or a package of this name."""
    return (root / f"{name}.py").is_file() or any((root / name).glob("*.py"))
