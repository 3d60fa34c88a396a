"""Reads a bundle, with every hash checked, and unpacks the files of its implementations."""

from __future__ import annotations

import json
import reprlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Self
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

from impls import FOLDER
from suites.records.bundles import layout
from suites.records.bundles.layout import (
    INSTALLED,
    MANIFEST,
    OURS,
    BundleError,
    is_file_name,
    is_inputs_name,
    manifest_of,
)
from suites.records.plan import Plan
from suites.records.reading import Run, facts_of, record_of, run_of, unread
from suites.records.record import Record

AGAIN: Final = "get the bundle again"
_ENCRYPTED: Final = 0x1
"""The flag of an encrypted member."""
_SHOWN: Final = 12
"""Digits of a hash in a message."""
_KEY: Final = ("session", "problem", "implementation")
"""Fields of a record that a row of a store has beside its data."""

Members = dict[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A run read from a bundle.

    run      with the files of this program's implementations at their places here; other files of
             its plan have names of members
    files    contents of the implementations' files, by the names of members
    lacking  files that are not in it, with the reason
    digest   SHA-256 of its manifest, so of the whole bundle
    """

    path: Path
    run: Run
    records: list[Record]
    files: Members
    lacking: dict[str, str]
    digest: str

    @classmethod
    def read(cls, path: Path) -> Self:
        """The bundle of a file.

        Raises BundleError for a file that is missing, damaged or no bundle, and for one of a newer
        version.
        """
        found = _members(path)
        text = found.pop(MANIFEST)
        manifest = manifest_of(text, str(path))
        _expect_sound(found, manifest.members, str(path))
        records, faults = _records(found[layout.RECORDS], str(path))
        return cls(
            path=path,
            run=_run(found, faults, str(path)),
            records=records,
            files={name: data for name, data in found.items() if name not in layout.DATA},
            lacking=manifest.lacking,
            digest=sha256(text).hexdigest(),
        )

    def unpack(self, folder: Path) -> tuple[Run, list[Path]]:
        """Write the implementations' files that are not part of this program into a folder.

        The run's plan then has their paths, and those where tensors are expected that the bundle
        lacks. The files returned are those with code. Raises BundleError for a file that is there
        already with another content, and for a folder that cannot be written.
        """
        written = {name: folder / name for name in self.files if not _is_here(name)}
        for name, path in written.items():
            _write(path, self.files[name])
        entries = tuple(
            replace(e, files={part: _path(file, written) for part, file in e.files.items()})
            for e in self.run.plan.entries
        )
        inputs = tuple(
            replace(each, path=str((folder / each.path).resolve())) for each in self.run.plan.inputs
        )
        plan = replace(self.run.plan, entries=entries, inputs=inputs)
        code = sorted(path for name, path in written.items() if is_file_name(name))
        return replace(self.run, plan=plan), code


def _members(path: Path) -> Members:
    """Every member of a zip file. Raises BundleError for one that is missing or damaged."""
    if not path.is_file():
        raise BundleError(
            f"no bundle at {path}; python run_bench.py export RUN --format bundle makes one"
        )
    try:
        with ZipFile(path) as archive:
            _expect_plain(archive, path)
            return {name: archive.read(name) for name in archive.namelist()}
    except (BadZipFile, NotImplementedError, zlib.error, EOFError, OSError) as error:
        raise BundleError(f"{path} is no zip file, or damaged: {error}; {AGAIN}") from error


def _expect_plain(archive: ZipFile, path: Path) -> None:
    """Raise BundleError for a zip file with members that no bundle has."""
    names = archive.namelist()
    if MANIFEST not in names:
        raise BundleError(f"{path} is no bundle: it has no {MANIFEST}")
    if twice := [name for name in names if names.count(name) > 1]:
        raise BundleError(f"{path} is no bundle: it holds {twice[0]!r} twice")
    for info in archive.infolist():
        if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED) or info.flag_bits & _ENCRYPTED:
            raise BundleError(
                f"{path} is no bundle: {info.filename!r} is encrypted, or not deflated"
            )


def _expect_sound(found: Members, hashes: Mapping[str, str], shown: str) -> None:
    """Raise BundleError where members and hashes of the manifest differ."""
    if lost := sorted(hashes.keys() - found.keys()):
        raise BundleError(f"{shown} is damaged: it lacks {lost[0]}; {AGAIN}")
    if added := sorted(found.keys() - hashes.keys()):
        raise BundleError(f"{shown} holds {added[0]!r}, which its {MANIFEST} does not list")
    for name, data in found.items():
        made = sha256(data).hexdigest()
        if made != hashes[name]:
            raise BundleError(
                f"{shown} is damaged: the SHA-256 of {name} is {made[:_SHOWN]}..., its {MANIFEST} "
                f"says {hashes[name][:_SHOWN]}...; {AGAIN}"
            )


def _run(found: Members, faults: list[str], shown: str) -> Run:
    about = _object(found[layout.RUN], f"{layout.RUN} of {shown}")
    row = {
        **{name: about.get(name) for name in ("name", "started", "ended", "command")},
        "plan": found[layout.PLAN].decode(errors="replace"),
        "machine": found[layout.MACHINE].decode(errors="replace"),
    }
    run = run_of(row)
    if run.fault:
        raise BundleError(f"{shown} cannot be read: {run.fault}; update attnbench")
    facts = (
        facts_of(_object(line, f"a line of {layout.SESSIONS} of {shown}").get("session", 0), line)
        for line in _lines(found[layout.SESSIONS])
    )
    rows = (*map(str, about.get("unread") or ()), *faults)
    _expect_portable(run.plan, shown)
    return replace(run, plan=_with_ours(run.plan), facts=tuple(facts), unread=rows)


def _expect_portable(plan: Plan, shown: str) -> None:
    """Raise BundleError for a plan with a path instead of the name of a member."""
    for file in (file for entry in plan.entries for file in entry.files.values()):
        if not (is_file_name(file) or file.startswith(INSTALLED)):
            raise BundleError(f"{shown} names the file {file!r}; expected the name of a member")
    for each in plan.inputs:
        if not is_inputs_name(each.path):
            raise BundleError(f"{shown} names the inputs {each.path!r}; expected a member's name")


def _with_ours(plan: Plan) -> Plan:
    """The plan with this program's own files at their places here."""
    entries = (
        replace(e, files={part: _path(file, {}) for part, file in e.files.items()})
        for e in plan.entries
    )
    return replace(plan, entries=tuple(entries))


def _path(name: str, written: Mapping[str, Path]) -> str:
    """The path of a member that was written or is part of this program; the name of any other."""
    if name in written:
        return str(written[name].resolve())
    return str(FOLDER / name.removeprefix(OURS)) if _is_here(name) else name


def _is_here(name: str) -> bool:
    """Whether a member is a file that this program has, too, maybe in another version."""
    return (
        name.startswith(OURS)
        and is_file_name(name)
        and (FOLDER / name.removeprefix(OURS)).is_file()
    )


def _records(text: bytes, shown: str) -> tuple[list[Record], list[str]]:
    """The records, and why lines belong to no problem; as a store returns them."""
    every = [
        {**_object(line, f"a line of {layout.RECORDS} of {shown}"), "data": line}
        for line in _lines(text)
    ]
    keyed = [{name: row.get(name) for name in _KEY} | {"data": row["data"]} for row in every]
    faults = [fault for row in keyed if (fault := unread(row))]
    records = [record_of(row) for row in keyed if not unread(row)]
    keys = {record.key for record in records}
    if len(keys) < len(records):
        raise BundleError(f"{shown} holds a record twice: {AGAIN}")
    return records, faults


def _lines(text: bytes) -> list[str]:
    return [line.decode(errors="replace") for line in text.split(b"\n") if line]


def _object(text: str | bytes, what: str) -> dict[str, Any]:
    """A JSON object. Raises BundleError for any other text."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise BundleError(f"{what} is no JSON object: {reprlib.repr(text)}; {AGAIN}")
    return found


def _write(path: Path, data: bytes) -> None:
    try:
        if path.exists():
            if path.read_bytes() != data:
                raise BundleError(f"{path} is there with another content; move it away")
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise BundleError(f"{path} cannot be written: {error.strerror or error}") from error
