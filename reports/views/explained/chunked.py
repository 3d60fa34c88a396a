"""The online softmax in words: a row for each block, and the running values as a chart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf

from reports.views.charts.chart import Chart, Series
from reports.views.charts.heat import Heat, Panel
from reports.views.charts.palette import Look, looks
from reports.views.explained.words import keys, number, table, vector, which_head
from reports.views.sections import Section, Table
from reports.views.text import counted
from suites.explaining.steps import BlockStep, OnlineSoftmax

TITLE = "The online softmax, block by block"
_HEAD = (
    "block",
    "scores",
    "block maximum",
    "running maximum m",
    "rescaling factor",
    "running sum l",
    "running output o",
)


def answer(found: OnlineSoftmax) -> str:
    """The comparison with the plain softmax."""
    return (
        f"Query {found.query} reads its keys in {counted(len(found.steps), 'block')}. Its output "
        "equals that of the plain softmax within rounding: the largest difference is "
        f"{found.difference:.2g}."
    )


def notes(found: OnlineSoftmax) -> Iterator[str]:
    """The method in four sentences, and the last step."""
    yield (
        "A softmax needs the maximum of all scores, so that no exponential overflows. The online "
        "softmax keeps a running maximum m instead."
    )
    yield (
        "When a block raises m, the running sum l and the running output o are multiplied by "
        "exp(m_old - m_new). Then the block adds exp(score - m) to l, and exp(score - m) v to o."
    )
    skipped = [step for step in found.steps if step.largest == -inf]
    if skipped:
        yield f"The mask hides all keys of {_blocks(skipped)}: such a block is not computed."
    yield from _end(found)
    yield from filter(None, [which_head(found.problem)])
    yield "Inputs are seeded. All numbers are float64 (arXiv 1805.02867, 2205.14135)."


def _blocks(steps: list[BlockStep]) -> str:
    return ", ".join(keys(step.first, step.end) for step in steps)


def _end(found: OnlineSoftmax) -> Iterator[str]:
    if found.sink is not None:
        yield (
            f"The sink adds to the sum only: its logit {number(found.sink)} is read last, and the "
            f"sum becomes {number(found.sum)} relative to the larger maximum."
        )
    if not found.sum:
        yield "The query sees no key: its sum is 0, and its output is 0."
        return
    yield f"At the end, the output is o / l = {vector(found.output)}."
    yield f"The softmax over all keys at once gives {vector(found.plain)}."


def sections(found: OnlineSoftmax) -> Iterator[Section]:
    """The table of blocks, the running values, and the weights after each block."""
    yield Section("blocks", "The blocks", tables=(_table(found),))
    charts = (_running(found), _weights(found)) if found.sum else ()
    if charts:
        yield Section("running", "The running values", charts=charts)


def _table(found: OnlineSoftmax) -> Table:
    return table(f"Query {found.query}, block by block", _HEAD, map(_row, found.steps))


def _row(step: BlockStep) -> tuple[str, ...]:
    name, scores = keys(step.first, step.end), vector(step.scores, len(step.scores))
    if step.largest == -inf:
        return name, scores, "-inf", number(step.maximum), "skipped", number(step.sum), "unchanged"
    return (
        name,
        scores,
        number(step.largest),
        number(step.maximum),
        number(step.factor),
        number(step.sum),
        vector(step.output, 3),
    )


def _running(found: OnlineSoftmax) -> Chart:
    """Maximum, sum and factor over the keys that are read."""
    read = [step for step in found.steps if step.maximum > -inf]
    lines = {
        "running maximum m": [(step.end, step.maximum) for step in read],
        "running sum l": [(step.end, step.sum) for step in read],
        "rescaling factor": [(step.end, step.factor) for step in read[1:]],
    }
    own = looks(lines)
    return Chart(
        key="online_softmax",
        panel="",
        title="Running maximum, sum and rescaling factor",
        label="",
        common=f"{found.problem}, query {found.query}, blocks of {found.block}",
        mask=str(found.problem.mask),
        x_title="keys read",
        y_title="value",
        log_x=False,
        log_y=False,
        series=tuple(_line(name, lines[name], own[name]) for name in lines if lines[name]),
        note="A factor below 1 rescales what was summed so far: the block raised the maximum.",
        alt="Running maximum, running sum and rescaling factor after each block of keys.",
    )


def _line(name: str, points: Sequence[tuple[int, float]], look: Look) -> Series:
    return Series(
        name=name,
        x=tuple(float(x) for x, _ in points),
        y=tuple(y for _, y in points),
        low=(),
        high=(),
        hover=tuple(f"{name} {number(y)}\n{x} keys read" for x, y in points),
        look=look,
        drawn="joined",
    )


def _weights(found: OnlineSoftmax) -> Heat:
    """The softmax over the keys read so far, a row for each block."""
    length = found.problem.key_length
    cells = tuple(
        tuple(
            weight if score > -inf else None
            for weight, score in zip(step.weights, _scores(found)[: step.end], strict=True)
        )
        + (None,) * (length - step.end)
        for step in found.steps
    )
    return Heat(
        key="online_softmax_weights",
        title="Weights of the keys read so far",
        label="",
        common=f"{found.problem}, query {found.query}, blocks of {found.block}",
        x_title="key",
        y_title="block",
        panels=(Panel(title="exp(score - m) / l", cells=cells, word="weight"),),
        note="The last row is the softmax over all keys. Grey: not read yet, or hidden.",
        alt="A heat map with a row for each block: the softmax over the keys read so far.",
        empty="not read yet, or hidden by the mask",
    )


def _scores(found: OnlineSoftmax) -> list[float]:
    return [score for step in found.steps for score in step.scores]
