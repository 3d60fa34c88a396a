"""A profile as text: it comes back as it was, and other text is refused on one line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from suites.records.codec import from_json, to_json
from suites.records.profile import MemoryProfile, Profile
from tests.records.made_profile import made


def test_a_profile_comes_back_as_it_was() -> None:
    assert from_json(Profile, to_json(made())) == made()


def test_a_profile_of_a_failure_comes_back_as_it_was() -> None:
    failed = made(nodes=(), memory=None, kernels=(), files=(), fault="failed: ValueError: x")
    assert from_json(Profile, to_json(failed)) == failed


def test_the_first_level_is_the_peak_without_the_changes_before_it() -> None:
    released = MemoryProfile(
        kept_bytes=2, times_ns=(1, 2), changes=(-8, 9), peak_bytes=11, peak_at=1
    )
    assert released.first_bytes == 10
    assert MemoryProfile(kept_bytes=7, peak_bytes=7).first_bytes == 7


ODD: dict[str, tuple[Any, ...]] = {
    "implementation": (None, 1),
    "problem": (None, "t8 t9", 5),
    "threads": (-1, 1.5, "2"),
    "plain_ms": (1.0, [-1.0], ["1"], [float("inf")]),
    "nodes": (
        [1],
        [{"parent": 0, "kind": "call"}],
        [{"parent": 0, "kind": "other", "name": "x"}],
        [{"parent": 0, "kind": "call", "name": "x", "calls": -1}],
        [{"parent": 0, "kind": "call", "name": "x", "later": 1}],
    ),
    "memory": (
        {"kept_bytes": -1},
        {"changes": ["1"]},
        {"changes": [2**63]},
        {"held": [{"bytes": -1}]},
        {"held": [{}]},
        {"unknown": 1},
    ),
    "files": ("x", [1]),
    "fault": (None, 1),
}


@pytest.mark.parametrize(("field", "value"), [(f, v) for f, values in ODD.items() for v in values])
def test_a_field_with_another_type_or_range_is_refused_on_one_line(field: str, value: Any) -> None:
    data = {**json.loads(to_json(made())), field: value}
    with pytest.raises(ValueError, match=field) as raised:
        from_json(Profile, json.dumps(data))
    assert "\n" not in str(raised.value)


def test_an_unknown_field_is_refused() -> None:
    data = {**json.loads(to_json(made())), "later": 1}
    with pytest.raises(ValueError, match="later"):
        from_json(Profile, json.dumps(data))
