"""The layout of a bundle: names of its members, its manifest, and the errors of reading one.

manifest.json   format, version, release, name of the run, SHA-256 of every other member
run.json        name, start, end, command, and rows that could not be read
plan.json       the plan as the store has it; paths of files are names of members
machine.json    the machine as the store has it
sessions.jsonl  facts of the sessions, a line for each process
records.jsonl   the records in the order they were made, a line each, as the store has them
impls/          files of implementations of this program
inputs/         the user's own tensors, below a part of their hash; only where they were wanted
files/          files of the user, below the folder that their imports start from; those of further
                folders are in files2/, files3/, ...

A plan may also name files of installed/, by their places in site-packages: these are no members.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from suites.records.codec import STRICT, from_json
from suites.records.input_files import InputFile

FORMAT: Final = "attnbench-bundle"
VERSION: Final = 1
"""Of the layout. A change that this release could not read has the next number."""
EXTENSION: Final = "zip"

MANIFEST: Final = "manifest.json"
RUN: Final = "run.json"
PLAN: Final = "plan.json"
MACHINE: Final = "machine.json"
SESSIONS: Final = "sessions.jsonl"
RECORDS: Final = "records.jsonl"
DATA: Final = (RUN, PLAN, MACHINE, SESSIONS, RECORDS)
"""The members that every bundle has beside the manifest."""
OURS: Final = "impls/"
OF_USER: Final = "files"
INSTALLED: Final = "installed/"
INPUTS: Final = "inputs/"

_DIGITS: Final = 12
"""Digits of a hash in the name of a member."""
_FILES: Final = re.compile(rf"({OURS}|{OF_USER}\d*/).+\.py")
_TENSORS: Final = re.compile(rf"{INPUTS}[0-9a-f]+/[^/]+")
_NOT_PORTABLE: Final = re.compile(r"[\\:\x00-\x1f]")


class BundleError(ValueError):
    """A bundle cannot be read or written; the message says which, why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a bundle holds.

    attnbench  the release that wrote it
    run        name of its run
    members    SHA-256 of each other member, by name
    lacking    files that are not in it, by member name, with the reason
    """

    __pydantic_config__: ClassVar = STRICT

    format: str
    version: int
    attnbench: str
    run: str
    members: dict[str, str]
    lacking: dict[str, str] = field(default_factory=dict)


def is_bundle(name: str) -> bool:
    """Whether a name on the command line means a file with a bundle, and no stored run."""
    return name.endswith(f".{EXTENSION}")


def manifest_of(text: bytes, shown: str) -> Manifest:
    """The manifest in a text. Raises BundleError for another format and for a newer version."""
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise BundleError(f"{shown} is no bundle: its {MANIFEST} does not name {FORMAT!r}")
    version = found.get("version")
    if isinstance(version, int) and version > VERSION:
        raise BundleError(
            f"{shown} is a bundle of version {version}, this release reads {VERSION}: "
            "update attnbench"
        )
    try:
        manifest = from_json(Manifest, text)
    except ValueError as error:
        raise BundleError(f"the {MANIFEST} of {shown} is damaged: {error}") from error
    _expect_members(manifest, shown)
    return manifest


def _expect_members(manifest: Manifest, shown: str) -> None:
    """Raise BundleError for a member that is missing, and for a name that could leave a folder."""
    for name in DATA:
        if name not in manifest.members:
            raise BundleError(f"{shown} is damaged: its {MANIFEST} does not list {name}")
    for name in manifest.members:
        if name not in DATA and not (is_file_name(name) or is_inputs_name(name)):
            raise BundleError(
                f"{shown} holds {name!r}, which no bundle has; expected Python files below "
                f"{OURS} and {OF_USER}/, and tensors below {INPUTS}"
            )


def is_file_name(name: str) -> bool:
    """Whether a member is a file of an implementation, and stays in the folder of the bundle."""
    parts = name.split("/")
    inside = all(part not in ("", ".", "..") for part in parts)
    return bool(_FILES.fullmatch(name)) and inside and not _NOT_PORTABLE.search(name)


def is_inputs_name(name: str) -> bool:
    """Whether a member is a file of tensors, and stays in the folder of the bundle."""
    inside = all(part not in ("", ".", "..") for part in name.split("/"))
    return bool(_TENSORS.fullmatch(name)) and inside and not _NOT_PORTABLE.search(name)


def inputs_name(file: InputFile) -> str:
    """The member of a file of tensors."""
    return f"{INPUTS}{file.sha256[:_DIGITS]}/{_NOT_PORTABLE.sub('_', file.name)}"
