"""The tables of docs/scaling.md, as Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from impls.interface import CAUSAL, FULL, Problem
from suites.stats.scaling.cluster import CORE_FLOPS, H200, LAYERS, LOOPBACK, TABLED
from suites.stats.scaling.memory import peak_bytes, saved_bytes
from suites.stats.scaling.parts import (
    pass_flops,
    redundant_share,
    sent,
    sent_forward,
)
from suites.stats.scaling.seconds import Seconds, break_even_length, seconds, slowdown

RANKS: Final = (8, 64, 256, 1024)
LENGTHS: Final = (131_072, 1_048_576, 10_485_760)
GROUP: Final = 8
"""Ranks of an all-to-all where both are used together: a node, and as many as key heads."""


def bytes_sent() -> str:
    """GB that a device sends in one call of 1,048,576 tokens."""
    rows = []
    for key_heads in (TABLED.key_heads, TABLED.query_heads):
        for ranks in RANKS:
            problem = replace(TABLED, ranks=ranks, key_heads=key_heads)
            ulysses = ranks if ranks <= key_heads else None
            cells = [
                _sent(p, group)
                for group in (1, ulysses, GROUP)
                for p in (problem, replace(problem, training=True))
            ]
            heads = f"h{problem.query_heads}/{key_heads}"
            rows.append([heads, f"{ranks:,}", f"{problem.query_length // ranks:,}", *cells])
    head = "heads|N|T/N|ring, forward|training|Ulysses, forward|training|both, forward|training"
    return _table(head, rows)


def break_even() -> str:
    """Tokens of a device from which a ring hides its transfers."""
    many = replace(TABLED, key_heads=TABLED.query_heads)
    on_core = Problem.parse("b1 h8 t1024 d64 full fp32")
    cases: tuple[tuple[str, Problem, float, float, int], ...] = (
        ("NVLink, h64/8, ring", TABLED, H200.flops, H200.link, 1),
        ("NVLink, h64/64, ring", many, H200.flops, H200.link, 1),
        ("InfiniBand, h64/8, ring", TABLED, H200.flops, H200.network, 1),
        ("InfiniBand, h64/64, ring", many, H200.flops, H200.network, 1),
        ("InfiniBand, h64/8, both", TABLED, H200.flops, H200.network, GROUP),
        ("InfiniBand, h64/64, both", many, H200.flops, H200.network, GROUP),
        ("loopback, h8 d64 fp32, ring", on_core, CORE_FLOPS, LOOPBACK, 1),
    )
    rows = []
    for name, problem, flops, bandwidth, ulysses in cases:
        cells = [
            f"{math.ceil(break_even_length(p, flops, bandwidth, ulysses, backward=backward)):,}"
            for backward in (False, True)
            for p in (replace(problem, mask=mask, ranks=64) for mask in (FULL, CAUSAL))
        ]
        rows.append([name, *cells])
    return _table("link, heads|forward full|forward causal|backward full|backward causal", rows)


def times() -> str:
    """Time of one layer's attention."""
    rows = []
    for problem in _problems():
        cells = []
        for p in (problem, replace(problem, mask=CAUSAL, training=True)):
            ring, both = seconds(p, H200), seconds(p, H200, GROUP)
            cells += [_time(ring.arithmetic), *(_longer(each) for each in (ring, both))]
        rows.append([*_sizes(problem), *cells])
    head = "T|N|T/N|forward full: arithmetic|ring|both|training causal: arithmetic|ring|both"
    return _table(head, rows)


def memory() -> str:
    """GB of a device."""
    rows = []
    for problem in _problems():
        training = replace(problem, training=True)
        held = [peak_bytes(p, ulysses) for p in (problem, training) for ulysses in (1, GROUP)]
        kept = [LAYERS * saved_bytes(problem, ulysses) for ulysses in (1, GROUP)]
        rows.append([*_sizes(problem), *map(_fits, (*held, *kept))])
    head = "T|N|T/N|forward: ring|both|training: ring|both|kept by 80 layers: ring|both"
    return _table(head, rows)


def published() -> str:
    """Published figures beside those of the formulas."""
    rows = [
        list(row)
        for source in (_minimal_blocks, _volumes, _imbalance, _rates, _inference)
        for row in source()
    ]
    return _table("source|quantity|published|formula", rows)


TABLES: Final[dict[str, Callable[[], str]]] = {
    "bytes sent": bytes_sent,
    "break-even": break_even,
    "times": times,
    "memory": memory,
    "published": published,
}
"""The tables by name, in the order of the page."""


def _minimal_blocks() -> Iterator[tuple[str, str, str, str]]:
    """Ring Attention: peak FLOP/s and GB/s of a host, and the tokens that it needs."""
    problem = Problem.parse("b1 h32 t65536 d128 full bf16 ranks32 cuda")
    for host, tera, giga, tokens in (
        ("A100 NVLink", 312, 300, "1.0"),
        ("A100 InfiniBand", 312, 12.5, "24.5"),
        ("TPU v3", 123, 112, "1.1"),
        ("TPU v4", 275, 268, "1.0"),
        ("TPU v5e", 196, 186, "1.1"),
    ):
        found = break_even_length(problem, tera * 1e12, giga * 1e9)
        yield (
            "[1] table 2",
            f"smallest block, {host}",
            f"{tokens} thousand tokens",
            f"{found / 1e3:.2f} thousand",
        )


