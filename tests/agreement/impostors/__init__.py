"""Wrong implementations: each with the problems, probes and messages that reject it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import ModuleType

from impls.interface import Implementation
from tests.agreement.attention_call import Form, implementation_of


@dataclass(frozen=True, slots=True)
class Rejection:
    """A problem on which the check rejects an impostor.

    because  regular expression of the message
    by       name of the probe that finds the fault; empty: the call raises an exception
    on       label of the hard input; empty: the problem itself
    after    labels of hard inputs that have to come before it
    """

    problem: str
    because: str
    by: str = ""
    on: str = ""
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Impostor:
    """A wrong implementation, with the problems on which it has to be rejected."""

    implementation: Implementation
    rejections: tuple[Rejection, ...] = ()


def rejected(
    problem: str, because: str, by: str = "", on: str = "", after: tuple[str, ...] = ()
) -> Callable[[Form | Impostor], Impostor]:
    """Make an impostor of a wrong function, or add a problem to an impostor."""

    def wrap(form: Form | Impostor) -> Impostor:
        made = form if isinstance(form, Impostor) else Impostor(implementation_of(form))
        first = Rejection(problem, because, by, on, after)
        return replace(made, rejections=(first, *made.rejections))

    return wrap


def found_in(*modules: ModuleType) -> Iterator[Impostor]:
    """Every impostor of these files."""
    for module in modules:
        yield from (each for each in vars(module).values() if isinstance(each, Impostor))
