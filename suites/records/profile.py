"""A profile: the call tree of one call, its memory over time, and what is held at the peak."""

from __future__ import annotations

from typing import Final, Literal

from suites.records.codec import Bytes, Count, Growth, Milliseconds, ProblemText, message
from suites.records.in_model import InModel
from suites.records.kernels import Kernel
from suites.records.perf_counters import PerfCounters

Kind = Literal["call", "layer", "line", "operator", "kernel", "python"]
PLACES: Final = frozenset(("layer", "line"))
"""Kinds of places in a program, as operators have them."""
LAYER: Final = "layer "
"""The start of the entry of a layer in a stack of lines."""
REST: Final = "the rest of the model"
"""The name of the node beside the layers of a model."""
ROOT: Final = 0
"""The index of the node of the whole call."""
UNPLACED: Final = -1
"""The parent of the root, and the node of memory that no operator allocated."""


@message
class Node:
    """A place of the call tree, with all calls that came to it by the same path.

    parent    index of the node above; UNPLACED for the root
    kind      call: the whole call; layer: an attention layer of a model, or the rest of the model;
              line: a source line of the implementation; operator: of torch; kernel: of a GPU;
              python: time of its line in which no operator runs
    name      `file:line function` of a line, after the layer's name for a layer; the operator's or
              the kernel's name
    calls     how often; 0 for lines and layers
    total_ns  time in it, in what it called, too
    self_ns   time in it alone
    flops     floating-point operations that follow from the shapes; None: not known
    bytes     read and written at least, by the shapes; None: not known
    shapes    of its inputs, as "8x1024x64, 8x64x1024"; of the first call
    """

    parent: int
    kind: Kind
    name: str
    calls: Count = 0
    total_ns: Count = 0
    self_ns: Count = 0
    flops: float | None = None
    bytes: Bytes | None = None
    shapes: str = ""


@message
class Held:
    """Memory that is held at the peak.

    node   that allocated it; UNPLACED: Python did
    line   the node of the source line; of a backward operator, that of its forward operator;
           UNPLACED: not known
    shape  where an operator used it later, as "8x1024x1024 float32"; empty: not known
    """

    bytes: Bytes
    node: int = -1
    line: int = -1
    shape: str = ""


@message
class MemoryProfile:
    """Memory of torch's allocator above the inputs over one call.

    kept_bytes   held at the peak since before the call: by preparation and the first call
    times_ns     of each allocation and release, from the beginning of the call
    changes      bytes of each; negative where memory is released. Of very many changes only the
                 smallest and the largest sums of short intervals are kept, with the peak
    peak_bytes   the largest sum
    peak_at      index of the change that gives it; -1: before the first one
    held         at the peak; with kept_bytes their sum is peak_bytes. Of very many, small ones are
                 one for each operator and line
    page_faults  minor page faults of a plain call, mean
    resident_bytes  growth of the process's resident memory in a first call; None: not read
    """

    kept_bytes: Bytes = 0
    times_ns: tuple[int, ...] = ()
    changes: tuple[Growth, ...] = ()
    peak_bytes: Bytes = 0
    peak_at: int = -1
    held: tuple[Held, ...] = ()
    page_faults: float | None = None
    resident_bytes: Bytes | None = None

    @property
    def first_bytes(self) -> int:
        """Bytes held when the call begins: kept_bytes, and what it releases before its peak."""
        return self.peak_bytes - sum(self.changes[: self.peak_at + 1])


@message
class Profile:
    """The profile of one implementation on one problem.

    plain_ms     calls without the profiler, interleaved with
    profiled_ms  calls with it; `nodes` are of the one with the median time
    nodes        the call tree; the first is the whole call, a parent comes before its children
    memory       None where torch's allocator does not see it
    kernels      that the call ran
    counters     hardware counters of plain calls; None: not read
    compile_ms   time that torch took to compile, without code from earlier; None: it compiles
                 nothing
    in_model     times of attention in a model's step, by layer; None: no model, or no lines
    no_lines     why source lines are not known; empty when they are
    unseen       why the profiler sees nothing of it; empty when it does
    fault        status and reason where it failed; nothing else is known then
    files        names of the files beside the page: the trace, and on CUDA the memory snapshot
    """

    implementation: str
    problem: ProblemText
    threads: Count
    plain_ms: tuple[Milliseconds, ...] = ()
    profiled_ms: tuple[Milliseconds, ...] = ()
    nodes: tuple[Node, ...] = ()
    memory: MemoryProfile | None = None
    kernels: tuple[Kernel, ...] = ()
    counters: PerfCounters | None = None
    compile_ms: Milliseconds | None = None
    in_model: InModel | None = None
    no_lines: str = ""
    unseen: str = ""
    fault: str = ""
    files: tuple[str, ...] = ()
