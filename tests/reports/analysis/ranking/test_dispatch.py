import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from impls.interface import Problem
from reports.analysis.ranking.dispatch import Dispatch, dispatch
from reports.analysis.run_analysis import Analysis
from suites.records.record import Record
from tests.reports.analysis.ranking.made import entry, linear, made, problems, square
from tests.saved_run import over_budget

LENGTHS = (128, 256, 1024, 2048)
TIMES = {"short": square(1.0), "long": linear(400.0), "longer": linear(401.0)}


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    return made(problems(LENGTHS), TIMES)


@pytest.fixture(scope="module")
def table(analysis: Analysis, tmp_path_factory: pytest.TempPathFactory) -> Dispatch:
    file = tmp_path_factory.mktemp("dispatch") / "dispatch.json"
    file.write_text(json.dumps(dispatch(analysis), allow_nan=False))
    return Dispatch.read(file)


def asked(length: int, rest: str = "full") -> str:
    return str(Problem.parse(f"h8 t{length} {rest}"))


def test_the_data_say_of_what_they_are(analysis: Analysis) -> None:
    data = dispatch(analysis)

    assert (data["format"], data["version"]) == ("attnbench dispatch", 1)
    assert data["run"] == "2026-01-02-quick"
    assert data["machine"]["cpu"] == "Example CPU 9000"
    assert data["versions"]["torch"] == "2.13.0+cpu"
    assert [each["problem"] for each in data["problems"]] == list(map(str, problems(LENGTHS)))


def test_every_problem_has_its_ranking_and_how_sure_it_is(analysis: Analysis) -> None:
    short, *_, long = dispatch(analysis)["problems"]

    assert [each["implementation"] for each in short["ranking"]] == ["short", "long", "longer"]
    assert short["decided"] is True
    assert [each["apart"] for each in short["ranking"]] == [False, True, True]
    assert short["ranking"][1]["low"] > 1
    assert long["decided"] is False  # sessions differ by more than a quarter of a percent
    assert [each["implementation"] for each in long["ranking"]] == ["long", "longer", "short"]
    assert long["sessions"] == 5


def test_a_measured_problem_has_its_own_measurement_as_basis(table: Dispatch) -> None:
    found = table.choose(asked(2048))

    assert (found.name, found.basis, found.factor) == ("long", "measured", 1)
    assert found.problem == asked(2048)
    assert found.alternatives == ("longer",)
    assert found.median_ms == pytest.approx(400 * 2048, rel=0.01)
    assert table.choose(Problem.parse(asked(2048))) == found


def test_another_length_uses_the_nearest(table: Dispatch) -> None:
    found = table.choose(asked(1300))

    assert (found.name, found.basis, found.problem) == ("long", "nearest length", asked(1024))
    assert found.factor == pytest.approx(1300 / 1024)


def test_nearest_is_by_the_factor_not_by_the_difference(table: Dispatch) -> None:
    assert table.choose(asked(550)).problem == asked(1024)
    assert table.choose(asked(480)).problem == asked(256)


def test_neighbours_with_different_winners_are_reported(table: Dispatch) -> None:
    found = table.choose(asked(600))

    assert (found.name, found.basis, found.other) == ("long", "between", "short")


def test_beyond_the_measured_lengths_the_factor_is_given(table: Dispatch) -> None:
    above, below = table.choose(asked(65536)), table.choose(asked(16))

    assert (above.name, above.basis, above.factor) == ("long", "nearest length", 32)
    assert (below.name, below.basis, below.factor) == ("short", "nearest length", 8)


def test_only_able_implementations_are_chosen(table: Dispatch) -> None:
    assert table.choose(asked(2048), able={"short"}).name == "short"
    assert table.choose(asked(2048), able=["longer", "short"]).name == "longer"
    with pytest.raises(ValueError, match="was measured by any of those able in the run") as caught:
        table.choose(asked(2048), able=())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "other",
    [
        "h8 t512 bf16",
        "h8 t512 causal",
        "h8 t512 train",
        "h8 t512 d128",
        "h8 t512 cuda",
        "h8 t512 alibi",
        "h8 t512 scale0.5",
        "h4 t512",
        "h8/2 t512",
        "h8 t1/512",
        "b2 h8 t512",
    ],
)
def test_nothing_but_the_length_may_be_another(table: Dispatch, other: str) -> None:
    with pytest.raises(ValueError, match=r"nothing like .* was measured with 2 threads") as caught:
        table.choose(other)
    assert "\n" not in str(caught.value)
    assert f'--problem "{Problem.parse(other)}"' in str(caught.value)


