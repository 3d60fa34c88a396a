"""Writes a stored run as a bundle."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from suites import VERSION as RELEASE
from suites.records.bundles import layout
from suites.records.bundles.layout import FORMAT, VERSION, Manifest, is_inputs_name
from suites.records.bundles.sources import Sources
from suites.records.codec import to_json
from suites.records.plan import Plan
from suites.records.store import Run, Store


def write(store: Store, run: Run, path: Path, *, with_inputs: bool = False) -> None:
    """Write a run as a bundle. The file appears when it is complete.

    with_inputs  whether the user's own tensors are part of it

    The same run gives the same bytes. Raises OSError for a path that cannot be written.
    """
    sources = Sources.of(run.plan, with_inputs=with_inputs)
    part = path.with_name(f"{path.name}.part")
    try:
        with ZipFile(part, "w") as archive:
            members = {
                name: _add(archive, name, chunks) for name, chunks in _members(store, run, sources)
            }
            manifest = Manifest(
                format=FORMAT,
                version=VERSION,
                attnbench=RELEASE,
                run=run.name,
                members=members,
                lacking=sources.lacking,
            )
            _add(archive, layout.MANIFEST, [_document(asdict(manifest))])
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def doubts(run: Run, *, with_inputs: bool = False) -> list[str]:
    """A line for each file that a bundle of this run lacks."""
    return [
        f"the bundle lacks {name}: {why}; rerun cannot measure "
        f"{'its problem' if is_inputs_name(name) else 'its implementations'} elsewhere"
        for name, why in Sources.of(run.plan, with_inputs=with_inputs).lacking.items()
    ]


def _members(store: Store, run: Run, sources: Sources) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Every member but the manifest, with its content in parts."""
    about = {name: getattr(run, name) for name in ("name", "started", "ended", "unread")}
    command = _without_folders(run.command, sources)
    yield layout.RUN, [_document({**about, "command": command})]
    yield layout.PLAN, [to_json(_portable(run.plan, sources)).encode()]
    yield layout.MACHINE, [_document(run.machine)]
    yield layout.SESSIONS, (_line(to_json(fact)) for fact in run.facts)
    yield (
        layout.RECORDS,
        (_line(to_json(record)) for rows in store.rows(run.name) for record in store.read(rows)),
    )
    for name, file in sorted(sources.members.items()):
        yield name, [file.read_bytes()]


def _add(archive: ZipFile, name: str, chunks: Iterable[bytes]) -> str:
    """Write a member; its SHA-256. Its date is fixed, so equal runs give equal files."""
    digest, info = sha256(), ZipInfo(name)
    info.compress_type = ZIP_DEFLATED
    with archive.open(info, "w", force_zip64=True) as member:
        for chunk in chunks:
            digest.update(chunk)
            member.write(chunk)
    return digest.hexdigest()


def _portable(plan: Plan, sources: Sources) -> Plan:
    """The plan with names of members for the paths of files."""
    entries = (
        replace(e, files={name: sources.places[path] for name, path in e.files.items()})
        for e in plan.entries
    )
    places = sources.places
    return replace(
        plan,
        entries=tuple(entries),
        inputs=tuple(replace(each, path=places[each.path]) for each in plan.inputs),
        cases=tuple(replace(c, source=places.get(c.source, c.source)) for c in plan.cases),
    )


def _without_folders(command: str, sources: Sources) -> str:
    """The command line without the user's folders: files by their names, and ~ for the home."""
    for path in sources.places:
        command = command.replace(path, Path(path).name)
    return command.replace(str(Path.home()), "~")


def _document(data: Any) -> bytes:
    return json.dumps(data, indent=1).encode()


def _line(text: str) -> bytes:
    return text.encode() + b"\n"
