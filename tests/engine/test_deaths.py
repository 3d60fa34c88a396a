"""The worst that implementations do, in real processes, and what becomes of it."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from suites.engine.catalogue import open_catalogue
from suites.engine.processes import Processes
from suites.engine.run import Conductor
from suites.records.plan import Plan
from suites.records.record import Record
from suites.records.store import Run, Store, now

HOSTILE = Path(__file__).with_name("hostile.py")
PROBLEM = "b1 h4 t64 d16 full fp32 cpu"
SETTLED = {
    "raises": ("failed", "RuntimeError: no such luck"),
    "raises_system_exit": ("failed", "SystemExit: 0"),
    "raises_keyboard_interrupt": ("failed", "KeyboardInterrupt"),
    "raises_when_timed": ("failed", "RuntimeError: only in the rounds"),
    "exits_quietly": ("crashed", "the process ended with status 0 before it answered"),
    "exits_when_timed": ("crashed", "the process ended with status 0 before it answered"),
    "segfaults": ("crashed", "the process was killed by SIGSEGV"),
    "aborts": ("crashed", "the process was killed by SIGABRT"),
    "loops": ("timed_out", "spent more than 6 s on this problem (--time-limit)"),
    "loops_deaf_to_signals": ("timed_out", "spent more than 6 s on this problem (--time-limit)"),
    "recurses": ("failed", "RecursionError: maximum recursion depth exceeded"),
    "eats_memory": ("out_of_memory", "one call may add 0.25 GiB (--memory-limit)"),
    "eats_memory_in_small_bites": ("out_of_memory", "one call may add 0.25 GiB (--memory-limit)"),
    "returns_nothing": ("failed", "TypeError: returned NoneType, expected one tensor"),
    "returns_a_tuple": ("failed", "TypeError: returned tuple, expected one tensor"),
    "closes_descriptors": ("crashed", "the process ended with status"),
    "writes_half_a_message": ("crashed", "the process ended with status 0 before it answered"),
    "writes_over_the_pipe": ("crashed", "wrote over the engine's own pipe"),
}
UNHARMED = ("leaves_orphans", "floods_its_output", "honest")


class Silent:
    def phase(self, text: str, total: int) -> None:
        pass

    def record(self, record: Record) -> None:
        pass


@pytest.fixture(scope="module")
def made() -> dict[str, list[Record]]:
    """One run of all of them together, by implementation."""
    machine, entries = open_catalogue([str(HOSTILE)], threads=1)
    plan = Plan(
        suite="hostile",
        problems=(PROBLEM,),
        entries=entries,
        sessions=1,
        seed=1,
        round_budget_ms=10,
        time_limit_s=6,
        memory_limit=1 << 28,
        threads=(1,),
    )
    store = Store.open("sqlite://")
    run = Run(name="r", started=now(), command="c", plan=plan, machine=machine)
    store.begin(run)
    with Processes(plan.time_limit_s, plan.memory_limit) as processes:
        found = Conductor(run=run, store=store, listener=Silent(), processes=processes).conduct()
    return {e.name: [r for r in found if r.implementation == e.name] for e in entries}


def test_every_death_is_in_the_list(made: dict[str, list[Record]]) -> None:
    assert sorted(made) == sorted([*SETTLED, *UNHARMED])


@pytest.mark.parametrize("name", SETTLED)
def test_a_death_becomes_its_record_with_the_reason(
    made: dict[str, list[Record]], name: str
) -> None:
    status, words = SETTLED[name]
    last = made[name][-1]
    assert (last.status, words) == (status, last.reason[: len(words)])
    assert not any(record.times_ms for record in made[name])


@pytest.mark.parametrize("name", UNHARMED)
def test_the_others_are_measured_as_if_nothing_had_happened(
    made: dict[str, list[Record]], name: str
) -> None:
    assert [record.status for record in made[name]] == ["ok", "ok"]
    assert made[name][1].times_ms


def test_no_process_outlives_its_session(made: dict[str, list[Record]]) -> None:
    left = [
        each
        for each in psutil.process_iter(["cmdline"])
        if "suites.engine.session" in " ".join(each.info["cmdline"] or ())
    ]
    assert left == []


def test_a_file_that_ends_the_process_that_imports_it_is_a_user_error(tmp_path: Path) -> None:
    deadly = tmp_path / "deadly.py"
    deadly.write_text("import os\nos._exit(3)\n")
    with pytest.raises(ValueError, match=r"deadly\.py cannot be imported: the process ended with"):
        open_catalogue([str(deadly)], threads=1)
