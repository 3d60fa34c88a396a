"""The tasks of a run, as its plan states them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from impls.interface import Problem
from suites.engine.protocol import Check, Measure, ReadWeights, Survey, TakeProfile, Train
from suites.engine.samplers import Samplers
from suites.measure.ceilings import BUDGET_MS
from suites.measure.rounds import FEWEST_IN_LAYERS
from suites.records.plan import AGAIN, Plan
from suites.records.record import CHECK, Pair
from suites.records.settings import Settings, options
from suites.records.store import Run
from suites.stats.ceilings import Ceiling

CEILING_MS: Final = 4.0
"""What finding one ceiling may take, for each problem of a session."""


@dataclass(slots=True)
class Tasks:
    """Makes the tasks of one run.

    expected_ms  forecast of one call on a problem; None while not known
    meeting      makes the address of a socket where the processes of a problem meet
    samplers     of the problems; the stored records of a resumed run decide it, too
    """

    run: Run
    expected_ms: Callable[[Pair], float | None]
    meeting: Callable[[], str] = str
    samplers: Samplers = field(default_factory=Samplers)

    @property
    def plan(self) -> Plan:
        """The plan of the run."""
        return self.run.plan

    def check(self, problem: Problem, names: Sequence[str]) -> Check:
        """The check of implementations on a problem; less of slow starts where times follow."""
        one_size = self.plan.sessions > 0
        return Check(session=CHECK, one_size=one_size, **self._on(problem, names))

    def measure(
        self, session: int, problem: Problem, names: Sequence[str], ceilings: tuple[Ceiling, ...]
    ) -> dict[str, Measure]:
        """The rounds of implementations on a problem, by the process that takes part.

        ceilings  that the session has measured
        """
        groups = self.plan.processes(names, problem.device)
        first, *others = groups
        baseline = self.plan.twin_of(names, problem.device)
        shared = {"ceilings": ceilings, "meeting": self.meeting() if others else ""}
        leading = self._measured(
            session,
            problem,
            groups[first],
            twin_of=baseline,
            in_layer=bool(self.plan.steps),
            **shared,
        )
        return {
            first: replace(leading, followers=len(others)),
            **{
                each: self._measured(
                    session,
                    problem,
                    groups[each],
                    role="twin" if each == AGAIN else "follows",
                    **shared,
                )
                for each in others
            },
        }

    def profile(self, problem: Problem, name: str, folder: str, stem: str) -> TakeProfile:
        """The profile of an implementation on a problem.

        folder, stem  of the files that it leaves
        """
        return TakeProfile(
            session=CHECK,
            threads=self.plan.threads[0],
            folder=folder,
            stem=stem,
            **self._on(problem, [name]),
        )

    def train(self, problem: Problem, name: str, learns: str, steps: int) -> Train:
        """The training of a small model with an implementation inside.

        problem  of the model's attention
        learns   the task of the model
        """
        return Train(
            session=CHECK,
            threads=self.plan.threads[0],
            learns=learns,
            steps=steps,
            **self._on(problem, [name]),
        )

    def weights(self, problem: Problem, name: str) -> ReadWeights:
        """The attention weights of an implementation on a problem."""
        return ReadWeights(session=CHECK, **self._on(problem, [name]))

    def _measured(
        self, session: int, problem: Problem, names: Sequence[str], **values: Any
    ) -> Measure:
        """The task of one process."""
        return Measure(
            session=session,
            **self._on(problem, names),
            expected_ms={name: self.expected_ms((problem, name)) or 0.0 for name in names},
            round_budget_ms=self.plan.round_budget_ms,
            fewest_rounds=FEWEST_IN_LAYERS if self.plan.steps else 0,
            threads=self.plan.threads_of(session),
            sampler=self.samplers.of(problem),
            uncapturable=self.samplers.uncapturable(problem),
            **values,
        )

    def survey(self, session: int, process: str, *, leads: bool, warms_up: bool) -> Survey:
        """The survey of a process of a session.

        leads     whether it is the first of its session, which measures the ceilings
        warms_up  whether it warms an NVIDIA device up
        """
        if not leads:
            return Survey(session=session, devices=(), dtypes=(), budget_ms=0.0, process=process)
        problems = self.plan.problems
        wanted = {problem.device for problem in problems}  # of another machine, in a rerun
        here = self.devices
        return Survey(
            session=session,
            devices=tuple(sorted(wanted & here if here else wanted)),
            dtypes=tuple(sorted({problem.dtype for problem in problems})),
            budget_ms=min(BUDGET_MS, CEILING_MS * len(problems)),
            process=process,
            warms_up=warms_up,
        )

    @property
    def devices(self) -> set[str]:
        """The devices of this machine; empty where they are not known."""
        return {each["device"] for each in self.run.machine.get("devices") or ()}

    def _on(self, problem: Problem, names: Sequence[str]) -> dict[str, Any]:
        """The fields that every task on a problem has."""
        entries = [each for each in self.plan.entries if each.name in names]
        values = {field: getattr(self.plan, field) for field in options()}
        values["memory_limit"] = self.plan.memory_limit_on(problem.device)
        process = self.plan.process_of(names[0])
        return {
            "problem": problem,
            "implementations": tuple(names),
            "specs": {each.name: each.spec for each in entries if each.spec},
            "files": {each.name: each.files for each in entries},
            "hashes": {each.name: each.hashes for each in entries},
            "readings": {each.name: each.readings for each in entries if each.readings},
            "seed": self.plan.seed,
            "settings": Settings(**values),
            "inputs": self.plan.inputs_of(problem),
            "process": process,
            "alone": process != "" and self.plan.sharing(process) == 1,
        }
