"""Facts that the process of a session reports about itself, once, before any time is taken."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from suites.records.codec import STRICT, Count, Milliseconds
from suites.stats.ceilings import Ceiling


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUp:
    """Load on an NVIDIA device before the first timed session.

    seconds             how long it lasted
    before_c / after_c  temperature of the chip; None: not reported
    """

    __pydantic_config__: ClassVar = STRICT

    seconds: float
    before_c: int | None
    after_c: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFacts:
    """What a session can do at best, and what it runs with.

    session                 its number; a session measured again has several
    process                 the process of the session; empty: the first one
    ceilings                rates that the machine reached in this process
    threads                 threads of torch
    affinity                CPUs that its threads may run on; empty where the system has no list
    products                precision of matrix products, by setting
    clock_resolution_ms     smallest step of the clock
    last_level_cache_bytes  of the CPU; None where the system does not say
    garbage_collection      when it runs
    environment             variables that the engine sets or that change a time, with their values
    nvidia                  what the driver reports about the NVIDIA device, power cap included
    warm_up                 of the device, before this session; None: there was none
    fault                   why the stored facts cannot be read; empty when they can
    """

    __pydantic_config__: ClassVar = STRICT

    session: Count = 0
    process: str = ""
    ceilings: tuple[Ceiling, ...] = ()
    threads: Count | None = None
    affinity: tuple[Count, ...] = ()
    products: dict[str, str] = field(default_factory=dict)
    clock_resolution_ms: Milliseconds | None = None
    last_level_cache_bytes: Count | None = None
    garbage_collection: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    nvidia: dict[str, str | float | None] = field(default_factory=dict)
    warm_up: WarmUp | None = None
    fault: str = ""
