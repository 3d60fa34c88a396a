"""The list of probes: ordered, complete, and documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from impls.interface import Problem
from suites.agreement.checker import Checker
from suites.agreement.hard_inputs import LENGTHS
from suites.agreement.probes import all_probes
from tests.agreement.attention_call import attend, implementation_of

ROOT = Path(__file__).parents[2]


def test_every_file_of_the_folder_is_a_probe_and_no_two_share_a_place() -> None:
    files = {path.stem for path in (ROOT / "suites/agreement/probes").glob("[!_]*.py")}
    orders = [probe.order for probe in all_probes().values()]
    assert set(all_probes()) == files
    assert orders == sorted(set(orders))


def test_the_documentation_lists_all_probes_in_order() -> None:
    text = (ROOT / "docs/agreement.md").read_text()
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == list(all_probes())


def test_the_documentation_has_the_lengths_of_the_hard_inputs() -> None:
    text = " ".join((ROOT / "docs/agreement.md").read_text().split())
    for lengths in LENGTHS.values():
        assert f"{', '.join(lengths)} " in text


def test_an_unknown_probe_is_an_error() -> None:
    with pytest.raises(KeyError, match="no_such_probe"):
        Checker(Problem.parse("h2 t8 d8 full"), 1, probes=("no_such_probe",))


def test_a_checker_with_one_probe_and_no_hard_inputs_uses_these_alone() -> None:
    lengths: list[int] = []

    def counts(call: object) -> object:
        lengths.append(call.q.shape[2])  # type: ignore[attr-defined] # an attention call
        return attend(call)  # type: ignore[arg-type] # the same

    checker = Checker(Problem.parse("h2 t24 d8 full"), 1, probes=("output_form",), labels=())
    assert checker.check(implementation_of(counts)).fault == ""
    assert lengths == [24, 24]  # the second call records its kernels
