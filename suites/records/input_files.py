"""Files with the tensors of a call, as data: a plan names them, and only sessions open them."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Final

from suites.records.codec import ProblemText, message

FORMAT: Final = "attnbench call"
"""The format that a file of `record --keep-tensors` names."""
VERSION: Final = 1
SUFFIXES: Final = (".pt", ".pth")
"""Of the files that a folder is searched for."""
_SHOWN: Final = 12
"""Digits of a hash in a message."""


@message
class InputFile:
    """A file with q, k and v of one call, and what else the call was given.

    problem  that its tensors are inputs of
    path     absolute
    sha256   of its bytes, as hex digits
    changes  options that make the problem of the file's own one, as typed: --dtype, bfloat16
    """

    problem: ProblemText
    path: str
    sha256: str
    changes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the file, without its folder."""
        return Path(self.path).name

    def expect_unchanged(self) -> None:
        """Raise ValueError for a file that is gone, or has other bytes."""
        if not Path(self.path).is_file():
            raise ValueError(f"the inputs {self.path} are not here; expected {self._expected}")
        if (found := hash_of(self.path)) != self.sha256:
            raise ValueError(
                f"the inputs {self.path} have changed since the run began: their SHA-256 is "
                f"{found[:_SHOWN]}, expected {self._expected}; start a new run"
            )

    @property
    def _expected(self) -> str:
        return f"SHA-256 {self.sha256[:_SHOWN]}"


def hash_of(path: str) -> str:
    """The SHA-256 of a file's bytes, as hex digits."""
    with Path(path).open("rb") as file:
        digest = sha256()
        while data := file.read(1 << 20):
            digest.update(data)
    return digest.hexdigest()


def paths_of(texts: Iterable[str]) -> tuple[str, ...]:
    """The absolute paths of files, and of the files in folders, each once.

    Raises ValueError for a path that is not there, and for a folder without such files.
    """
    found = [path for text in texts for path in _paths(Path(text))]
    return tuple(dict.fromkeys(str(path.resolve()) for path in found))


def _paths(path: Path) -> list[Path]:
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.suffix in SUFFIXES)
        if not files:
            raise ValueError(f"the folder {path} has no file ending in {' or '.join(SUFFIXES)}")
        return files
    if not path.is_file():
        raise ValueError(f"no file {str(path)!r}; expected one with q, k and v from torch.save")
    return [path]
