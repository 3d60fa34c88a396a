"""The tables of `list`: implementations, suites, problems of a suite, models, runs, the machine."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from impls.interface import Limits
from impls.interface.limits import EVERY_BIAS, EVERY_MASK, OPTIONAL, words_of
from impls.interface.problem import DEVICES, DTYPES
from reports.outputs.terminal.blocks import Fitting, block
from reports.outputs.terminal.grid_tables import GAP, ByWidth, table
from reports.outputs.terminal.model_list import models_list
from reports.views import ran_on
from reports.views.machine import machine_facts
from reports.views.text import abbreviated, counted, printable
from suites.records.codec import from_json
from suites.records.plan import Entry

CAPABILITIES: Final = (
    "implementation",
    "devices",
    "dtypes",
    "masks",
    "biases",
    "also",
    "grouped heads",
    "Tq != Tk",
    "training",
    "head dims",
    ran_on.HEAD,
    "choices",
)
LISTED: Final = (
    *(
        "devices",
        "dtypes",
        "masks",
        "biases",
        "also",
        "cannot",
        "head dims",
        ran_on.HEAD,
        "choices",
    ),
)
"""Columns of a terminal after the name; `cannot` has the columns with the value no."""
_KINDS: Final = {
    "general": "Suites to begin with",
    "questions": "Suites by question",
    "applications": "Suites by application",
}
_MORE: Final = (
    "\nProblems and minutes are those of a CPU with 2 cores. python run_bench.py list problems "
    "SUITE lists the problems with their sources."
)
_LISTS: Final = ("masks", "also", ran_on.HEAD)
_NO_LIMIT: Final = ("", "all")
_USUAL: Final = {"head dims": ("", words_of(Limits().head_dims))}
"""Values that need no line."""
BLANK: Final = len(CAPABILITIES) - 2
"""Empty columns of a missing implementation, after its name and reason."""

ONE_LINE: Final = 100
"""Width of a terminal from which a run is one line of `list runs`."""
_SPARE: Final = re.compile(r"\((?:R|TM)\)| Processor\b| CPU(?= @)| @ [\d.]+GHz", re.IGNORECASE)
"""Parts of a CPU name that are left out on one line."""
Rows = Sequence[Mapping[str, str]]
"""The cells of each implementation, by head."""


def capability_rows(entries: Iterable[Entry]) -> list[tuple[str, ...]]:
    """The limits of each implementation, in the columns of CAPABILITIES.

    An implementation with several Limits has a row for each, with its name on the first only. A
    missing one has its reason instead.
    """
    rows: list[tuple[str, ...]] = []
    for entry in entries:
        name = f"{printable(entry.name)}{' (layer)' if entry.layer else ''}"
        if entry.missing:
            rows.append((name, f"missing: {_missing(entry)}", *[""] * BLANK))
            continue
        for place, limits in enumerate(entry.limits or (Limits(),)):
            first = place == 0
            own = (name, ran_on.words(entry), _choices(entry)) if first else ("", "", "")
            rows.append((own[0], *_capabilities(limits), *own[1:]))
    return rows


def implementations_table(entries: Iterable[Entry]) -> Group:
    """The tables of `list implementations`: the available ones, then the missing ones and why.

    Where the first table would break words, each implementation is a block of lines instead.
    """
    entries = list(entries)
    rows = [_cells(row) for row in capability_rows(each for each in entries if not each.missing)]
    absent = _table("missing", "reason")
    for entry in entries:
        if entry.missing:
            absent.add_row(*map(Text, (printable(entry.name), _missing(entry))))
    available = _available(rows) if rows else Text()
    return Group(available, Text(), absent) if absent.row_count else Group(available)


def _missing(entry: Entry) -> str:
    """Why it is missing, and whether it ever ran on a device."""
    said = ran_on.words(entry)
    return printable(f"{entry.missing}; {said}" if said == ran_on.NEVER else entry.missing)


def _cells(row: tuple[str, ...]) -> dict[str, str]:
    """A row of `capability_rows` by head; `cannot` lists the heads with the value no."""
    cells = dict(zip(CAPABILITIES, row, strict=True))
    return {**cells, "cannot": ", ".join(head for head, cell in cells.items() if cell == "no")}


def _available(rows: Rows) -> ByWidth:
    """The available ones as one table: lists have one word a line, choices take the free width."""
    heads = ("implementation", *LISTED)
    cells = [
        [row[head].replace(", ", ",\n") if head in _LISTS else row[head] for head in heads]
        for row in rows
    ]
    made = table()
    for place, head in enumerate(heads):
        said = [head, *(row[place] for row in cells)]
        broken = head == "choices"
        parts = (part for text in said for part in (text.split() if broken else text.split("\n")))
        least = max(map(len, parts))
        made.add_column(head, no_wrap=not broken, min_width=least)
    for row in cells:
        made.add_row(*map(Text, row))
    needed = sum(column.min_width or 0 for column in made.columns) + GAP * (len(heads) - 1)
    return ByWidth(needed, made, Group(*_blocks(rows)))


def _blocks(rows: Rows) -> Iterator[RenderableType]:
    """A block for each implementation: its name, and a line for each limit."""
    for row in rows:
        name = row["implementation"]
        yield Text(f"\n{name}", style="bold") if name else Text("  or", style="dim")
        limits = _table("limit", "value")
        limits.show_header = False
        for head in LISTED:
            if row[head] not in _USUAL.get(head, _NO_LIMIT):
                limits.add_row(Text(f"  {head}", style="dim"), Text(row[head]))
        yield limits if limits.row_count else Text("  no limits", style="dim")


def capability_markdown(entries: Iterable[Entry]) -> str:
    """The table of CAPABILITIES in markdown, for README."""
    rows = [[_markdown(name) for name in CAPABILITIES], ["---"] * len(CAPABILITIES)]
    for name, *rest in capability_rows(entries):
        rows.append([f"`{name}`" if name else "", *map(_markdown, rest)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def suites_tables(suites: Iterable[Mapping[str, Any]]) -> Group:
    """The tables of `list suites`, one for each kind, from each one's problems and question."""
    kinds: dict[str, Table] = {}
    for each in suites:
        if each["kind"] not in kinds:
            kinds[each["kind"]] = _table("suite", "problems", "minutes at most", "what it asks")
            kinds[each["kind"]].title = Text(f"\n{_KINDS[each['kind']]}", style="bold")
            kinds[each["kind"]].title_justify = "left"
        minutes = "-" if each["minutes"] is None else f"{each['minutes']:g}"
        cells = (each["name"], str(each["problems"]), minutes, each["asks"])
        kinds[each["kind"]].add_row(*map(Text, cells))
    return Group(*map(Fitting, kinds.values()), Text(_MORE))


