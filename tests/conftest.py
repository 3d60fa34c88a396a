from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Problems are small in tests, and OpenMP's threads are bound in sessions only.

    Unbound they spin and wait for each other, ten times as long.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True, scope="session")
def _hears_ctrl_c() -> None:
    """What the tests start can be interrupted, even where pytest itself runs in the background.

    A shell has background programs ignore the signal, and whatever they start inherits that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
