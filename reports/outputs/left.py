"""What a run leaves, as its command says."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Left:
    """What a run leaves: its page and charts in a folder, a saved name, a summary, tables or JSON.

    every  whether the tables of all panels are printed
    """

    out: Path | None = None
    save: str = ""
    summary: Path | None = None
    every: bool = field(default=False, kw_only=True)
    as_json: bool = field(default=False, kw_only=True)

    @property
    def options(self) -> str:
        """The options that leave the same, behind a command."""
        given = {"--out": self.out, "--save": self.save, "--summary": self.summary}
        words = [f" {name} {shlex.quote(str(value))}" for name, value in given.items() if value]
        return "".join([*words, " --all" if self.every else ""])

    def expect_possible(self) -> None:
        """Raise ValueError for a folder or file that cannot be written, and for a bad name."""
        from reports.outputs.folder import RESULTS, expect_folder  # noqa: PLC0415 - not for --help
        from reports.outputs.summary import expect_file  # noqa: PLC0415 - likewise
        from suites.records.saved_names import expect_saveable  # noqa: PLC0415 - likewise

        expect_folder(self.out or RESULTS)
        expect_file(self.summary)
        if self.save:
            expect_saveable(self.save)
