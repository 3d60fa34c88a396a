"""Which NVIDIA device the process of a session sees."""

from __future__ import annotations

import pytest

from suites.engine.visible_devices import visible

NAME = "CUDA_VISIBLE_DEVICES"


@pytest.mark.parametrize(
    ("chosen", "named", "seen"),
    [
        ("1", None, "1"),
        ("GPU-1a2b", None, "GPU-1a2b"),
        ("0", "3,1", "3"),
        ("1", "3, 1", "1"),
        ("1", "GPU-1a2b,MIG-3c4d", "MIG-3c4d"),
        ("GPU-1a2b", "GPU-9,GPU-1a2b", "GPU-1a2b"),
        ("GPU-1a2b-3c4d", "GPU-9,GPU-1a2b", "GPU-1a2b"),
        ("GPU-1a", "GPU-9,GPU-1a2b", "GPU-1a2b"),
    ],
)
def test_a_chosen_device_is_the_only_one_that_is_visible(
    chosen: str, named: str | None, seen: str
) -> None:
    environ = {} if named is None else {NAME: named}
    assert visible(chosen, environ) == {NAME: seen}


@pytest.mark.parametrize("environ", [{}, {NAME: ""}, {NAME: "3,1"}])
def test_without_a_choice_the_variable_stays(environ: dict[str, str]) -> None:
    assert visible("", environ) == {}


@pytest.mark.parametrize(
    ("chosen", "named", "expected"),
    [
        ("2", "3,1", "an index from 0 to 1, or a UUID of that list"),
        ("1", "3", "the index 0"),
        ("0", "", "a device in that variable"),
        ("GPU-1a2b", "0,1", "an index from 0 to 1, or a UUID of that list"),
        ("GPU-", "GPU-1a2b,GPU-3c4d", "an index from 0 to 1, or a UUID of that list"),
    ],
)
def test_a_device_that_the_variable_hides_is_refused(
    chosen: str, named: str, expected: str
) -> None:
    with pytest.raises(ValueError, match=f"^--device cuda:{chosen}: .* expected {expected}$"):
        visible(chosen, {NAME: named})
