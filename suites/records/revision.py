"""The commit of a repository that a measured file belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import ClassVar, Final

from suites.records.codec import STRICT

SHORT: Final = 7
"""Digits of a commit that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """Which version of a file was measured.

    commit   full hash: the commit that was named, or the one that is checked out
    path     of the file in its repository
    typed    the revision as typed, as HEAD~1; empty: the file of the working tree
    changed  whether the measured file is another one than that of the commit
    """

    __pydantic_config__: ClassVar = STRICT

    commit: str
    path: str
    typed: str = ""
    changed: bool = False

    def __str__(self) -> str:
        name, short = PurePosixPath(self.path).name, self.commit[:SHORT]
        return f"{name} with changes since {short}" if self.changed else f"{name} at {short}"
