from __future__ import annotations

import json
import sys
import sysconfig
from pathlib import Path

import pytest
import torch

from suites.measure.profiler import source_lines
from suites.measure.profiler.events import CALL
from suites.measure.profiler.source_lines import MARK, Lines, annotated, is_own, shown, stack_of

ROOT = Path(__file__).parents[3]
PACKAGES = Path(sysconfig.get_path("purelib"))


@pytest.mark.parametrize(
    ("file", "own"),
    [
        (str(ROOT / "impls" / "naive.py"), True),
        ("/home/user/attention.py", True),
        (str(PACKAGES / "einops" / "einops.py"), True),
        (torch.nn.functional.__file__, False),
        (json.__file__, False),
        (str(ROOT / "suites" / "session.py"), False),
        (str(ROOT / "impls" / "interface" / "problem.py"), False),
        ("<string>", False),
        ("<frozen importlib._bootstrap>", False),
    ],
)
def test_lines_of_torch_of_python_and_of_this_program_are_left_out(file: str, *, own: bool) -> None:
    assert is_own(file) is own


def test_code_that_torch_generates_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "/somewhere/generated")
    assert not is_own("/somewhere/generated/ab/cab.py")


def test_a_path_is_shown_from_its_package_this_program_or_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown(str(PACKAGES / "einops" / "einops.py")) == "einops/einops.py"
    assert shown(str(ROOT / "impls" / "naive.py")) == "impls/naive.py"
    assert shown(str(Path.cwd() / "mine.py")) == "mine.py"
    assert shown("/elsewhere/mine.py") == "/elsewhere/mine.py"


def test_a_stack_is_numbered_once_and_found_by_its_number() -> None:
    lines = Lines()
    first, second = lines.number(("a",)), lines.number(("a", "b"))
    assert lines.number(("a",)) == first != second
    assert lines.of(f"{MARK}{second}") == ("a", "b")
    assert lines.of(CALL) is None


def test_a_stack_goes_from_the_outermost_line_to_the_innermost() -> None:
    def inner() -> source_lines.Stack:
        return stack_of(sys._getframe())

    found = inner()
    own = "tests/measure/profiler/test_source_lines.py:"
    assert [line.split(" ")[1] for line in found[-2:]] == [
        "test_a_stack_goes_from_the_outermost_line_to_the_innermost",
        "inner",
    ]
    assert all(line.startswith(own) for line in found[-2:])


def test_annotating_ends_with_its_context() -> None:
    lines = Lines()
    before = sys.gettrace()
    with annotated(lines):
        assert sys.gettrace() is not before
    assert sys.gettrace() is before
