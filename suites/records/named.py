"""Runs by the names that a command line has: of the store, or of files with bundles."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from suites.records.bundles.layout import is_bundle
from suites.records.bundles.reading import Bundle
from suites.records.profile import Profile
from suites.records.record import Record
from suites.records.store import Run, Store

Stored = tuple[Run, list[Record]]


def runs(names: Iterable[str], url: str) -> list[Stored]:
    """The runs with their records, in the order of the names.

    url  of the store; it is opened only for a name that is no bundle

    Raises StoreError or BundleError for a name that leads to no run that can be read.
    """
    names = list(names)
    stored = [name for name in names if not is_bundle(name)]
    kept = Store.open(url, create=False) if stored else None
    return [_of(name, kept) for name in names]


def standing_for(name: str, url: str) -> list[Stored]:
    """All runs that a name stands for, with their records: several for a group's name.

    url  of the store; it is opened only for a name that is no bundle
    """
    if is_bundle(name):
        return runs([name], url)
    return runs(Store.open(url, create=False).standing_for(name), url)


def profiles(name: str, url: str) -> list[Profile]:
    """The profiles of a run of the store; none of a bundle, which has no profiles."""
    if is_bundle(name):
        return []
    kept = Store.open(url, create=False)
    return kept.profiles(kept.run(name).name)


def _of(name: str, kept: Store | None) -> Stored:
    if kept is None or is_bundle(name):
        found = Bundle.read(Path(name))
        return found.run, found.records
    run = kept.run(name)
    return run, kept.records(run.name)
