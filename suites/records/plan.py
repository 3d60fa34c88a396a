"""What a run sets out to do, stored before its first record so that it can be resumed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from impls.interface import Limits, Problem
from impls.interface.implementation import refusals
from suites.records.record import CHECK, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An implementation as data: what the parent knows without importing it.

    name         as printed: name[setting=value](inner)
    files        the files it needs, by the names they define, and their SHA-256 (first 16 digits)
    limits       its Limits; those of an inner attention stand in `inner_limits`
    panel        whom it is shown and ranked with: attention, layers, approximations, or those
                 that have a reference of that name
    missing      why it cannot be imported here; empty when it can
    description  the first line of its docstring
    """

    name: str
    files: dict[str, str] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    limits: tuple[Limits, ...] = ()
    inner_limits: tuple[Limits, ...] = ()
    choices: dict[str, list[str]] = field(default_factory=dict)
    panel: str = "attention"
    missing: str = ""
    description: str = ""

    @property
    def layer(self) -> bool:
        """Whether it is a layer around attention."""
        return self.panel == "layers"

    def group(self, problem: str) -> str:
        """Where it is ranked by what ranks benchmarks within groups: a panel's own on a problem."""
        return problem if self.panel == "attention" else f"{problem} {self.panel}"

    def refusals(self, problem: Problem, capability: tuple[int, int] | None) -> tuple[str, ...]:
        """Every reason this problem is out of reach, in words; empty means "I can"."""
        own = refusals(self.limits, problem, capability)
        if not self.inner_limits:
            return own
        return (*own, *(f"inner {r}" for r in refusals(self.inner_limits, problem, capability)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Problems, implementations, sessions and the limits they run under.

    sessions         timed sessions for each number of threads; with a precision, at most
    fewest_sessions  how many of them there are before a precision may end them
    precision        half-width of every ratio's interval, relative, that ends the sessions of a
                     problem; None: all sessions
    delta            what counts as a difference, relative
    enough_s         seconds within which sessions beyond the fewest have to end; None: all are had
    baseline         whom the others are compared with, where it answers; "" is the first that does
    cache            hot: calls follow each other; cold: caches are emptied before each call
    allocator        default or retain: whether the C library keeps freed memory
    round_budget_ms  what the rounds of one problem may take in one session
    time_limit_s     what one implementation may spend on one problem, in one process
    memory_limit     bytes that one call may add
    budget_s         wall time for the whole run; None is unbounded
    threads          OpenMP threads, bound to CPUs: sessions take these numbers in turn
    """

    suite: str
    problems: tuple[str, ...]
    entries: tuple[Entry, ...]
    sessions: int
    seed: int
    round_budget_ms: float
    time_limit_s: float
    memory_limit: int
    threads: tuple[int, ...]
    budget_s: float | None = None
    capability: tuple[int, int] | None = None
    fewest_sessions: int = 0
    precision: float | None = None
    delta: float = 0.01
    baseline: str = ""
    enough_s: float | None = None
    cache: str = "hot"
    allocator: str = "default"

    @property
    def session_numbers(self) -> range:
        """The timed sessions, for all numbers of threads together."""
        return range(1, self.sessions * len(self.threads) + 1)

    @property
    def fewest(self) -> int:
        """The number of the last session that every run has."""
        return self.fewest_sessions * len(self.threads)

    def threads_of(self, session: int) -> int:
        """OpenMP threads of a session; the check has the most."""
        if session == CHECK:
            return max(self.threads)
        return self.threads[(session - 1) % len(self.threads)]

    def baseline_of(self, names: Collection[str]) -> str:
        """Whom these implementations, on one problem, are compared with; "" for none at all.

        The plan's baseline where it is among them, else the first in the plan's order: never one
        that the times have picked. Every panel is compared within itself.
        """
        able = [entry.name for entry in self.entries if entry.name in names]
        return self.baseline if self.baseline in able else next(iter(able), "")

    def twin_of(self, names: Collection[str]) -> str:
        """Which of these, measured together, has its twin beside it: the baseline of attention.

        Where there is none, that of the first panel.
        """
        panels = self.panels(names)
        return self.baseline_of(panels.get("attention") or next(iter(panels.values()), []))

    def panels(self, names: Collection[str]) -> dict[str, list[str]]:
        """These implementations by panel, attention first, each in the plan's order."""
        found: dict[str, list[str]] = {}
        for entry in sorted(self.entries, key=lambda each: each.panel != "attention"):
            if entry.name in names:
                found.setdefault(entry.panel, []).append(entry.name)
        return found

    def settled(self) -> Iterator[Record]:
        """The records known before anything runs: what is missing and what is refused, in words."""
        for text in self.problems:
            problem = Problem.parse(text)
            for entry in self.entries:
                if entry.missing:
                    yield _answer(text, entry, "missing", entry.missing)
                elif reasons := entry.refusals(problem, self.capability):
                    yield _answer(text, entry, "refused", "; ".join(reasons))

    def unchecked(self, records: Iterable[Record]) -> list[tuple[str, list[str]]]:
        """Problems and the implementations whose agreement on them is not yet known."""
        known = {(r.problem, r.implementation) for r in records if r.session == CHECK}
        return self._pairs(lambda pair: pair not in known)

    def untimed(self, records: Iterable[Record], session: int) -> list[tuple[str, list[str]]]:
        """Problems and the implementations that agree on them and lack this session's record."""
        records = list(records)
        agreed = {
            (r.problem, r.implementation)
            for r in records
            if r.session == CHECK and r.status == "ok"
        }
        fallen = {(r.problem, r.implementation) for r in records if r.status != "ok"}
        known = {(r.problem, r.implementation) for r in records if r.session == session}
        wanted = agreed - fallen - known
        return self._pairs(lambda pair: pair in wanted)

    def _pairs(self, wanted: Any) -> list[tuple[str, list[str]]]:
        pairs = [
            (problem, [e.name for e in self.entries if wanted((problem, e.name))])
            for problem in self.problems
        ]
        return [(problem, names) for problem, names in pairs if names]


def to_json(plan: Plan) -> dict[str, Any]:
    """A plan as plain data."""
    return {**asdict(plan), "entries": [entry_to_json(each) for each in plan.entries]}


def from_json(data: dict[str, Any]) -> Plan:
    """A plan from `to_json`'s data."""
    entries = tuple(entry_from_json(each) for each in data["entries"])
    capability = tuple(data["capability"]) if data["capability"] else None
    return Plan(
        **{
            **data,
            "entries": entries,
            "problems": tuple(data["problems"]),
            "threads": tuple(data["threads"]),
            "capability": capability,
        }
    )


def entry_to_json(entry: Entry) -> dict[str, Any]:
    """An entry as plain data."""
    data = asdict(entry)
    for name in ("limits", "inner_limits"):
        data[name] = [_limits_to_json(each) for each in data[name]]
    return data


def entry_from_json(data: dict[str, Any]) -> Entry:
    """An entry from plain data."""
    limits = {
        name: tuple(_limits_from_json(each) for each in data[name])
        for name in ("limits", "inner_limits")
    }
    kept = {name: value for name, value in data.items() if name != "layer"}
    if data.get("layer"):  # as plans said it before there were other panels
        kept["panel"] = "layers"
    return Entry(**{**kept, **limits})


def _limits_to_json(limits: dict[str, Any]) -> dict[str, Any]:
    sizes: range = limits["head_dims"]
    return {**limits, "head_dims": [sizes.start, sizes.stop, sizes.step]}


def _limits_from_json(data: dict[str, Any]) -> Limits:
    texts = {name: tuple(data[name]) for name in ("devices", "dtypes", "masks", "biases")}
    capability = (data["cuda_capability"][0], data["cuda_capability"][1])
    return Limits(
        **{**data, **texts, "head_dims": range(*data["head_dims"]), "cuda_capability": capability}
    )


def _answer(problem: str, entry: Entry, status: Any, reason: str) -> Record:
    return Record(
        session=CHECK, problem=problem, implementation=entry.name, status=status, reason=reason
    )
