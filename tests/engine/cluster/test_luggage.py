from __future__ import annotations

from pathlib import Path

from impls import FOLDER
from suites.engine.cluster.luggage import Luggage, arrived, returned, unpack
from suites.records.plan import Entry, Plan


def plan(**files: str) -> Plan:
    entry = Entry(name="mine", files=files)
    return Plan(
        suite="s",
        problems=(),
        entries=(entry,),
        seed=0,
        round_budget_ms=1.0,
        sessions=1,
        threads=(1,),
        memory_limit=1,
    )


def files(made: Plan) -> dict[str, str]:
    return made.entries[0].files


def test_a_file_of_a_spec_travels_and_its_path_comes_back(tmp_path: Path) -> None:
    here, node = tmp_path / "here", tmp_path / "node"
    here.mkdir()
    (here / "mine.py").write_text("text")
    luggage = Luggage()
    spec = luggage.with_files(f"new=multi_head[x=1]({here / 'mine.py'}:f)")
    assert spec == "new=multi_head[x=1](file-0/mine.py:f)"
    assert luggage.packed() == {"file-0/mine.py": b"text"}
    unpack(luggage.packed(), node)
    assert (node / "file-0" / "mine.py").read_text() == "text"
    made = returned(plan(mine=str(node / "file-0" / "mine.py")), node)
    assert files(luggage.received(made)) == {"mine": str(here / "mine.py")}


def test_two_files_of_one_name_stay_apart(tmp_path: Path) -> None:
    for folder in "ab":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(folder)
    luggage = Luggage()
    for folder in "aba":
        luggage.with_files(str(tmp_path / folder / "mine.py"))
    assert luggage.packed() == {"file-0/mine.py": b"a", "file-1/mine.py": b"b"}


def test_a_name_and_a_file_that_is_not_here_are_left() -> None:
    luggage = Luggage()
    for spec in ("naive", "chunked[block_q=64]", "/on/the/node.py:f", "package.pyramid:f"):
        assert luggage.with_files(spec) == spec
    assert luggage.packed() == {}


def test_a_stored_plan_travels_with_its_files_and_without_those_of_the_program(
    tmp_path: Path,
) -> None:
    own = tmp_path / "mine.py"
    own.write_text("text")
    luggage = Luggage()
    sent = luggage.sent(plan(naive=str(FOLDER / "naive.py"), mine=str(own), there="/there/x.py"))
    assert files(sent) == {
        "naive": "program:impls/naive.py",
        "mine": "file-0/mine.py",
        "there": "/there/x.py",
    }
    node = tmp_path / "node"
    assert files(arrived(sent, luggage.packed(), node)) == {
        "naive": str(FOLDER / "naive.py"),
        "mine": str(node / "file-0" / "mine.py"),
        "there": "/there/x.py",
    }
