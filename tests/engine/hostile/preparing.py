"""An implementation that hangs before its first call."""

from __future__ import annotations

import time
from collections.abc import Callable

from torch import Tensor

from impls.interface import Limits, Problem, implementation


@implementation(Limits())
def prepares_for_ever(problem: Problem) -> Callable[..., Tensor]:
    while True:
        time.sleep(1)
