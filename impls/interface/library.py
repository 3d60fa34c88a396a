"""A package that an implementation needs beside torch, found without importing it.

Importing takes seconds for some packages, so an implementation file imports its library where it
prepares for a problem, never at the top.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType

from impls.interface.exceptions import first_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """A package by its names.

    distribution  as pip installs it
    module        as Python imports it
    extra         of this program, which installs it; "" for none
    install       the line that installs it, where plain pip does not; "" for none
    unusable      versions that do not work, by their beginning, with the reason
    beside        other distributions that its implementation imports
    """

    distribution: str
    module: str
    extra: str = ""
    install: str = ""
    unusable: Mapping[str, str] = field(default_factory=dict)
    beside: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """The installed version; "" when it is not installed."""
        return _version(self.distribution)

    @property
    def fault(self) -> str:
        """Why it cannot be used here, with the line that installs it; "" when it can."""
        version = self.version
        for distribution in (self.distribution, *self.beside):
            if not _version(distribution):
                return f"{distribution} is not installed; install it with: {self._pip}"
        for beginning, reason in self.unusable.items():
            if version == beginning or version.startswith(f"{beginning}."):
                return f"{self.distribution} {version} does not work here: {reason}"
        return ""

    def imported(self) -> ModuleType:
        """The module. Raises ImportError with the first line of whatever importing raised."""
        if self.fault:
            raise ImportError(self.fault)
        try:
            return importlib.import_module(self.module)
        except (Exception, SystemExit) as error:
            said = first_line(error)
            raise ImportError(
                f"{self.distribution} {self.version} does not import here: {said}"
            ) from error

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}".rstrip()

    @property
    def _pip(self) -> str:
        if self.install:
            return self.install
        if not self.extra:
            return f"python -m pip install {' '.join((self.distribution, *self.beside))}"
        return f'python -m pip install -c constraints.txt -e ".[{self.extra}]"'


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""
