"""Files that the implementations of a plan need, and their places in a bundle."""

from __future__ import annotations

import ast
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, field
from os.path import isfile
from pathlib import Path
from typing import Final, Self

from impls import FOLDER, fingerprint
from impls.interface.revision_tree import import_root
from suites.records.bundles.layout import INSTALLED, OF_USER, OURS, inputs_name, is_file_name
from suites.records.input_files import InputFile
from suites.records.plan import Plan

NO_TENSORS: Final = "a bundle has no tensors of yours; --format bundle-with-inputs adds them"
_INSTALLED: Final = ("purelib", "platlib", "stdlib")


@dataclass(slots=True)
class Sources:
    """Files of a plan.

    members   paths to read, by the names of members
    places    names of members, by the paths that the plan has
    lacking   names of members that cannot be written, with the reason
    """

    members: dict[str, Path] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    lacking: dict[str, str] = field(default_factory=dict)
    _roots: list[Path] = field(default_factory=list)

    @classmethod
    def of(cls, plan: Plan, *, with_inputs: bool = False) -> Self:
        """The files of a plan, with the user's files that they import.

        with_inputs  whether the user's own tensors are members, too

        A file that is gone, or has changed since the run, is lacking.
        """
        found = cls()
        for entry in plan.entries:
            for name, path in entry.files.items():
                if path not in found.places:
                    found._add(path, entry.hashes.get(name, ""))
        for inputs in plan.inputs:
            found._add_inputs(inputs, wanted=with_inputs)
        return found

    def _add_inputs(self, file: InputFile, *, wanted: bool) -> None:
        place = self.places[file.path] = inputs_name(file)
        try:
            file.expect_unchanged()
        except ValueError as error:
            self.lacking[place] = str(error)
            return
        if wanted:
            self.members[place] = Path(file.path)
        else:
            self.lacking[place] = NO_TENSORS

    def _add(self, path: str, hashed: str) -> None:
        file = _file(path, hashed)
        place = self.places[path] = self._place(file)
        if place.startswith(INSTALLED):
            return
        if why := _unlike(place, file, hashed):
            self.lacking[place] = why
            return
        self.members[place] = file
        if not place.startswith(OURS):
            root = import_root(file)
            self.members |= {self._place(each): each for each in imported(file, root)}

    def _place(self, file: Path) -> str:
        """The name of the member for a file."""
        if file.parent == FOLDER:
            return f"{OURS}{file.name}"
        for key in _INSTALLED:
            folder = Path(sysconfig.get_path(key))
            if file.is_relative_to(folder):
                return f"{INSTALLED}{file.relative_to(folder).as_posix()}"
        root = import_root(file)
        if root not in self._roots:
            self._roots.append(root)
        number = self._roots.index(root) + 1
        return f"{OF_USER}{'' if number == 1 else number}/{file.relative_to(root).as_posix()}"


def _file(path: str, hashed: str) -> Path:
    """The file of a path; that of this program where it has the same name and content.

    The run may have used another copy of this program, or the program may have been moved since.
    """
    ours = FOLDER / Path(path).name
    # Path.is_file raises for too long a name.
    is_same = isfile(ours) and fingerprint(str(ours)) == hashed  # noqa: PTH113 - see above
    return ours if is_same else Path(path)


def imported(file: Path, root: Path) -> set[Path]:
    """Files below `root` that a file imports, directly or through others; not the file itself.

    Only import statements count. A package's `__init__.py` belongs to each of its modules.
    """
    found: set[Path] = set()
    waiting = [file]
    while waiting:
        each = waiting.pop()
        own = {path for name in _modules(each, root) for path in _files_of(name, root)}
        waiting += own - found - {file}
        found |= own
    return found - {file}


def _modules(file: Path, root: Path) -> Iterator[str]:
    """Dotted names of the modules that a file's import statements may mean, its own first."""
    package = file.relative_to(root).parent.parts
    yield ".".join((*package, file.stem))
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*above, *filter(None, [node.module])))
            yield from (f"{module}.{alias.name}".lstrip(".") for alias in node.names)


def _files_of(name: str, root: Path) -> Iterator[Path]:
    """The files of a module and of the packages that hold it, as far as these are below `root`."""
    place = root
    for part in name.split("."):
        yield from (
            path for path in (place / f"{part}.py", place / part / "__init__.py") if path.is_file()
        )
        place /= part


def _unlike(place: str, file: Path, hashed: str) -> str:
    """Why a file cannot be a member, or is not what the run measured; empty when it is."""
    if not is_file_name(place):
        return "no member of a bundle can have its name"
    try:
        return "" if fingerprint(str(file)) == hashed else "it has changed since the run"
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    except ValueError as error:  # a name that no file can have
        return f"it cannot be read: {error}"
