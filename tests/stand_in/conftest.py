from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stand_in.device import stand_in
from tests.stand_in.runtime import Runtime


@pytest.fixture
def cuda() -> Iterator[Runtime]:
    """The stand-in, as an H100 or H200; no test waits for its kernels."""
    with stand_in(kernel_us=0.0) as runtime:
        yield runtime
