"""Wrong in one way each: what the check has to reject, on which problems, and in which words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import ModuleType

from impls.interface import Implementation
from tests.agreement.asked import Answer, implementation_of


@dataclass(frozen=True, slots=True)
class Impostor:
    """A wrong implementation.

    rejections  problems on which the check must find it out, each with what it says then, as a
                regular expression
    """

    implementation: Implementation
    rejections: tuple[tuple[str, str], ...] = ()


def rejected(problem: str, because: str) -> Callable[[Answer | Impostor], Impostor]:
    """Make an impostor of a wrong answer, or name one problem more that shows it."""

    def wrap(answer: Answer | Impostor) -> Impostor:
        made = _impostor(answer)
        return replace(made, rejections=((problem, because), *made.rejections))

    return wrap


def found_in(*modules: ModuleType) -> Iterator[Impostor]:
    """Every impostor of these files."""
    for module in modules:
        yield from (each for each in vars(module).values() if isinstance(each, Impostor))


def _impostor(answer: Answer | Impostor) -> Impostor:
    return answer if isinstance(answer, Impostor) else Impostor(implementation_of(answer))
