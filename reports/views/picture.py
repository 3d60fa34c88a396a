"""A page of one answer and its pictures, as the commands `show` and `explain` write."""

from __future__ import annotations

from dataclasses import dataclass

from reports.views.machine import Facts
from reports.views.sections import Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The content of the page.

    answer    the first sentence
    notes     further sentences below it
    command   repeats it
    facts     of the machine; empty where no figure depends on it
    stamp     the foot of its images
    """

    title: str
    answer: str
    notes: tuple[str, ...]
    sections: tuple[Section, ...]
    command: str
    facts: Facts
    stamp: str
