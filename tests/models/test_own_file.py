"""Models of a user's file: it is read without running it, and then loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from suites.models.own_file import expect_function, loaded

FILE = """
from beside import WIDTH
raise_here = 1


def make(problem):
    return WIDTH, problem
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "beside.py").write_text("WIDTH = 8\n")
    (path := tmp_path / "mine.py").write_text(FILE)
    return path


def test_a_function_may_be_defined_assigned_or_imported(file: Path) -> None:
    for name in ("make", "raise_here", "WIDTH"):
        expect_function(f"{file}:{name}")


def test_a_function_of_a_star_import_is_found_later(tmp_path: Path) -> None:
    (path := tmp_path / "star.py").write_text("from beside import *\n")
    expect_function(f"{path}:make")


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        (None, "make", r"model:.*mine.py:make: No such file or directory: .*expected a path from"),
        ("def make(problem:", "make", r"mine.py, line 1: '\(' was never closed"),
        (FILE, "mak", r"mine.py has no function 'mak'; did you mean 'make'\? expected def make"),
    ],
)
def test_a_mistake_is_one_line(text: str | None, name: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ValueError, match=said) as raised:
        expect_function(f"{path}:{name}")
    assert "\n" not in str(raised.value)


def test_a_file_may_import_its_neighbours(file: Path) -> None:
    assert loaded(f"{file}:make")(3) == (8, 3)


def test_what_is_no_function_is_refused(file: Path) -> None:
    with pytest.raises(ValueError, match="has no function 'raise_here'"):
        loaded(f"{file}:raise_here")
