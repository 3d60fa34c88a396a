"""Cases: problems as they come up in an application, with a label, a source and a count."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from suites.records.codec import Milliseconds, ProblemText, message

Calls = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""Calls in one step; a mean over steps need not be whole."""


@message
class Case:
    """A problem, and where it comes from. Two cases may share a problem: it is measured once.

    A plan may have cases of problems that it does not measure: their times are interpolated over
    length.

    label    as "Whisper large-v3 encoder"; empty: the problem's own text
    source   of its shape: a paper, a configuration file, or the line of a script
    step     the step that `count` refers to, as "BERT base, one forward pass"; cases with the same
             step are summed up together. Empty: part of none
    count    calls of the problem in one step
    scaled   how it differs from the published shape, as "batch 1 of 32"; empty: it does not
    took_ms  one call where it was recorded; None: it was not recorded
    by       the function that computed it there; empty: it was not recorded
    """

    problem: ProblemText
    label: str = ""
    source: str = ""
    step: str = ""
    count: Calls = 1.0
    scaled: str = ""
    took_ms: Milliseconds | None = None
    by: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether it is a problem and nothing more."""
        return self == Case(problem=self.problem)


OTHER_MASK: Final = "with the mask of another batch"
"""The beginning of `scaled` where a case is measured with another padding or other documents."""


@message
class Unexpressed:
    """Recorded calls that no problem expresses, for one reason.

    reason   as "dropout 0.1"
    count    calls in one step
    took_ms  all of them in one step
    place    the line of the script
    """

    reason: str
    count: Calls
    took_ms: Milliseconds
    place: str = ""


@message
class Step:
    """A step of a recorded script, as a training step or a request.

    name         that cases refer to
    took_ms      wall times of single steps, the first ones left out
    unexpressed  calls in it that are no cases
    """

    name: str
    took_ms: tuple[Milliseconds, ...] = ()
    unexpressed: tuple[Unexpressed, ...] = ()
