"""A script's time in attention by line, as sentences and as tables."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from reports.analysis.call_sites import Calls, CallSite, CallSites
from reports.views.numbers import known, milliseconds, number, percent, three_digits
from reports.views.recording import missing
from reports.views.sections import Row, Table, Value
from reports.views.text import capitalized, counted
from suites.records.workload import measured_by

OUTSIDE: Final = "outside attention"
SET_UP: Final = "set-up in first calls"
"""What first calls took above later ones: compilation, allocation, and the like."""
NOT_SEEN: Final = "not seen"
"""Stands for the time of backward passes that were not timed."""
_FIRST: Final = "a first call counts like the mean of the later ones"
_LEAST_SHARE: Final = 0.001
"""A smaller share is shown as less than this."""
_SLOW_START: Final = 2.0
"""A first call that takes so many times a later one has a sentence."""


def title(found: CallSites) -> str:
    """As "Attention in train.py"."""
    return f"Attention in {script(found)}"


def script(found: CallSites) -> str:
    """The script or module without its folder and arguments."""
    words = shlex.split(found.found.workload.header.command)
    if "-m" in words[:-1]:
        return words[words.index("-m") + 1]
    return Path(next((word for word in words if word.endswith(".py")), words[-1])).name


def headline(found: CallSites) -> str:
    """As "attention takes 41 % of a step of 183 ms, 12 calls from 3 lines"."""
    least = "at least " if any(site.unseen for site in found.sites) else ""
    part = percent(found.share(found.attention_ms))
    calls = found.each(sum(site.count for site in found.sites))
    which = f"{_number(calls)} call{'' if calls == 1 else 's'} from {_lines(found)}"
    return f"attention takes {least}{part} of {whole(found)}, {which}"


def whole(found: CallSites) -> str:
    """What shares are of: a step of 183 ms, the 3.2 s from the first call to the last."""
    if found.has_steps:
        return f"a step of {milliseconds(found.took_ms)} ms"
    return f"the {_seconds(found.span_ms)} from the first call to the last"


def unit(found: CallSites) -> str:
    """The word for what figures are of."""
    return "step" if found.has_steps else "script"


def one(found: CallSites) -> str:
    """What figures are of, with its article."""
    return "a step" if found.has_steps else "the whole script"


def notes(found: CallSites) -> list[str]:
    """What a reader has to know of these figures, whole sentences."""
    return [capitalized(f"{each}.") for each in _notes(found)]


def _notes(found: CallSites) -> Iterator[str]:
    ended = found.found.workload.header.ended
    if ended not in ("", "exit status 0"):
        yield f"the script ended with {ended}; the figures are of its calls until then"
    yield _script_time(found)
    yield from _first_calls(found)
    yield from _unseen(found)
    yield from missing(found.found)
    yield from _uneven(found)


def _script_time(found: CallSites) -> str:
    """The whole script, where figures are of a step; else how they become those of a step."""
    if not found.has_steps:
        return "figures are of the whole script; --steps N states how many equal steps it has"
    calls = sum(site.count for site in found.sites)
    several = f" of {found.processes} processes together" if found.processes > 1 else ""
    return (
        f"whole script: {calls:,} calls, {_seconds(found.attention_ms)} in attention, "
        f"{_seconds(found.span_ms)} from the first call to the last{several}"
    )


def _first_calls(found: CallSites) -> Iterator[str]:
    """Set-up: the slowest first call beside a later one, and problems that were called once."""
    several = [each for each in found.calls if each.count > 1 and each.first_ms is not None]
    slowest = max(several, key=lambda each: each.first_ms or 0.0, default=None)
    if slowest and (slowest.first_ms or 0.0) > _SLOW_START * slowest.later_ms:
        yield (
            f"the slowest first call took {milliseconds(slowest.first_ms)} ms, a later one takes "
            f"{milliseconds(slowest.later_ms)} ms ({short(slowest.place)}): {_left_out(found)}"
        )
    once = sum(each.count == 1 for each in found.calls)
    if once:
        yield (
            f"{once} of {counted(len(found.calls), 'problem')} came up once: the times of "
            f"{'that call have' if once == 1 else 'those calls have'} set-up in them"
        )


def _left_out(found: CallSites) -> str:
    """Where the set-up of first calls is counted."""
    if found.has_steps:
        return "the first step, which has set-up in it, is in no figure of a step"
    return f"the difference counts as {SET_UP}"


def _unseen(found: CallSites) -> Iterator[str]:
    counts: Counter[str] = Counter()
    for each in found.calls:
        if each.unseen:
            counts[each.place] += each.count
    if counts:
        first = short(counts.most_common(1)[0][0])
        yield (
            f"the backward pass of {counted(counts.total(), 'call')} is not seen ({first}): no "
            f"single node of the autograd graph computes it; its time counts as {OUTSIDE}"
        )


def _uneven(found: CallSites) -> Iterator[str]:
    """Where the mean of attention is no part of the median step."""
    if found.each(found.attention_ms) > found.took_ms:
        yield (
            f"attention takes {milliseconds(found.each(found.attention_ms))} ms in the mean, more "
            f"than {whole(found)}: steps differ, and shares are of the time in attention"
        )
    optimized = found.has_steps and any(each.backward_ms or each.unseen for each in found.calls)
    without = [each for each in found.calls if not each.backward_ms and not each.unseen]
    if optimized and without:
        count = sum(each.count for each in without)
        yield (
            f"{counted(count, 'call')} of the script had no backward pass; calls of an evaluation "
            "between steps count as part of a step"
        )


def commands(found: CallSites, workload: Path) -> list[tuple[str, str]]:
    """The next commands, each with what it finds."""
    path = shlex.quote(str(workload))
    some = [("what would be faster", f"python run_bench.py run --workload {path}")]
    heaviest = next((each for each in found.calls if each.problem and measured_by(each.by)), None)
    if heaviest is not None:
        name = measured_by(heaviest.by)
        some.append(
            (
                "where the heaviest call spends its own time",
                f'python run_bench.py profile {name} --problem "{heaviest.problem}"',
            )
        )
    return some if any(each.problem for each in found.calls) else []


def labels(sites: Sequence[CallSite]) -> dict[str, str]:
    """A short name of each line, by its place; with the library's line where two are alike."""
    plain = Counter(_base(site.script) for site in sites)
    with_library = Counter(short(site.place) for site in sites)
    found = {}
    for site in sites:
        name = _base(site.script)
        if plain[name] > 1:
            name = short(site.place) if with_library[short(site.place)] == 1 else site.place
        found[site.place] = name
    return found


