"""Messages between a session and the ranks of a group. They are pickled: both ends are ours."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from impls.interface import Problem
from impls.interface.reading import Reading

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An implementation as its files define it; see `suites.engine.outcome.resolve`."""

    spec: str
    files: dict[str, str]
    readings: dict[str, Reading] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        """It as a key of dictionaries."""
        return self.spec, tuple(sorted(self.files.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """A whole tensor in a file that all ranks and the session map.

    name   of the file
    shape  of the tensor, which is contiguous
    dtype  as `float32`
    """

    name: str
    shape: Shape
    dtype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Import the files of an implementation, before any of its calls."""

    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """Call the function on the parts of this rank, and write its rows of the output.

    given          q, k and v, and where they are needed grad, bias and sink, by name
    out            where the output goes
    token          of the graph that is kept for a backward pass; 0: none
    requires       whether q, k and v require gradients
    mode           grad, no_grad or inference
    deterministic  torch's mode, which fills new memory with NaN
    memory_limit   bytes that the call may add on this rank
    together       whether all ranks begin at one instant, to be timed
    """

    source: Source
    problem: Problem
    given: dict[str, Shared]
    out: Shared
    token: int = 0
    requires: tuple[bool, bool, bool] = (False, False, False)
    mode: str = "no_grad"
    deterministic: int = 0
    memory_limit: int
    together: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Backward:
    """Run the backward pass of a kept graph, and write this rank's rows of the gradients.

    gradients  where those of q, k and v go, by name, of those that are required
    """

    token: int
    grad: Shared
    gradients: dict[str, Shared]
    memory_limit: int
    together: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Forget these kept graphs."""

    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """Empty the caches of an implementation's files."""

    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class CountBytes:
    """Measure the peak memory of a whole call, and count the bytes that this rank sends."""

    call: Forward


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeParts:
    """Time the transfers of a whole call alone, and its arithmetic alone."""

    call: Forward


Order = Load | Forward | Backward | Drop | Forget | CountBytes | TimeParts


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The end of an order on one rank.

    call_ms  of the function itself, after all ranks were ready
    fault    what it raised or returned wrongly, as text; empty: nothing
    memory   whether the fault is that there was no memory
    found    what was measured, by name
    """

    call_ms: float = 0.0
    fault: str = ""
    memory: bool = False
    found: dict[str, Any] = field(default_factory=dict)
