"""Messages of the process that leads to those that follow, and their answers: typed values."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field

from suites.records.codec import Count, Milliseconds, message
from suites.records.record import Conditions


@message
class SetUp:
    """Set all implementations up."""

    step: Literal["set up"] = "set up"


@message
class Capture:
    """Choose the sampler of all calls on a GPU.

    graphs  whether the calls of the process that leads are CUDA graphs
    """

    step: Literal["capture"] = "capture"
    graphs: bool


@message
class Take:
    """Take one sample.

    arm        its index
    refreshed  how often the inputs of the process that leads have been refreshed
    """

    step: Literal["take"] = "take"
    arm: Count
    refreshed: Count


@message
class StartOver:
    """Delete all samples: the rounds begin anew, with these arms.

    arms  their names
    """

    step: Literal["start over"] = "start over"
    arms: tuple[str, ...]


@message
class Finish:
    """The rounds have ended: make the records."""

    step: Literal["finish"] = "finish"
    conditions: Conditions | None


@message
class ArmReady:
    """An implementation that was set up.

    call_ms  one call when warm
    count    calls of a sample
    """

    name: str
    call_ms: Milliseconds
    count: Count


@message
class Ready:
    """The arms that take part in the rounds."""

    step: Literal["ready"] = "ready"
    arms: tuple[ArmReady, ...]


@message
class Took:
    """A sample.

    ms         of one call; None when the implementation failed in it
    waited_ms  time that threads waited for a CPU; None: not counted here
    switches   times that they were taken off a CPU
    wall_ms    of the sample
    """

    step: Literal["took"] = "took"
    ms: Milliseconds | None
    waited_ms: float | None = None
    switches: Count = 0
    wall_ms: float = 0.0


@message
class Done:
    """The step is finished."""

    step: Literal["done"] = "done"


Step: TypeAlias = SetUp | Capture | Take | StartOver | Finish | Ready | Took | Done
STEP: Final[Any] = Annotated[Step, Field(discriminator="step")]
"""The union as the codec reads it."""
