from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from tests.engine import forked_sessions


@pytest.fixture(autouse=True, scope="module")
def _forked_sessions(request: pytest.FixtureRequest) -> Iterator[None]:
    """Sessions are forked from a process that has imported torch.

    A module with FRESH_SESSIONS tests how a session starts: its sessions start as for a user.
    Beside a GPU all do.
    """
    if getattr(request.module, "FRESH_SESSIONS", False) or torch.cuda.is_available():
        yield
        return
    with forked_sessions.forked_sessions():
        yield


@pytest.fixture(autouse=True, scope="session")
def _no_server_is_left() -> Iterator[None]:
    yield
    forked_sessions.SERVERS.end()