def _volumes() -> Iterator[tuple[str, str, str, str]]:
    """Elements of two bytes that a rank sends, in units of T h / N or T h."""
    call = Problem.parse("b1 h64 t65536 d128 full bf16 train ranks64 cuda")
    unit = 2 * call.query_length * call.query_heads * call.head_dim
    ranks = call.ranks
    what = f"sent by a rank, N = {ranks}, in units of"
    forward = sent_forward(call, ranks).total * ranks / unit
    yield "[2] volume", f"{what} T h / N: Ulysses, forward", "4", f"{forward:.2f}"
    training = sent(call, ranks).total * ranks / unit
    yield "[8] table 2", f"{what} T h / N: Ulysses, training", "8", f"{training:.2f}"
    ring = sent(call).total / unit
    yield "[8] table 2", f"{what} T h: ring, training", "4", f"{ring:.2f}"


def _imbalance() -> Iterator[tuple[str, str, str, str]]:
    yield (
        "[3] ring P2P redundancy",
        "keys of a causal ring with zig-zag parts that are not needed, 4 ranks",
        "25 %",
        _percent(redundant_share(4, "zigzag")),
    )
    yield (
        "[4] README",
        "causal ring with contiguous parts, share of the ideal rate, 8 GPUs",
        "51.4 to 53.9 %",
        f"{100 / slowdown(8):.1f} %",
    )
    yield "[4] README", "the same with zig-zag parts", "81.7 to 90.2 %", "100 %"
    for ranks, table, limit, measured in ((4, 3, "1.71", "1.45"), (8, 4, "1.84", "1.65")):
        yield (
            f"[5] table {table}",
            f"balanced to contiguous causal parts, {ranks} ranks: greatest speedup",
            f"{limit} (limit), {measured} (measured)",
            f"{slowdown(ranks):.2f}",
        )


def _rates() -> Iterator[tuple[str, str, str, str]]:
    """MagiAttention on H100: 8,192 tokens on each of 8 to 64 GPUs, read off the bars."""
    for mask, least, most in ((FULL, "0.83", "0.93"), (CAUSAL, "0.70", "0.82")):
        found = []
        for ranks in (8, 16, 32, 64):
            length = 8192 * ranks
            call = replace(TABLED, query_length=length, key_length=length, ranks=ranks, mask=mask)
            ring = seconds(call, H200)
            found.append(ring.arithmetic / ring.total)
        yield (
            "[3] H100, figures",
            f"rate of the ring to that of Ulysses, forward, {mask}",
            f"{least} to {most}",
            f"{min(found):.2f} of the arithmetic's",
        )


def _inference() -> Iterator[tuple[str, str, str, str]]:
    """Context parallelism for inference: a step of 4 ranks, one of 8 key heads on each GPU."""
    call = Problem.parse("b1 h16/1 t3200/128000 d128 full bf16 cuda")
    step_flops = pass_flops(call, backward=False) / 4 / 4
    block = 2 * 128_000 // 4 * 128 * 2
    rate, bandwidth = step_flops / 414e-6, block / 627e-6
    step_per_token = step_flops / call.query_length
    yield (
        "[6] table 5",
        "rate of attention in a step of 414 us, of a link in 627 us",
        "502 TFLOP/s (section 4.2.3)",
        f"{rate / 1e12:.0f} TFLOP/s, {bandwidth / 1e9:.0f} GB/s",
    )
    yield (
        "[6] section 4.2.4",
        "new tokens below which passing k and v round is not hidden",
        "4,160 of 128,000",
        f"{block / bandwidth * rate / step_per_token:,.0f}",
    )
    llama = Problem.parse("b1 h16/1 t131072 d128 causal bf16 ranks16 cuda")
    gathered = sent_forward(llama).passed / H200.network
    arithmetic = pass_flops(llama, backward=False) / 16 / H200.flops
    yield (
        "[7] section 3.3.2",
        "all-gather of k and v against attention, 16 ranks, 131,072 tokens, forward",
        "negligible",
        f"{1e3 * gathered:.1f} ms, {1e3 * arithmetic:.1f} ms",
    )


def _problems() -> Iterator[Problem]:
    for length in LENGTHS:
        for ranks in RANKS:
            yield replace(TABLED, query_length=length, key_length=length, ranks=ranks)


def _sent(problem: Problem, ulysses: int | None) -> str:
    return "refused" if ulysses is None else _giga(sent(problem, ulysses).total)


def _sizes(problem: Problem) -> list[str]:
    per_device = problem.query_length // problem.ranks
    return [f"{problem.query_length:,}", f"{problem.ranks:,}", f"{per_device:,}"]


def _longer(found: Seconds) -> str:
    """The total time and the part of it that is not arithmetic."""
    return f"{_time(found.total)} ({_percent(1 - found.arithmetic / found.total)})"


def _time(value: float) -> str:
    return f"{_digits(value)} s" if value >= 1 else f"{_digits(1e3 * value)} ms"


def _fits(count: float) -> str:
    """In brackets where a device has less memory."""
    return _giga(count) if count <= H200.memory_bytes else f"({_giga(count)})"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _giga(count: float) -> str:
    return _digits(count / 1e9)


def _digits(value: float) -> str:
    """Three digits, and all before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:#.3g}"


def _table(head: str, rows: Iterable[Sequence[str]]) -> str:
    names = head.split("|")
    lines = [names, ["---"] * len(names), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
