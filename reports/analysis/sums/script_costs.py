"""What a change costs in a script beyond what layers of dense work show.

Memory: whether freed pages are mapped anew in the next call depends on the other blocks in the heap
of a process. So it differs between the script and the layers, which may map all or none of them.

The look-up of a substitution: between large products its code is no longer in the caches.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

PAGE_BYTES: Final = 4096
PAGE_MS: Final = 1e-3
"""The first access to a page: 0.75 us by two threads at once, 1.4 us by one, AMD EPYC, virtual."""
MAPPED: Final = 0.8
"""The largest part of the pages that calls add which was seen mapped anew: in 32 changes of
suites.calibrate.savings from none to 0.8, half of them below 0.15."""
LOOK_UP_MS: Final = 0.015
"""What a look-up takes in a script more than in layers: 17 to 33 us a call in `decoding` of
suites.calibrate.savings, of which layers have 5."""
LOOK_UP_IN_LAYERS_MS: Final = 0.005


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds of a step.

    ms            expected
    above, below  what it may be more or less, 95 %
    """

    ms: float = 0.0
    above: float = 0.0
    below: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.ms + other.ms,
            math.hypot(self.above, other.above),
            math.hypot(self.below, other.below),
        )


def of_pages(added: float, mapped: float) -> Cost:
    """The cost of pages that the calls of a step map anew.

    added   pages of the memory that they add
    mapped  pages that they mapped anew in layers
    """
    further = max(0.0, MAPPED * added - mapped)
    return Cost(above=further * PAGE_MS, below=max(0.0, mapped) * PAGE_MS)


def of_look_ups(replaced: float, others: float) -> Cost:
    """The cost of the look-ups of a step.

    replaced  number of calls that are replaced: their look-ups are part of the times in layers
    others    number of calls that torch answers as before
    """
    further = LOOK_UP_MS * (replaced + others)
    return Cost(further + LOOK_UP_IN_LAYERS_MS * others, further, further)
