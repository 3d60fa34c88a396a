"""A run in which every string is hostile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from typing import Any, Final

from impls.interface import Limits
from suites.records.facts import SessionFacts
from suites.records.plan import Entry
from suites.records.record import Agreement, Conditions, Record, TensorError
from suites.records.store import Run
from suites.stats.ceilings import Ceiling
from tests.saved_run import PROBLEMS, small_run

ATTACK: Final = "document.title='taken';alert(1);fetch('http://example.invalid/')"
NAMES: Final = {
    "script": f"</script><script>{ATTACK}</script>",
    "image": f'"\'><img src=x onerror="{ATTACK}">',
    "template": f"`${{{ATTACK}}}`",
    "comment": "<!-- <script> --!> <![CDATA[",
    "address": f"javascript:{ATTACK}",
    "link": f'<a href="javascript:{ATTACK}">press</a>',
    "style": "</style><style>*{display:none}</style>",
    "lines": "one\ntwo\r\nthree\tfour\u2028five\u0085six",
    "control": "nul\0bell\x07delete\x7fcsi\x9b31m",
    "ansi": "\x1b[31mred\x1b[0m\x1b]0;title\x07\x1b[2J",
    "bidirectional": "abc\u202edrowssap\u2066x\u2069\u200f",
    "nothing wide": "zero\u200bwidth\u2060\ufeffjoined",
    "surrogate": "half\ud800a\udfffpair\udce9",
    "long": "long " + "x" * 9_990 + " end",
    "without a break": "w" * 10_000,
    "emoji": "\U0001f525 \U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f3f3\ufe0f",
    "right to left": "مرحبا بالعالم (עברית) 12",
    "stacked": "e" + "\u0301" * 300,
    "markup": "[red]red[/red] [link=file:///x]y[/link] [/] [bold",
    "formula of TeX": r"$\frac{1}{0}$ \$ $$ ${x}_",
    "formula of a sheet": "=cmd|' /C calc'!A0",
    "another of a sheet": "\t@SUM(1)",
    "jinja": "{{ 7*7 }}{% raw %}{# x",
    "entity": "&lt;b&gt; &#36; &amp;amp; %{y}",
    "format": "%s %n {0} {x!r}",
    "prototype": "__proto__",
    "underscore": "_hidden",
    "quotes": "\"'\\\"'",
}
"""Hostile texts by kind; all of them are used as names, reasons, paths and versions."""


def hostile_run() -> tuple[Run, list[Record]]:
    """Every string of the run, its plan and its records is one of NAMES; problems are problems."""
    made = tuple(
        Entry(
            name=name,
            files={name: f"/{name}/x.py"},
            hashes={name: name},
            limits=(Limits(),),
            choices={name: [name, "1"]},
            panel="layers" if place % 5 == 4 else "attention",
            description=name,
        )
        for place, name in enumerate(NAMES.values())
    )
    missing = Entry(name="gone " + NAMES["image"], missing=NAMES["long"])
    other = Entry(name="other", limits=(Limits(),), panel="../../" + NAMES["script"])
    run, records = small_run(problems=PROBLEMS[:2], sessions=2, made=(*made, missing, other))
    text = cycle(NAMES.values())
    plan = replace(
        run.plan,
        suite=NAMES["script"],
        baseline=NAMES["image"],
        cache=NAMES["markup"],
        allocator=NAMES["bidirectional"],
    )
    run = Run(
        name=NAMES["link"],
        started=NAMES["ansi"],
        ended=NAMES["surrogate"],
        command=" ".join(NAMES.values()),
        plan=plan,
        machine=_machine(),
        facts=tuple(_fact(session) for session in plan.session_numbers),
    )
    return run, [_hostile(record, text) for record in _some_fallen(records)]


def _some_fallen(records: list[Record]) -> Iterator[Record]:
    """The records, those of four implementations with faults and hostile reasons."""
    reasons = dict(zip(list(NAMES.values())[-4:], NAMES.values(), strict=False))
    for record in records:
        reason = reasons.get(record.implementation)
        if reason is None or record.session:
            yield record
            continue
        yield Record(
            session=0,
            problem=record.problem,
            implementation=record.implementation,
            status="failed",
            cause="exception",
            reason=reason,
        )


def _hostile(record: Record, text: Iterator[str]) -> Record:
    if record.status != "ok":
        return record
    if record.agreement is not None:
        return replace(record, agreement=_agreement(next(text)), operator=next(text))
    size = len(record.times_ms)
    conditions = Conditions(
        disturbed=("", *(next(text) for _ in range(size - 1))),
        device=({next(text): next(text)},),
    )
    twin = record.times_ms if record.implementation == NAMES["image"] else ()
    return replace(
        record, clock=next(text), operator=next(text), conditions=conditions, twin_ms=twin
    )


def _agreement(text: str) -> Agreement:
    error = TensorError(
        tensor=text,
        rms_share=0.1,
        worst_share=0.2,
        relative_rms=1e-7,
        max_error=1e-6,
        worst_row=3e-7,
        cosine=1 - 1e-9,
    )
    return Agreement(tensors=(error,), readout=True, repeatable=False, slope=-3e-5, hard_inputs=7)


def _machine() -> dict[str, Any]:
    text = list(NAMES.values())
    return {
        "cpu": text[0],
        "os": text[1],
        "allocator": text[13],
        "versions": {name: name for name in text},
        "devices": [{"device": name, "name": name} for name in text],
        **{f"further {name}": name for name in text},
    }


def _fact(session: int) -> SessionFacts:
    text: Any = list(NAMES.values())
    return SessionFacts(
        session=session,
        ceilings=tuple(
            Ceiling(kind=name, dtype=name, residency=name, value=1e9, device=name) for name in text
        ),
        affinity=tuple(text),
        fault=NAMES["image"],
    )
