from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine import forked_sessions


@pytest.fixture(autouse=True, scope="module")
def _forked_sessions(request: pytest.FixtureRequest) -> Iterator[None]:
    with forked_sessions.forked_where_possible(request.module):
        yield


@pytest.fixture(autouse=True, scope="session")
def _no_server_is_left() -> Iterator[None]:
    yield
    forked_sessions.SERVERS.end()
