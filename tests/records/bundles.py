"""Bundles made of runs in code, whole or spoiled."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from impls import fingerprint
from impls.interface import Limits
from suites.records.bundles.layout import MANIFEST
from suites.records.bundles.writing import write
from suites.records.plan import Entry
from suites.records.record import Record
from suites.records.store import Run, Store
from tests.saved_run import PROBLEMS, facts, small_run

Members = dict[str, bytes]


def entry(name: str, file: Path) -> Entry:
    """An implementation of a file."""
    path = str(file.resolve())
    return Entry(
        name=name, files={name: path}, hashes={name: fingerprint(path)}, limits=(Limits(),)
    )


def small(*made: Entry, **fields: Any) -> tuple[Run, list[Record]]:
    """The small run on two problems, of these implementations in place of its own."""
    run, records = small_run(problems=PROBLEMS[:2], made=made or None)
    return replace(run, facts=facts(run.plan), **fields), records


def stored_whole(run: Run, records: Sequence[Record]) -> Store:
    """A store in memory that holds the run with the facts of its sessions."""
    store = Store.open("sqlite://")
    store.begin(run)
    store.add(run.name, *records)
    for fact in run.facts:
        store.note(run.name, fact)
    return store


def bundled(path: Path, run: Run, records: Sequence[Record]) -> Path:
    """The bundle of a run."""
    write(stored_whole(run, records), run, path)
    return path


def members(path: Path) -> Members:
    with ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(path: Path, found: Mapping[str, bytes]) -> None:
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for name, data in found.items():
            archive.writestr(name, data)


def rewritten(path: Path, changed: Mapping[str, bytes | None]) -> None:
    """Write a bundle anew with other members, None for one to leave out, and fitting hashes."""
    kept = {name: data for name, data in {**members(path), **changed}.items() if data is not None}
    manifest = json.loads(kept.pop(MANIFEST))
    manifest["members"] = {name: sha256(data).hexdigest() for name, data in kept.items()}
    zipped(path, {**kept, MANIFEST: json.dumps(manifest).encode()})


def with_manifest(path: Path, **fields: Any) -> None:
    """Write a bundle anew with other fields of its manifest."""
    found = members(path)
    manifest = {**json.loads(found[MANIFEST]), **fields}
    zipped(path, {**found, MANIFEST: json.dumps(manifest).encode()})