def suites_markdown(suites: Iterable[Mapping[str, Any]]) -> str:
    """The table of suites in markdown, for README and docs/problems.md."""
    rows = [("suite", "what it asks", "problems", "minutes at most"), ("---",) * 4]
    for each in suites:
        minutes = "-" if each["minutes"] is None else f"{each['minutes']:g}"
        rows.append((f"`{each['name']}`", each["asks"], str(each["problems"]), minutes))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def problems_list(suite: Mapping[str, Any]) -> Group:
    """The question of a suite, each of its cases with label and source, and the cases left out."""
    minutes = "" if suite["minutes"] is None else f", {suite['minutes']:g} minutes at most"
    lines: list[RenderableType] = [
        Text(f"{suite['name']}: {suite['asks']}", style="bold"),
        Text(f"{counted(suite['problems'], 'problem')} on a CPU with 2 cores{minutes}"),
        Text(),
    ]
    for case in suite["cases"]:
        lines += block(Text(case["problem"]), ((name, Text(text)) for name, text in _about(case)))
    if suite["left_out"]:
        lines += block(Text("\nleft out", style="bold"), (("", Text(w)) for w in suite["left_out"]))
    return Group(*lines)


def _about(case: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The fields of a case beside its problem; empty texts for those without a value."""
    step = f" in {case['step']}" if case["step"] else ""
    calls = f"{case['count']:g}{step}" if step or case["count"] != 1 else ""
    yield "label", case["label"]
    yield "calls", calls
    yield from ((name, case[name]) for name in ("source", "scaled"))


def runs_table(runs: Iterable[Mapping[str, Any]]) -> RenderableType:
    """The table of `list runs`, from their data, in their order; the runs of a group are indented.

    Where there is room, a run is one line, and the name of its machine is shortened.
    """
    numbers = ("problems", "implementations", "records")
    rows: list[tuple[str, ...]] = []
    for group, of_group in groupby(runs, key=lambda each: each["group"]):
        own = list(of_group)
        if group:
            rows.append(_group(group, len(own), len(numbers)))
        rows += [(*_names(each), *(str(each[n]) for n in numbers), _state(each)) for each in own]
    if not rows:
        return Text("no runs; python run_bench.py makes one")
    heads = ("run", "machine", *numbers, "state")
    narrow, wide = _table(*heads), _table(*heads)
    for name, machine, *others in rows:
        rest = [*map(Text, others)]
        narrow.add_row(Text(name), Text(machine), *rest)
        cut = Text(_SPARE.sub("", machine), no_wrap=True, overflow="ellipsis")
        wide.add_row(Text(name), cut, *rest)
    return ByWidth(ONE_LINE, wide, Fitting(narrow))


def machine_table(machine: Mapping[str, Any]) -> Table:
    """The table of `list machine`."""
    made = _table("", "")
    made.show_header = False
    for name, value in machine_facts(machine):
        made.add_row(Text(printable(name), style="dim"), Text(printable(value)))
    return made


def _group(group: str, kinds: int, numbers: int) -> tuple[str, ...]:
    """The line of a group above its runs."""
    return (abbreviated(group), f"{counted(kinds, 'kind')} of machine", *[""] * numbers, "")


def _names(run: Mapping[str, Any]) -> tuple[str, str]:
    """The name of a run with the lines below it, and its machine."""
    indent = "  " if run["group"] else ""
    lines = [abbreviated(run["name"]), *_saved_as(run), *_profiled(run)]
    return indent + f"\n  {indent}".join(lines), _machine(run)


def _state(run: Mapping[str, Any]) -> str:
    return printable(run["fault"]) or ("ended" if run["ended"] else "not ended")


def _saved_as(run: Mapping[str, Any]) -> list[str]:
    """The saved names of a run as a line below its own; none without a name."""
    return [f"saved as {', '.join(run['saved_as'])}"] if run["saved_as"] else []


def _profiled(run: Mapping[str, Any]) -> list[str]:
    """A line below the name of a run that has profiles; none without them."""
    return ["with profiles: report draws their page"] if run["profiled"] else []


def _machine(run: Mapping[str, Any]) -> str:
    """The machine of a run: its CPU and other devices, each once."""
    names = dict.fromkeys(str(name) for name in (run["machine"], *run["devices"]) if name)
    return abbreviated(", ".join(names))


def _capabilities(limits: Limits) -> tuple[str, ...]:
    devices = [_cuda(limits) if name == "cuda" else name for name in limits.devices]
    return (
        _some(tuple(devices), DEVICES),
        _some(tuple(DTYPES[each] for each in limits.dtypes), tuple(DTYPES.values())),
        _some(limits.masks, EVERY_MASK),
        _some(limits.biases, EVERY_BIAS),
        ", ".join(word for word, takes in _optional(limits) if takes),
        _yes(limits.grouped_heads),
        _yes(limits.unequal_lengths),
        _yes(limits.backward),
        words_of(limits.head_dims),
    )


def _cuda(limits: Limits) -> str:
    """`cuda`, with its compute capabilities where these are limited."""
    least = ".".join(map(str, limits.cuda_capability))
    if limits.cuda_capability_below is not None:
        return f"cuda {least} to below {'.'.join(map(str, limits.cuda_capability_below))}"
    return f"cuda {least}+" if any(limits.cuda_capability) else "cuda"


def _optional(limits: Limits) -> Iterator[tuple[str, bool]]:
    """Optional features, and whether these limits include them."""
    yield "ranks", limits.ranks
    yield "value dim", limits.own_value_dim
    yield from ((name, getattr(limits, name)) for name in OPTIONAL)


def _some(named: tuple[str, ...], every: tuple[str, ...]) -> str:
    """The names, or `all` where none is left out."""
    return "all" if set(named) == set(every) else ", ".join(named)


def _choices(entry: Entry) -> str:
    choices = entry.choices.items()
    return "; ".join(f"{name}: {', '.join(map(str, values))}" for name, values in choices)


def _yes(holds: bool) -> str:  # noqa: FBT001 - its only argument
    return "yes" if holds else "no"


def _markdown(text: str) -> str:
    for mark in "\\|<>*`[]":
        text = text.replace(mark, f"\\{mark}")
    return text


def _table(*columns: str) -> Table:
    made = table()
    for place, name in enumerate(columns):
        made.add_column(name, overflow="fold", no_wrap=place == 0)
    return made


TABLES: Final[dict[str, Callable[[Any], RenderableType]]] = {
    "implementations": lambda data: implementations_table(
        from_json(Entry, json.dumps(each)) for each in data
    ),
    "suites": suites_tables,
    "problems": problems_list,
    "models": models_list,
    "runs": runs_table,
    "machine": machine_table,
}
"""A table for each list of `list`, from its data."""


def listed(what: str, data: Any) -> RenderableType:
    """The data of a list as tables: implementations, suites, problems, models, runs or machine."""
    return TABLES[what](data)
