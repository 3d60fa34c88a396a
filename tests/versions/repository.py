"""A little git repository with several commits of one attention function."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from suites.versions.git import git

ATTENTION: Final = """
def attention(q, k, v, is_causal=False):
    \"\"\"{note}\"\"\"
    out = [(q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(-1) @ v for _ in range({times})]
    return out[-1]
"""


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository; its commits are numbered from 0 by their order."""

    root: Path
    commits: list[str]

    @classmethod
    def at(cls, root: Path) -> Repository:
        """A new one without commits."""
        root.mkdir()
        git(root, "init", "--quiet", "--initial-branch=main")
        for name, value in {
            "user.name": "n",
            "user.email": "n@example.org",
            "commit.gpgsign": "no",
        }.items():
            git(root, "config", name, value)
        return cls(root, [])

    def commit(self, subject: str, **files: str) -> str:
        """The hash of a new commit with these files; `_in_` in a name is a folder's slash."""
        for name, text in files.items():
            path = self.root / f"{name.replace('_in_', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        git(self.root, "add", "--all")
        git(self.root, "commit", "--quiet", "--message", subject)
        self.commits.append(git(self.root, "rev-parse", "HEAD"))
        return self.commits[-1]


def attention(note: str = "", times: int = 1) -> str:
    """The text of a file whose function does its work `times` times."""
    return ATTENTION.format(note=note, times=times)
