"""Rates that the tables use; docs/scaling.md has their sources."""

from __future__ import annotations

from typing import Final

from impls.interface import Problem
from suites.stats.scaling.seconds import Rates

H200: Final = Rates(
    flops=574e12,
    node=8,
    link=450e9 * 153 / 160,
    network=43e9,
    memory_bytes=141e9,
)
"""A cluster of H200 nodes.

flops    measured on one H200: sdpa, h16 t8192 d128 causal bf16, forward (docs/gpu.md)
link     NVLink, one direction, with 153 of 160 GB/s reached on H800 (DeepEP, docs/legacy.md)
network  InfiniBand of 400 Gb/s, 43 of 50 GB/s reached by the same source with 16 ranks
"""
CORE_FLOPS: Final = 26e9
"""FLOP/s of one core of a shared AMD EPYC in sdpa_flash, float32, h8 t4096 d64 full."""
LOOPBACK: Final = 0.96e9
"""Bytes/s of gloo between two processes of that machine, both directions at once, 16 MiB each."""
TABLED: Final = Problem.parse("b1 h64/8 t1048576 d128 full bf16 cuda")
"""Heads and dimensions of Llama 3 70B, and of the figures of MagiAttention."""
LAYERS: Final = 80
"""Layers of Llama 3 70B."""
