"""Profiles implementations: a run measures them first, then each is profiled in a process."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from impls.interface import Problem
from suites.conducting import Conducted, Live, StoppedError, begin
from suites.engine.local_pool import LocalPool
from suites.engine.messages import Made, Message, ProfileTaken
from suites.engine.pools import Pool
from suites.engine.tasks import Tasks
from suites.records.address import DEFAULT_STORE
from suites.records.plan import Plan
from suites.records.profile import Profile
from suites.records.record import CHECK, Record
from suites.records.store import Run
from suites.request.planning import Request

USUAL: Final = "b1 h8 t1024 d64"
"""The problem where none is named."""
_OTHER: Final = re.compile(r"[^A-Za-z0-9_.+-]+")


class ProfiledRun(NamedTuple):
    """A run, and the profiles that were taken after it."""

    done: Conducted
    profiles: list[Profile]


def profile(
    name: str, request: Request, url: str, command: str, live: Live, out: Path | None, save: str
) -> ProfiledRun:
    """Measure an implementation beside its baseline, and profile it; with --against, both.

    name  of the implementation, as typed
    out   the folder of the traces; None: that of the run, under results/

    Raises ValueError for what makes no sense, and StoppedError when it is stopped by hand: the run
    and its profiles so far are stored then.
    """
    asked = replace(request, specs=(name,), problems=request.problems or (USUAL,))
    _expect_one_process(asked, name)
    profiles: list[Profile] = []

    def then(done: Conducted, pool: LocalPool) -> None:
        folder = out or Path("results") / done.run.name
        names = profiled_names(done.run.plan, both=request.against is not None)
        try:
            with live:
                live.phase("profiling", len(names) * len(done.run.plan.problems))
                profiles.extend(taken(done, pool, names, folder, live))
        except KeyboardInterrupt:
            raise StoppedError(_stopped(done)) from None

    done = begin(asked, url, command, live, None, save, partial(then))
    return ProfiledRun(done, profiles)


def _expect_one_process(request: Request, name: str) -> None:
    """Raise ValueError for a problem of a group: this process only hands its tensors over."""
    typed = (Problem.parse(text, device="cpu").ranks for text in request.problems)
    axis = (values["ranks"] for values in request.axes.get("--ranks", ()))
    ranks = max((*typed, *axis))
    if ranks > 1:
        raise ValueError(
            f"profile takes no group of processes, as ranks{ranks}; transfers, arithmetic and "
            f"memory of every rank are results of: python run_bench.py run ranks --impl {name}"
        )


def _stopped(done: Conducted) -> str:
    """The sentence on a run whose profiles were stopped by hand: its stored records."""
    count, name = len(done.store.profiles(done.run.name)), done.run.name
    url = "" if done.store.url == DEFAULT_STORE else f" --store {shlex.quote(done.store.shown)}"
    return (
        f"stopped; the run is complete, and {count} of its profiles are stored; see it with: "
        f"python run_bench.py report {name}{url}"
    )


def one_name(words: Sequence[str]) -> str:
    """The one implementation that is named. Raises ValueError for none, and for several."""
    if not words:
        raise ValueError("no implementation to profile; expected one, as: profile chunked")
    if len(words) > 1:
        raise ValueError(
            f"{len(words)} implementations to profile: {', '.join(words)}; expected one, and "
            "another one as --against NAME"
        )
    return words[0]


def profiled_names(plan: Plan, *, both: bool) -> list[str]:
    """The implementations of a plan that are profiled: all but the baseline, or all."""
    names = [each.name for each in plan.entries]
    others = [name for name in names if name in plan.named and name != plan.baseline]
    return names if both or not others else others


def taken(
    done: Conducted, pool: Pool, names: Sequence[str], folder: Path, live: Live
) -> list[Profile]:
    """The profiles of implementations on the problems of a run, stored as they are taken."""
    found = []
    for problem in done.run.plan.problems:
        for name in names:
            able = [r for r in done.records if r.pair == (problem, name)]
            if not able or any(record.status != "ok" for record in able):
                continue
            profile = taken_of(done.run, pool, problem, name, folder)
            done.store.add_profile(done.run.name, profile)
            found.append(profile)
    del live
    return found


def taken_of(run: Run, pool: Pool, problem: Problem, name: str, folder: Path) -> Profile:
    """The profile of an implementation on a problem, from a fresh process."""
    plan = run.plan
    stem = _OTHER.sub("_", f"{name}-{problem}")
    tasks = Tasks(run, lambda _: None)
    task = tasks.profile(problem, name, str(folder.absolute()), stem)
    found: list[Profile] = []
    faults: list[Record] = []

    def receive(message: Message) -> None:
        if isinstance(message, ProfileTaken):
            found.append(message.profile)
        elif isinstance(message, Made):
            faults.append(message.record)

    watch, session = pool.take(CHECK, plan.threads[0], plan.process_of(name))
    del watch
    try:
        ending = session.ask(task, receive)
    finally:
        session.end()
    if found and ending is None and not faults:
        return found[0]
    end = faults[0] if faults else ending
    fault = f"{end.status}: {end.reason}" if end else "failed: its session gave no profile of it"
    return Profile(implementation=name, problem=problem, threads=plan.threads[0], fault=fault)
