"""A file that fails or changes the process state when it is imported is a user's mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from suites.engine import catalogue
from suites.engine.catalogue import open_catalogue
from suites.process_state.state import SHARED

IMPORTED: dict[str, tuple[str, str]] = {
    "exits": ("import os; os._exit(3)", "cannot be imported: the process ended with status 3"),
    "interrupts": (
        "raise KeyboardInterrupt",
        "cannot be imported: the process was killed by SIGINT; its last line: KeyboardInterrupt",
    ),
    "raises": ("raise RuntimeError('\\x1b[1mno')", "does not import: RuntimeError: no"),
    "hangs": ("import time; time.sleep(600)", "cannot be imported: spent more than 1 s"),
    "replaces a clock": (
        "import time; time.perf_counter_ns = lambda: 0",
        f"importing it replaced time.perf_counter_ns; {SHARED}",
    ),
}
"""The first line of a file, and the message for it."""


@pytest.mark.parametrize("fault", IMPORTED)
def test_a_faulty_file_is_a_user_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fault: str
) -> None:
    monkeypatch.setattr(catalogue, "LIMIT_S", 1.0 if fault == "hangs" else 120.0)
    line, message = IMPORTED[fault]
    faulty = tmp_path / "faulty.py"
    faulty.write_text(f"{line}\ndef attend(q, k, v): return v\n")
    with pytest.raises(ValueError, match=rf"faulty\.py:? {message}"):
        open_catalogue([str(faulty)], threads=1)


def test_a_file_that_ends_its_process_is_imported_once(tmp_path: Path) -> None:
    faulty, counted = tmp_path / "faulty.py", tmp_path / "counted"
    faulty.write_text(f"import os\nopen({str(counted)!r}, 'a').write('x')\nos._exit(3)\n")
    with pytest.raises(ValueError, match="cannot be imported: the process ended with status 3"):
        open_catalogue([str(faulty)], threads=1)
    assert counted.read_text() == "x"