def short(place: str) -> str:
    """A place without folders: "model.py:12 forward < train.py:31 step"."""
    return " < ".join(map(_base, place.split(" < ")))


def problem(calls: Calls) -> str:
    """The problem; or what the grammar cannot express, with the shapes of q, k and v."""
    if calls.problem:
        return calls.problem
    shapes = " ".join("x".join(map(str, shape)) for shape in dict.fromkeys(calls.shapes))
    return f"{calls.reason}; {shapes}" if shapes else calls.reason


def problems(site: CallSite) -> str:
    """The problem; of several, their range where they differ in one word, else the heaviest."""
    every = list(dict.fromkeys(map(problem, site.calls)))
    if len(every) == 1:
        return every[0]
    return _range(every) or f"{every[0]} and {len(every) - 1} more"


def _range(every: Sequence[str]) -> str:
    """Problems that differ in one word: "b1 h4 t1/33 to t1/52 d16"; empty for others."""
    words = [each.split() for each in every]
    if len({len(own) for own in words}) > 1:
        return ""
    columns = list(zip(*words, strict=True))
    if sum(len(set(column)) > 1 for column in columns) != 1:
        return ""
    return " ".join(
        " to ".join(dict.fromkeys((min(column, key=_size), max(column, key=_size))))
        for column in columns
    )


def _size(word: str) -> list[tuple[bool, int | str]]:
    """A key that sorts the numbers in a word by value."""
    parts = re.split(r"(\d+)", word)
    return [(part.isdigit(), int(part) if part.isdigit() else part) for part in parts]


def functions(found: CallSites) -> list[str]:
    """Every function of attention that the script calls, that of the most time first."""
    return list(dict.fromkeys(each.by for each in found.calls))


def backward(each: Calls | CallSite, found: CallSites) -> Value:
    """The time of backward passes: empty without one, `not seen` where it was not timed."""
    if each.backward_ms is None:
        return Value(NOT_SEEN if each.unseen else "", float("nan"))
    took = found.each(each.backward_ms)
    return Value(f"{'>' if each.unseen else ''}{milliseconds(took)}", took)


def total(each: Calls | CallSite, found: CallSites) -> Value:
    """Forward and backward; a lower bound where a backward pass is not seen."""
    took = found.each(each.total_ms)
    return Value(f"{'>' if each.unseen else ''}{milliseconds(took)}", took)


def share(part: float, *, least: bool = False) -> Value:
    """A share as a cell, to a tenth of a percent."""
    small = 0 < part < _LEAST_SHARE
    text = f"<{100 * _LEAST_SHARE:.1f}" if small else f"{100 * part:.1f}"
    return Value(f"{'>' if least and not small else ''}{text} %", part)


