"""Cases: the problem itself and its hard inputs, each with reference values and bounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from torch import Tensor

from impls.interface import Implementation, Problem
from suites.agreement.bounds.by_implementation import (
    expected_of,
    expected_with_naive,
    reference_key,
)
from suites.agreement.bounds.expected import Expected, sampled_rows, with_gradient_of_rows
from suites.agreement.hard_inputs import PLAIN, HardInput
from suites.agreement.ladder import Ladder
from suites.measure import input_files
from suites.measure.compilers import compilers
from suites.measure.inputs import Inputs, make_inputs
from suites.records.input_files import InputFile


@dataclass(slots=True, eq=False)
class Case:
    """A problem, its inputs, and what an implementation is expected to return.

    inputs    the originals; an implementation gets copies. With sampled rows the output's gradient
              is zero outside them
    whole     the same inputs with the full gradient of the output
    hard      the hard input that this is; None for the problem itself
    every_row plain float32 tensors of all rows; filled in by the probe `unsampled_rows`
    """

    problem: Problem
    inputs: Inputs
    whole: Inputs
    expected: Expected
    seed: int
    hard: HardInput | None = None
    every_row: tuple[Tensor, ...] = field(default=())

    @property
    def is_problem_itself(self) -> bool:
        """Whether this is the problem itself, at its own size."""
        return self.hard is None

    @property
    def is_plain_small(self) -> bool:
        """Whether this is the small problem with standard-normal numbers."""
        return self.label == PLAIN

    @property
    def label(self) -> str:
        """The hard input's label; empty for the problem itself."""
        return self.hard.label if self.hard is not None else ""

    @property
    def has_extreme_scores(self) -> bool:
        """Whether scores reach hundreds: half precision rounds them by 0.5 and more."""
        return self.hard is not None and self.hard.has_extreme_scores


class Cases:
    """The cases of one problem. Reference values are computed once for all implementations.

    labels    of the hard inputs to use; None: all
    one_size  whether slow starts that compile get the hard inputs of one size only: they compile
              for every size
    """

    def __init__(
        self,
        problem: Problem,
        seed: int,
        labels: tuple[str, ...] | None = None,
        *,
        one_size: bool = False,
    ) -> None:
        self.problem, self._seed, self._labels = problem, seed, labels
        self._one_size = one_size
        self._rows = sampled_rows(problem, seed)
        self._whole = make_inputs(problem, purpose="check", seed=seed)
        self._inputs = with_gradient_of_rows(self._whole, self._rows)
        self._made: dict[tuple[object, HardInput | None], Case] = {}
        self._of_files: dict[tuple[object, InputFile], Case] = {}
        self._inputs_of: dict[HardInput, Inputs] = {}

    def itself(self, implementation: Implementation) -> Case:
        """The problem at its own size."""
        key = (reference_key(implementation), None)
        if key not in self._made:
            expected = expected_with_naive(implementation, self.problem, self._inputs, self._rows)
            self._made[key] = Case(self.problem, self._inputs, self._whole, expected, self._seed)
        return self._made[key]

    def of_file(self, file: InputFile, implementation: Implementation) -> Case:
        """The problem on the user's own inputs. Raises ValueError for a file that has changed."""
        key = (reference_key(implementation), file)
        if key not in self._of_files:
            whole = input_files.load(file, self.problem)
            inputs = with_gradient_of_rows(whole, self._rows)
            expected = expected_with_naive(implementation, self.problem, inputs, self._rows)
            self._of_files[key] = Case(self.problem, inputs, whole, expected, self._seed)
        return self._of_files[key]

    def ladder(self, implementation: Implementation) -> Ladder:
        """The hard inputs with the problem's features, within the implementation's limits."""
        found = Ladder(self.problem, implementation, self._labels)
        if not self.has_one_size(implementation):
            return found
        sizes = {each.label: each.problem for each in found.first()}
        same = tuple(label for label in sizes if sizes[label] == sizes.get(PLAIN))
        return Ladder(self.problem, implementation, same)

    def has_one_size(self, implementation: Implementation) -> bool:
        """Whether an implementation gets the hard inputs of one size only."""
        compiles = implementation.slow_start and bool(compilers(implementation))
        return self._one_size and compiles

    def hard(self, implementation: Implementation) -> Iterator[Case]:
        """The cases of the hard inputs at the sizes that are tried first."""
        for each in self.ladder(implementation).first():
            yield self.of(each, implementation)

    def of(self, each: HardInput, implementation: Implementation) -> Case:
        """The case of a hard input."""
        key = (reference_key(implementation), each)
        if key not in self._made:
            inputs, rows = self.inputs_of(each), sampled_rows(each.problem, self._seed)
            expect = expected_with_naive if each.label == PLAIN else expected_of
            expected = expect(implementation, each.problem, inputs, rows)
            self._made[key] = Case(each.problem, inputs, inputs, expected, self._seed, each)
        return self._made[key]

    def inputs_of(self, each: HardInput) -> Inputs:
        """The inputs of a hard input; with sampled rows their gradient is zero outside them."""
        if each not in self._inputs_of:
            rows = sampled_rows(each.problem, self._seed)
            self._inputs_of[each] = with_gradient_of_rows(each.inputs(self._seed), rows)
        return self._inputs_of[each]
