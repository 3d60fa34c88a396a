"""Which candidates are judged, which are read from the store, and what is continued."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from suites.conducting import StoppedError
from suites.judging import Candidate, Terms, candidates, judge, margin, terms
from suites.records.record import CHECK, Record
from suites.records.store import Store
from suites.request.planning import Request, requested
from suites.request.suites import named
from tests.judging.fake_judging import Measure, Silent, show, terms_for, write

RIGHT = """
from torch.nn.functional import scaled_dot_product_attention

def mine(q, k, v):
    return scaled_dot_product_attention(q, k, v, enable_gqa=True)
"""

GIVEN: dict[str, str | list[str]] = {
    "--problem": ["h1 t32 d8"],
    "--sessions": "2",
    "--threads": "1",
}


@pytest.fixture
def of() -> Terms:
    return terms_for(Store.open("sqlite://"))


def test_a_folder_stands_for_its_files_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "b", "a", "_helper")
    (tmp_path / "inner").mkdir()
    write(tmp_path / "inner", "c")
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "notes.txt").write_text("")
    monkeypatch.chdir(tmp_path)
    assert [each.spec for each in candidates(["."])] == ["a.py", "b.py"]
    words = ["b.py:f", "_helper.py", ".", "./a.py", "inner"]
    found = [each.spec for each in candidates(words)]
    assert found == ["b.py:f", "_helper.py", "a.py", "b.py", "inner/c.py"]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("nowhere", "no file or folder 'nowhere'; expected DIR, FILE.py or FILE.py:FUNCTION"),
        ("nowhere.py:f", "no file or folder 'nowhere.py:f'"),
        ("naive", "no file or folder 'naive'"),
        ("notes.txt", "no file or folder 'notes.txt'"),
        ("empty", r"the folder 'empty' has no \*.py file to judge"),
    ],
)
def test_what_names_no_candidate_is_refused(
    word: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "empty").mkdir()
    write(tmp_path / "empty", "_helper")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=said):
        candidates([word])


@pytest.mark.parametrize(("text", "value"), [("0%", 0), ("50%", 0.5), ("2.5%", 0.025), ("1", 1)])
def test_a_margin_is_a_part_from_zero_up(text: str, value: float) -> None:
    assert margin(text) == value


@pytest.mark.parametrize("text", ["", "-1%", "fast", "nan", "5 %", "1e9"])
def test_a_margin_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"--faster-by is .*, expected a part of the time like 0%"):
        margin(text)


def test_candidates_are_judged_in_order(of: Terms, tmp_path: Path) -> None:
    every = write(tmp_path, "b", "c", "a")
    measure = Measure({"a": 0.5, "b": 1.0, "c": 2.0})
    positions = []

    def noted(candidate: Candidate, position: int) -> Silent:
        positions.append((candidate.file.stem, position))
        return Silent()

    found = list(judge(of, every, noted, measure))
    assert [each.candidate for each in found] == every
    assert positions == [("b", 1), ("c", 2), ("a", 3)]


def test_a_judged_candidate_is_read_from_the_store(of: Terms, tmp_path: Path) -> None:
    every = write(tmp_path, "a", "b")
    measure = Measure({"a": 0.5, "b": 2.0})
    first, again = (list(judge(of, every, show, measure)) for _ in range(2))
    assert measure.measured == ["a", "b"]
    assert [each.records for each in again] == [each.records for each in first]


def test_a_changed_file_is_judged_again(of: Terms, tmp_path: Path) -> None:
    every = write(tmp_path, "a", "b")
    measure = Measure({"a": 0.5, "b": 2.0})
    list(judge(of, every, show, measure))
    every[1].file.write_text("b = 2\n")
    list(judge(of, every, show, measure))
    assert measure.measured == ["a", "b", "b"]


def test_other_terms_or_another_file_have_another_run(of: Terms, tmp_path: Path) -> None:
    one, same_bytes = write(tmp_path, "a", "b")
    same_bytes.file.write_text(one.file.read_text())
    others = [
        terms_for(of.store, sessions=3),
        replace(of, problems=()),
        replace(of, baseline=replace(of.baseline, name="another")),
        replace(of, baseline=replace(of.baseline, hashes={"base": "1"})),
        replace(of, machine={**of.machine, "cores": 64}),
        replace(of, machine={**of.machine, "attnbench": "9"}),
    ]
    names = {each.run_name(one) for each in [of, *others]}
    names |= {of.run_name(same_bytes), of.run_name(Candidate(f"{one.spec}:f"))}
    assert len(names) == len(others) + 3
    again = replace(of, command="another", machine={**of.machine, "threads": 1})
    assert again.run_name(one) == of.run_name(one)


def test_a_run_is_named_after_its_file(of: Terms, tmp_path: Path) -> None:
    (candidate,) = write(tmp_path, "my kernel é")
    assert of.run_name(candidate).startswith("judge-my_kernel__-")


def test_an_interrupted_judgement_says_how_to_continue_and_does(of: Terms, tmp_path: Path) -> None:
    every = write(tmp_path, "a", "b", "c")
    measure = Measure({"a": 0.5, "c": 2.0})
    said = "stopped; 1 of 3 candidates are judged; the same command continues"
    with pytest.raises(StoppedError, match=said):
        list(judge(of, every, show, measure))
    measure.factors["b"] = 1.0
    assert len(list(judge(of, every, show, measure))) == 3
    assert measure.measured == ["a", "b", "c"]
    assert [run.name for run in measure.begun] == [of.run_name(every[1])]


def test_several_numbers_of_threads_are_refused() -> None:
    request = Request(suite=named("quick"), problems=("t64",), settings={"threads": (1, 1)})
    with pytest.raises(ValueError, match="--threads names 2 numbers; judge expects one"):
        terms(request, "sqlite://", "")


class Interrupts(Silent):
    """Stops the run by hand after so many records."""

    def __init__(self, after: int) -> None:
        self.left = after

    def record(self, record: Record) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def test_a_candidate_that_was_interrupted_keeps_its_records(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(RIGHT)
    every = [Candidate(str(tmp_path / "mine.py"))]
    of = terms(requested(named("quick"), GIVEN), f"sqlite:///{tmp_path / 'bench.db'}", "judge")
    with pytest.raises(StoppedError):
        list(judge(of, every, lambda *_: Interrupts(after=4)))
    (begun,) = of.store.runs()
    kept = of.store.records(begun.name)
    assert len(kept) == 4
    (found,) = judge(of, every, show)
    assert found.run.name == begun.name
    assert found.records[:4] == kept
    assert sorted(each.session for each in found.records) == [CHECK, CHECK, 1, 1, 2, 2]
    assert found.run.ended


def test_a_candidate_that_cannot_be_imported_leaves_no_run(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import nothing_like_this\n")
    of = terms(requested(named("quick"), GIVEN), "sqlite://", "judge")
    (found,) = judge(of, [Candidate(str(tmp_path / "broken.py"))], show)
    assert [(each.status, each.cause) for each in found.records] == [("missing", "not_importable")]
    assert "No module named 'nothing_like_this'" in found.records[0].reason
    assert of.store.runs() == []