def ms(value: float | None) -> Value:
    """Milliseconds as a cell; empty where they are not known."""
    return Value(milliseconds(value), float("nan") if value is None else value)


def site_table(found: CallSites) -> Table:
    """A row for each line, the longest time first, and one for the time outside attention."""
    several = len(functions(found)) > 1
    library = any(site.library for site in found.sites)
    head = (
        "line",
        "total ms",
        "share",
        "cumulative",
        _calls_head(found),
        "forward ms",
        "backward ms",
        "first call ms",
        "problem",
        *(["function"] if several else []),
        *(["line of the library"] if library else []),
    )
    rows = [*_site_rows(found, several=several, library=library), *_other_rows(found, len(head))]
    by = "" if several else f" Every call is of {functions(found)[0]}."
    caption = f"One row per line. Times are of {one(found)}; {_FIRST}.{by}"
    return Table(caption, head, tuple(rows), shown=len(head))


def _site_rows(found: CallSites, *, several: bool, library: bool) -> Iterator[Row]:
    names, sum_ms = labels(found.sites), 0.0
    for site in found.sites:
        sum_ms += site.total_ms
        yield Row(
            (
                Value(names[site.place]),
                total(site, found),
                share(found.share(site.total_ms), least=site.unseen),
                share(found.share(sum_ms)),
                count(site, found),
                ms(found.each(site.forward_ms)),
                backward(site, found),
                ms(site.first_ms),
                Value(problems(site)),
                *([Value(", ".join(site.functions))] if several else []),
                *([Value(site.library)] if library else []),
            )
        )


def _other_rows(found: CallSites, columns: int) -> Iterator[Row]:
    """The time that no line has: set-up, where it is part of the whole, and all else."""
    whole_ms = found.whole_ms or 1.0
    for name, took_ms in others(found).items():
        until = share(1.0 if name == OUTSIDE else 1.0 - found.outside_ms / whole_ms)
        cells = (Value(name), ms(took_ms), share(took_ms / whole_ms), until, *(ms(None),) * 4)
        yield Row((*cells, *(Value(""),) * (columns - len(cells))))


def others(found: CallSites) -> dict[str, float]:
    """Milliseconds that no line has, by name; that outside attention is last."""
    set_up = {SET_UP: found.set_up_ms} if found.set_up_ms else {}
    return {**set_up, OUTSIDE: found.outside_ms}


def problem_table(found: CallSites) -> Table:
    """A row for each problem of each line, the longest time first."""
    names = labels(found.sites)
    head = (
        "line",
        "problem",
        "total ms",
        "share",
        _calls_head(found),
        "forward ms",
        "backward ms",
        "forward ms per call",
        "first call ms",
        "function",
    )
    rows = (
        Row(
            (
                Value(names[each.place]),
                Value(problem(each)),
                total(each, found),
                share(found.share(each.total_ms), least=each.unseen),
                count(each, found),
                ms(found.each(each.forward_ms)),
                backward(each, found),
                ms(each.later_ms),
                ms(each.first_ms),
                Value(each.by),
            )
        )
        for each in found.calls
    )
    caption = f"One row per problem of a line. Times are of {one(found)}; {_FIRST}."
    return Table(caption, head, tuple(rows), shown=len(head))


def count(each: Calls | CallSite, found: CallSites) -> Value:
    """Calls of a step or of the script."""
    calls = found.each(each.count)
    return Value(_number(calls), calls)


def _calls_head(found: CallSites) -> str:
    return "calls per step" if found.has_steps else "calls in all"


def _number(calls: float) -> str:
    return f"{calls:,.0f}" if float(calls).is_integer() else number(calls)


def _lines(found: CallSites) -> str:
    return counted(len(found.sites), "line")


def _seconds(took_ms: float) -> str:
    return f"{three_digits(took_ms / 1e3)} s" if known(took_ms) else ""


def _base(line: str) -> str:
    """A line without its folder."""
    return line.rpartition("/")[2]


def facts(found: CallSites) -> list[tuple[str, str]]:
    """The script and the machine that it ran on, as names and values."""
    header = found.found.workload.header
    steps = f"{header.steps:,}" if found.has_steps else "not known; --steps N states them"
    return [
        ("command", header.command),
        ("ended", header.ended or "not recorded"),
        ("steps", steps),
        ("processes", f"{header.processes}"),
        *((name.replace("_", " "), f"{value}") for name, value in header.machine.items() if value),
    ]


def stamp(found: CallSites) -> str:
    """Command, device and version of torch, for the foot of an image."""
    header = found.found.workload.header
    versions = [f"{header.machine.get('device', '')}", f"torch {header.machine.get('torch', '')}"]
    return ", ".join([header.command, *(versions if header.machine else [])])
