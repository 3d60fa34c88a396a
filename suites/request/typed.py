"""The command line as it was typed."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Final

from suites.records.address import without_password

INSTALLED: Final = "attnbench"
"""The program's name where it is installed."""
_COMPLETION: Final = frozenset({"--install-completion", "--show-completion"})


def program() -> str:
    """The name that was called. A shell completes the words of the installed program only."""
    installed = Path(sys.argv[0]).stem == INSTALLED
    return INSTALLED if installed or not _COMPLETION.isdisjoint(sys.argv) else "run_bench.py"


def arguments() -> list[str]:
    """The arguments; `--resume` without a name means the latest run.

    Words after `--` belong to a script that is recorded, and stay as they are.
    """
    typed = sys.argv[1:]
    ours = typed[: typed.index("--")] if "--" in typed else typed
    pairs = zip(ours, [*ours[1:], "--"], strict=False)
    return [
        "--resume=latest" if word == "--resume" and after.startswith("-") else word
        for word, after in pairs
    ] + typed[len(ours) :]


def script() -> list[str] | None:
    """The words after `--`, the command of a script; None without `--`."""
    return sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else None


def command() -> str:
    """The whole command, without the password of a database."""
    return without_password(shlex.join(["python", "run_bench.py", *sys.argv[1:]]))


def help_of(path: str) -> str:
    """The command that prints the help of a command."""
    return f"{path} --help" if path.startswith(INSTALLED) else f"python {path} --help"
