"""The section of a profile's page: memory over time, and what is held at the peak."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from reports.analysis.profile import memory
from reports.analysis.profile.memory import HeldAtPeak
from reports.analysis.profile.profiled_run import ProfiledRun
from reports.views.charts.chart import Chart
from reports.views.charts.palette import looks_of
from reports.views.numbers import mebibytes, percent
from reports.views.problems import shared_words, without
from reports.views.profile import held_table
from reports.views.profile.memory_chart import chart
from reports.views.sections import Section, Table
from reports.views.text import counted
from suites.records.profile import Profile

HEADING: Final = "Memory over the call"
MOST_TABLES: Final = 4
"""Tables of what is held at a peak; those of the problems with the largest peaks are shown."""
_LEAST_MIB: Final = 2**20 // 100
"""Bytes; less is not said in MiB."""
_NAMED: Final = 3
"""Lines that a sentence names."""
MANY_FAULTS: Final = 256
"""Page faults of a call from which it is said that pages are mapped anew: 1 MiB of 4 KiB pages."""
UNSEEN: Final = "torch's allocator does not see its memory"
WHY: Final = "A record is of a first call, which may also allocate what later calls reuse."
ON_GPU: Final = (
    "On a GPU the profiler counts blocks of torch's allocator, which are larger than requested; "
    "the record counts requested bytes."
)
SNAPSHOT: Final = ".memory.pickle"
"""The end of the name of the file with the allocator's snapshot."""
NO_SNAPSHOT: Final = "Torch's allocator cudaMallocAsync has no snapshot to write as a file."
MEANINGS: Final = (
    "Bytes are those of torch's allocator, above the inputs.",
    "A page fault is a first access to a page of memory that the system has to map and clear.",
    "Resident memory also counts other libraries, code, and pages that stay after a release.",
)


def sections(found: ProfiledRun) -> list[Section]:
    """The section; none where no implementation was profiled."""
    profiles = [each for problem in found.problems for each in found.on(problem)]
    if not profiles:
        return []
    shared = shared_words(found.problems)
    shown = _shown(found)
    return [
        Section(
            id="profile-memory",
            heading=HEADING,
            sentences=(*_sentences(found, shown, shared), *MEANINGS, *_snapshots(profiles)),
            charts=tuple(_charts(found, shared)),
            tables=(
                held_table.summary(found, profiles, shared),
                *(_table(found, each, shared) for each in shown),
            ),
        )
    ]


def peak_sentence(profile: Profile) -> str:
    """The peak, when it is reached, and the lines that hold most of it."""
    line, memory_of = memory.timeline(profile), profile.memory
    if line is None or memory_of is None:
        return ""
    if not memory_of.peak_bytes:
        return "torch's allocator gives out no memory"
    places: Counter[str] = Counter()
    for row in memory.at_peak(profile):
        places[what(row)] += row.bytes
    every = places.most_common()
    named = [f"{size(held)} of {place}" for place, held in every[:_NAMED]]
    if rest := sum(held for _, held in every[_NAMED:]):
        named.append(f"{size(rest)} of {counted(len(every) - _NAMED, 'other')}")
    if memory_of.kept_bytes:
        named.append(f"{size(memory_of.kept_bytes)} {held_table.KEPT}")
    when = percent(line.peak_share) if line.peak_share else "the beginning"
    peak = f"the peak of {size(memory_of.peak_bytes)} is reached at {when} of the call"
    return f"{peak}: {', '.join(named)}"


def faults_sentence(found: ProfiledRun, profile: Profile) -> str:
    """The pages that a call maps anew, and the option that avoids it; empty for few pages."""
    faults = memory.page_faults(found, profile)
    if faults is None or faults < MANY_FAULTS:
        return ""
    said = f"Each call maps {faults:,.0f} pages of memory anew"
    plain = profile.problem.device == "cpu" and found.analysis.plan.allocator == "default"
    return f"{said}; --allocator retain keeps them mapped." if plain else f"{said}."


def size(held: int) -> str:
    """As "8.00 MiB"; a few bytes as "8 bytes"."""
    return f"{mebibytes(held)} MiB" if held >= _LEAST_MIB else f"{held:,} bytes"


def what(row: HeldAtPeak) -> str:
    """As "bmm (impls/naive.py:48)"."""
    operator = row.operator.removeprefix("_") or held_table.PYTHON
    return f"{operator} ({place})" if (place := row.line.partition(" ")[0]) else operator


def _shown(found: ProfiledRun) -> list[Profile]:
    """The profiles whose peaks have tables: of the problems with the largest peaks."""
    order = sorted(found.problems, key=lambda problem: -_peak(found.on(problem)))
    every = [each for problem in order for each in found.on(problem) if each.memory]
    return every[:MOST_TABLES]


def _peak(profiles: Sequence[Profile]) -> int:
    return max((each.memory.peak_bytes for each in profiles if each.memory), default=0)


def _sentences(
    found: ProfiledRun, shown: Sequence[Profile], shared: frozenset[str]
) -> Iterator[str]:
    """The largest peaks; how all compare with the records; why some profiles have none."""
    for each in (each for each in shown if each.problem == shown[0].problem):
        yield f"{label(found, each, shared)}: {peak_sentence(each)}."
    yield from _compared(found, shared)
    for each in found.profiles:
        if each.nodes and each.memory is None:
            yield f"{label(found, each, shared)}: {memory.unseen(found, each) or UNSEEN}."
    if left := sum(1 for each in found.profiles if each.memory) - len(shown):
        yield f"{counted(left, 'profile')} with smaller peaks: in the chart and the first table."


def _compared(found: ProfiledRun, shared: frozenset[str]) -> Iterator[str]:
    """The number of peaks that equal the run's records, and the differences of others."""
    same = 0
    for each in found.profiles:
        recorded = memory.reference(found, each)
        if each.memory is None or recorded is None:
            continue
        own = each.memory.peak_bytes
        same += recorded == own
        if recorded != own:
            side = "more" if recorded > own else "less"
            said = f"the run's record has {recorded:,} bytes, {abs(recorded - own):,} {side}"
            why = ON_GPU if each.problem.device == "cuda" else WHY
            yield f"{label(found, each, shared)}: {said}. {why}"
    if same:
        which = f"{counted(same, 'sum')} below {'equals' if same == 1 else 'equal'}"
        yield f"{which} the peak memory of the run's record, to the byte."


def _snapshots(profiles: Sequence[Profile]) -> Iterator[str]:
    """The way to open snapshots of the caching allocator of an NVIDIA device."""
    on_gpu = [each for each in profiles if each.problem.device == "cuda"]
    files = [file for each in on_gpu for file in each.files if file.endswith(SNAPSHOT)]
    if files:
        yield (
            f"{', '.join(files)}: snapshots of torch's allocator, with the Python stack of each "
            "allocation. To see one, drop it on the page pytorch.org/memory_viz."
        )
    elif on_gpu:
        yield NO_SNAPSHOT


def label(found: ProfiledRun, profile: Profile, shared: frozenset[str]) -> str:
    """The implementation, with what sets its problem apart where there are several."""
    if len(found.problems) == 1:
        return profile.implementation
    return f"{profile.implementation}, {without(profile.problem, shared)}"


def _table(found: ProfiledRun, profile: Profile, shared: frozenset[str]) -> Table:
    return held_table.table(profile, label(found, profile, shared))


def _charts(found: ProfiledRun, shared: frozenset[str]) -> Iterator[Chart]:
    looks = looks_of(found.analysis.plan)
    for problem in found.problems:
        own = [each for each in found.on(problem) if each.memory]
        if own:
            yield chart(problem, own, looks, shared)