def test_another_number_of_threads_and_another_panel_are_unknown(table: Dispatch) -> None:
    assert table.choose(asked(128), threads=2).name == "short"
    with pytest.raises(ValueError, match="with 1 thread as attention"):
        table.choose(asked(128), threads=1)
    with pytest.raises(ValueError, match="as layers"):
        table.choose(asked(128), panel="layers")


def test_decoding_steps_keep_their_queries() -> None:
    keys = [str(Problem.parse(f"h8 t1/{length}")) for length in (512, 2048)]
    table = Dispatch(dispatch(made(keys, TIMES)))

    assert table.choose("h8 t1/700").problem == keys[0]
    with pytest.raises(ValueError, match="nothing like"):
        table.choose("h8 t2/700")


def test_layers_are_ranked_apart_and_approximations_are_never_chosen() -> None:
    entries = (entry("short"), entry("long", "layers"), entry("longer", "approximations"))
    data = dispatch(made(problems(LENGTHS), TIMES, made=entries))

    assert {each["panel"] for each in data["problems"]} == {"attention", "layers"}
    assert Dispatch(data).choose(asked(2048), panel="layers").name == "long"


def test_a_run_without_times_has_nothing_to_choose() -> None:
    data = dispatch(made(problems(LENGTHS), TIMES, sessions=0))

    assert data["problems"] == []
    with pytest.raises(ValueError, match="nothing like"):
        Dispatch(data).choose(asked(128))


def test_one_session_decides_nothing() -> None:
    data = dispatch(made(problems(LENGTHS), TIMES, sessions=1))

    assert not any(each["decided"] for each in data["problems"])


def test_implementations_not_reached_leave_a_problem_undecided_and_are_named() -> None:
    def unreached(record: Record) -> Record | None:
        if record.implementation == "short":
            return record
        return None if record.session else over_budget(record.problem, record.implementation)

    data = dispatch(made(problems(LENGTHS), TIMES, change=unreached))

    assert not any(each["decided"] for each in data["problems"])
    assert Dispatch(data).choose(asked(128)).not_reached == ("long", "longer")
    assert Dispatch(data).choose(asked(128), able={"short", "long"}).not_reached == ("long",)


def test_a_file_without_not_reached_is_read(analysis: Analysis) -> None:
    data = dispatch(analysis)
    for each in data["problems"]:
        del each["not_reached"]

    assert Dispatch(data).choose(asked(128)).not_reached == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no JSON"),
        (b"\xff\xfe\x00", "is no JSON"),
        ("[]", "is no table of the fastest"),
        ('{"format": "other"}', "is no table of the fastest"),
        ('{"format": "attnbench dispatch", "version": 2}', "is of version 2, expected 1"),
        ('{"format": "attnbench dispatch", "version": 1}', "is damaged"),
    ],
)
def test_a_file_that_is_none_is_refused_in_one_line(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    file = tmp_path / "file.json"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())

    with pytest.raises(ValueError, match=said) as caught:
        Dispatch.read(file)
    assert "\n" not in str(caught.value)
    assert str(file) in str(caught.value)
    assert "export RUN --format dispatch" in str(caught.value)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("problems",), 3),
        (("problems", 0), "text"),
        (("problems", 0, "problem"), "b1 nonsense"),
        (("problems", 0, "ranking"), []),
        (("problems", 0, "ranking", 0), {}),
        (("problems", 0, "ranking", 0, "median_ms"), "soon"),
        (("settings", "threads"), []),
        (("settings",), None),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(
    analysis: Analysis, tmp_path: Path, place: tuple[Any, ...], value: object
) -> None:
    data = json.loads(json.dumps(dispatch(analysis)))
    *way, last = place
    spot = data
    for step in way:
        spot = spot[step]
    spot[last] = value
    file = tmp_path / "file.json"
    file.write_text(json.dumps(data))

    with pytest.raises(ValueError, match="is damaged") as caught:
        Dispatch.read(file)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.json cannot be read: No such file"):
        Dispatch.read(tmp_path / "none.json")


def test_choosing_needs_no_torch() -> None:
    code = "import sys, reports.analysis.ranking.dispatch, reports.views.parts.crossovers\n"
    check = "assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code + check], check=True)
