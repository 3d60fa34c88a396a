"""Set-up of an implementation: the step that prepares, and first calls, which may compile."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

from impls.interface import AttentionFunction, Implementation, Problem
from suites.measure import compilers
from suites.measure.affinity import on_all_cpus
from suites.measure.inputs import Bound, Inputs, bind
from suites.measure.timing import counted

Announced = Callable[[], AbstractContextManager[None]]


@dataclass(slots=True)
class Preparation:
    """Prepares an implementation once for each problem.

    announced  the context of preparing and compiling, which have a time limit of their own
    took_ms    milliseconds of the step that prepares, by problem
    """

    implementation: Implementation
    announced: Announced = nullcontext
    took_ms: dict[Problem, float] = field(default_factory=dict)
    _bound: dict[Problem, Bound] = field(default_factory=dict)
    _called: set[Hashable] = field(default_factory=set)
    _compilers: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self._compilers = compilers.compilers(self.implementation)

    @property
    def is_two_steps(self) -> bool:
        """Whether it has a step of its own before its calls."""
        return self.implementation.prepares or self.implementation.convention is not None

    @property
    def compiles_with_torch(self) -> bool:
        """Whether it uses torch.compile."""
        return "torch" in self._compilers

    def bound(self, problem: Problem) -> Bound:
        """What it returned when it prepared for the problem, now or earlier.

        Without a step of its own nothing is kept: a kept mask would hide caches keyed by its `id`.
        The processes of a group are started here.
        """
        if self.implementation.group_call is not None:
            with self._setting_up(announce=True):
                self.implementation.group_call.start(problem)
        if not self.is_two_steps:
            return self.implementation.prepared(problem)
        if problem not in self._bound:
            with self._setting_up(announce=self.implementation.prepares):
                took_ms: list[float] = []
                prepare = counted(self.implementation.prepared, took_ms, problem.device)
                self._bound[problem] = prepare(problem)
                self.took_ms[problem] = took_ms[0]
        return self._bound[problem]

    def again(self) -> Preparation:
        """A new one for the same implementation, with nothing prepared."""
        return Preparation(self.implementation, self.announced)

    def bind(self, problem: Problem, inputs: Inputs) -> AttentionFunction:
        """The implementation as a function of q, k and v."""
        return bind(self.implementation, problem, inputs, self.bound(problem))

    def first(self, form: Hashable, problem: Problem) -> AbstractContextManager[None]:
        """The context of a call: the first of its form runs on all CPUs, and may compile.

        form  all that a compiler specializes a function for: shapes, strides, dtypes, modes
        """
        if form in self._called:
            return nullcontext()
        self._called.add(form)
        compiles = bool(self._compilers) or compilers.torch_compiles(problem)
        return self._setting_up(announce=compiles or self.implementation.prepares)

    @contextmanager
    def _setting_up(self, *, announce: bool) -> Iterator[None]:
        compilers.raise_limits()
        with self.announced() if announce else nullcontext(), on_all_cpus():
            yield
        compilers.raise_limits()  # its code may have been the first to load the compiler
