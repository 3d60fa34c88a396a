"""A script's time in attention by line: one stacked bar, and an icicle down to problems."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reports.analysis.call_sites import Calls, CallSite, CallSites
from reports.views.charts.chart import Block, Chart, Icicle, Series
from reports.views.charts.palette import DARK, FIRST, LIGHT, NEUTRAL, Look
from reports.views.numbers import milliseconds, percent
from reports.views.scripts import names, tables
from reports.views.scripts.sentences import SET_UP, headline, one, unit
from reports.views.text import capitalized

MOST_COLOURS: Final = FIRST
"""Lines with a colour of their own; others share one."""
MOST_PROBLEMS: Final = 24
"""Problems of a line that have a block; others share one, since they could not be seen."""
_OUTSIDE: Final = Look("#d8dce1", "#343b45", "square", "solid")
"""The time outside attention: as pale as a rule of the page, so that attention stands out."""
_SET_UP: Final = Look("#8a5a00", "#f0c36a", "square", "solid")
"""Set-up in first calls: the colour of warnings."""
_OTHERS: Final = Look(*NEUTRAL[1], "square", "solid")


def bar(found: CallSites) -> Chart:
    """One bar: the time of a step or of the script, by line, and outside attention."""
    own = _stacks(found)
    return Chart(
        key="attention_by_line",
        panel="",
        title=f"{capitalized(unit(found))} time by line that calls attention",
        label="",
        common=headline(found),
        mask="",
        x_title=f"ms of {one(found)}",
        y_title="",
        log_x=False,
        log_y=False,
        series=tuple(own),
        note=(
            "The parts are forward and backward passes of attention by line. The last part is "
            f"everything else{_not_seen(found)}."
        ),
        alt="; ".join(f"{each.name} {milliseconds(each.x[0])} ms" for each in own),
        ticks=False,
        rows=(f"{one(found)}\n{milliseconds(found.whole_ms)} ms",),
    )


def _stacks(found: CallSites) -> list[Series]:
    most = MOST_COLOURS if len(found.sites) <= MOST_COLOURS else MOST_COLOURS - 1
    lines, looks = names.labels(found.sites), _looks(found)
    parts = [(lines[s.place], s.total_ms, looks[s.place]) for s in found.sites[:most]]
    if rest := found.sites[most:]:
        parts.append((f"{len(rest)} other lines", sum(each.total_ms for each in rest), _OTHERS))
    made = [_stack(found, name, found.each(total), look) for name, total, look in parts]
    other = [_stack(found, name, took, _look(name)) for name, took in tables.others(found).items()]
    return [*made, *other]


def _look(name: str) -> Look:
    return _SET_UP if name == SET_UP else _OUTSIDE


def _stack(found: CallSites, name: str, took_ms: float, look: Look) -> Series:
    return Series(
        name=name,
        x=(took_ms,),
        y=(0,),
        low=(),
        high=(),
        hover=(f"{name}\n{_took(found, took_ms)}",),
        look=look,
        drawn="stacked",
    )


def icicle(found: CallSites) -> Icicle:
    """Blocks within blocks: a step, files of the script, their lines, the problems of a line."""
    return Icicle(
        key="script_icicle",
        panel="",
        title="Time by file, line and problem",
        label="",
        common=headline(found),
        blocks=tuple(_blocks(found)),
        note=(
            "The height of a block is its time. A click on a block shows it alone, a click on the "
            f"path above it goes back. The grey block is everything else{_not_seen(found)}."
        ),
        alt=f"{headline(found)}; the tables have the same figures",
    )


def _blocks(found: CallSites) -> Iterator[Block]:
    yield _block(found, one(found), -1, 0.0, found.whole_ms, _OTHERS)
    lines, looks, position = names.labels(found.sites), _looks(found), 1
    for file, sites in _files(found):
        parent, position = position, position + 1
        took = found.each(sum(site.total_ms for site in sites))
        yield _block(found, file.rpartition("/")[2], 0, 0.0, took, _OTHERS, file)
        for site in sites:
            look, line, position = looks[site.place], position, position + 1
            took = found.each(site.total_ms)
            yield _block(found, lines[site.place], parent, 0.0, took, look, site.place)
            for name, own, more in _problems(site, found):
                position += 1
                yield _block(found, name, line, own, own, look, more)
    for name, own in tables.others(found).items():
        yield _block(found, name, 0, own, own, _look(name))


def _problems(site: CallSite, found: CallSites) -> Iterator[tuple[str, float, str]]:
    """Name, time and further words of the blocks of a line's problems."""
    for calls in site.calls[:MOST_PROBLEMS]:
        yield names.problem(calls), found.each(calls.total_ms), _said(calls, found)
    if rest := site.calls[MOST_PROBLEMS:]:
        yield f"{len(rest)} other problems", found.each(sum(each.total_ms for each in rest)), ""


def _block(
    found: CallSites,
    name: str,
    parent: int,
    own: float,
    took_ms: float,
    look: Look,
    more: str = "",
) -> Block:
    """A block, with its time as text.

    own      milliseconds besides those of its parts
    took_ms  all of them
    more     further lines of its hover text
    """
    text = _took(found, took_ms)
    hover = "\n".join(filter(None, [name, more if more != name else "", text]))
    return Block(name=name, text=text, parent=parent, value=own, hover=hover, look=look)


def _said(calls: Calls, found: CallSites) -> str:
    """The function, the calls and the passes of a problem."""
    parts = [f"forward {milliseconds(found.each(calls.forward_ms))} ms"]
    if back := tables.backward(calls, found).text:
        parts.append(f"backward {back}{'' if back == tables.NOT_SEEN else ' ms'}")
    many = tables.count(calls, found)
    plural = "" if many.order == 1 else "s"
    return f"{calls.by}\n{many.text} call{plural}: {', '.join(parts)}"


def _took(found: CallSites, took_ms: float) -> str:
    """As "75.0 ms, 41 %"."""
    part = took_ms / found.whole_ms if found.whole_ms else 0.0
    return f"{milliseconds(took_ms)} ms, {percent(part)}"


def _files(found: CallSites) -> list[tuple[str, list[CallSite]]]:
    """The files of the script with their lines, the longest time first."""
    files: dict[str, list[CallSite]] = {}
    for site in found.sites:
        files.setdefault(site.file, []).append(site)
    return sorted(files.items(), key=lambda each: -sum(site.total_ms for site in each[1]))


def _looks(found: CallSites) -> dict[str, Look]:
    """A colour for each line, the same in both charts; further lines share one."""
    most = MOST_COLOURS if len(found.sites) <= MOST_COLOURS else MOST_COLOURS - 1
    return {
        site.place: Look(LIGHT[place], DARK[place], "square", "solid") if place < most else _OTHERS
        for place, site in enumerate(found.sites)
    }


def _not_seen(found: CallSites) -> str:
    """The attention that is in the time outside it; empty for none that is known."""
    parts = [
        *(["backward passes that are not seen"] if any(s.unseen for s in found.sites) else []),
        *(["compiled regions"] if found.found.compiled else []),
    ]
    return f", {' and '.join(parts)} among it" if parts else ""
