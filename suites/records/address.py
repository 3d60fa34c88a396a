"""Where runs are kept: a database's URL, and how it may be shown."""

from __future__ import annotations

import re
from typing import Final

DEFAULT_STORE: Final = "sqlite:///results/bench.db"


def without_password(text: str) -> str:
    """A URL, or a text with URLs in it, with the passwords masked."""
    return re.sub(r"(://[^/@\s]*?):[^/@\s]*@", r"\1:***@", text)
