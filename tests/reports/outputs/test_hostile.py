"""Whatever a stored run calls itself: pages, charts, tables and exports show it as text."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, cast

import pytest
from markupsafe import escape
from pyarrow import parquet
from rich.console import Console, RenderableType

import reports
from reports.analysis import comparison, run_comparison
from reports.analysis.run_analysis import Analysis
from reports.outputs.export import json_data
from reports.outputs.export.export import export, extension
from reports.outputs.export.formats import names
from reports.outputs.html.page import page
from reports.outputs.terminal import run_tables, screen
from reports.outputs.terminal.check_report import check_report
from reports.outputs.terminal.verdict_tables import compare_tables
from reports.views import differences
from reports.views import text as texts
from suites.records.bundles.reading import Bundle
from suites.records.codec import from_json, to_data
from suites.records.plan import Plan
from suites.records.profile import Profile
from suites.records.record import Record
from suites.records.store import Run, Store
from tests.reports.hostile_run import ATTACK, NAMES, hostile_run
from tests.saved_run import PROBLEMS, TWO, small_run, stored

OURS = re.compile(r"#[\w-]+|data:,")


class Tags(HTMLParser):
    """The elements of a page, with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def hostile() -> tuple[Run, list[Record]]:
    return hostile_run()


@pytest.fixture(scope="module")
def written(hostile: tuple[Run, list[Record]]) -> str:
    return page(Analysis(*hostile))


def without_our_script(text: str) -> str:
    """The page up to the script that is ours; the data of the charts included."""
    return text[: text.rindex("<script>")]


def disobedient(text: str) -> set[str]:
    """Characters that hide, reorder or command, and such as no file can hold; lines may end."""
    return {each for each in text if unicodedata.category(each) in {"Cc", "Cf", "Cs"}} - {"\n"}


def strings(data: Any) -> list[str]:
    if isinstance(data, dict):
        return [each for pair in data.items() for part in pair for each in strings(part)]
    if isinstance(data, list):
        return [each for part in data for each in strings(part)]
    return [data] if isinstance(data, str) else []


def printed(*what: RenderableType, width: int = 100) -> str:
    kept = io.StringIO()
    Console(file=kept, width=width, force_terminal=False).print(*what, sep="\n")
    return kept.getvalue()


def test_no_string_becomes_an_element_an_attribute_or_an_address(written: str) -> None:
    found = Tags(written).found
    assert [attributes for tag, attributes in found if tag == "script"] == [
        {"type": "application/json", "id": "chart-data"},
        {},
    ]
    assert {"img", "a", "style"} & {tag for tag, _ in found} == {"a", "style"}
    assert sum(tag == "style" for tag, _ in found) == 1
    for tag, attributes in found:
        assert not [name for name in attributes if name.startswith("on")]
        assert all(OURS.fullmatch(attributes[n] or "") for n in ("href", "src") if n in attributes)
        assert tag != "base"


def test_the_elements_are_those_of_a_harmless_run(written: str) -> None:
    kinds = {tag for tag, _ in Tags(written).found}
    assert kinds - {tag for tag, _ in Tags(page(Analysis(*small_run()))).found} <= {
        "details",
        "summary",
    }


def test_no_character_of_the_page_hides_reorders_or_commands(written: str) -> None:
    assert disobedient(without_our_script(written)) == set()
    written.encode("utf-8")
    data = re.search(r'id="chart-data">(.*?)</script>', written, re.DOTALL)
    assert data is not None
    told = strings(json.loads(data[1]))
    assert len(told) > 100
    assert set().union(*map(disobedient, told)) == set()


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_every_name_is_on_the_page_as_text(written: str, name: str) -> None:
    assert str(escape(texts.abbreviated(name))) in written
    assert str(escape(texts.printable(name)))[:500] in written  # all of it, as the title


def test_a_long_text_is_folded_and_opens_to_the_whole(written: str) -> None:
    folds = re.findall(r"<details><summary>([^<]*)</summary>([^<]*)</details>", written)
    long = [(summary, whole) for summary, whole in folds if len(whole) > 9_000]
    assert {whole for _, whole in long} >= {NAMES["long"]}
    assert all(len(summary) < 1_000 for summary, _ in long)


def test_two_long_names_never_read_alike() -> None:
    one, other = "x" * 5_000 + "a" + "x" * 5_000, "x" * 5_000 + "b" + "x" * 5_000
    assert texts.abbreviated(one) != texts.abbreviated(other)
    assert len(texts.abbreviated(one)) == texts.LONGEST_NAME
    assert texts.abbreviated("x" * texts.LONGEST_NAME) == "x" * texts.LONGEST_NAME


def test_only_our_own_script_may_run(written: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', written)
    assert policy is not None
    assert re.search(r"script-src '?(&#39;)?sha256-[\w+/=]{44}", policy[1])
    assert "unsafe-inline" not in policy[1].split("style-src")[0]
    for closed in ("default-src", "base-uri", "form-action"):
        assert re.search(rf"{closed} '?(&#39;)?none", policy[1])


def test_charts_are_drawn_from_any_names(hostile: tuple[Run, list[Record]], tmp_path: Path) -> None:
    made = reports.write(Analysis(*hostile), tmp_path / "folder")
    assert len(made.charts) >= 10  # of attention, layers and a function of another kind
    assert {path.parent for path in made.charts} == {tmp_path / "folder"}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in made.charts)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("width", [60, 100, 300])
def test_the_terminal_gets_text_only(hostile: tuple[Run, list[Record]], width: int) -> None:
    summary = printed(*run_tables.summary(Analysis(*hostile), every=True), width=width)
    short = printed(*run_tables.summary(Analysis(*hostile)), width=width)
    checked = printed(*check_report(Analysis(*hostile)), width=width)
    every = printed(*check_report(Analysis(*hostile), verbose=True), width=width)
    for text in (summary, short, checked, every):
        assert disobedient(text) == set()
        text.encode("utf-8")
    for text in (summary, short, checked):
        assert len(text.splitlines()) < 600
    assert "[red]red[/red]" in checked


def test_a_fault_is_one_line_of_text() -> None:
    for name in NAMES.values():
        fault = Record(
            session=1,
            problem=PROBLEMS[0],
            implementation=name,
            status="failed",
            cause="exception",
            reason=name,
        )
        line = screen.fault_line(fault).plain
        assert disobedient(line) == set()
        assert "\n" not in line
        assert len(line) < 1_000


def test_a_comparison_is_text_only(hostile: tuple[Run, list[Record]]) -> None:
    run, records = hostile
    names = list(NAMES.values())
    found = comparison.implementations(run, records, names[0], names[1])
    both = run_comparison.runs(run, records, *small_run(problems=PROBLEMS[:2]))
    for each in (found, both):
        assert disobedient(printed(*compare_tables(each))) == set()
        json.dumps(json_data.of_comparison(each), allow_nan=False)
    assert set().union(*map(disobedient, differences.sentences(both))) == set()


class Unstored:
    """Stands in for a store: no store takes every hostile name."""

    def __init__(self, records: list[Record]) -> None:
        self._records = records

    def profiles(self, run: str) -> list[Profile]:
        """None."""
        del run
        return []

    def records(self, name: str) -> list[Record]:
        return self._records


def exported(hostile: tuple[Run, list[Record]], form: str, path: Path) -> tuple[Path, ...]:
    return export(cast("Store", Unstored(hostile[1])), hostile[0], form, path)


def storable(run: Run, records: list[Record]) -> tuple[Run, list[Record]]:
    """The run with a name that a folder can have, and with ? for lone surrogates."""
    plan = from_json(Plan, encoded(run.plan))
    command = run.command.encode(errors="replace").decode()
    machine = json.loads(json.dumps(run.machine, ensure_ascii=False).encode(errors="replace"))
    named = replace(
        run, name="hostile", ended="", plan=plan, command=command, machine=machine, facts=()
    )
    return named, [from_json(Record, encoded(each)) for each in records]


def encoded(value: Any) -> bytes:
    return json.dumps(to_data(value), ensure_ascii=False).encode(errors="replace")


@pytest.mark.parametrize("format_name", [name for name in names() if name != "bundle-with-inputs"])
def test_every_export_is_a_file_that_can_be_read(
    hostile: tuple[Run, list[Record]], format_name: str, tmp_path: Path
) -> None:
    run, records = storable(*hostile)
    if format_name in ("parquet", "bundle"):
        paths = export(stored(run, records), run, format_name, tmp_path / "run.out")
    else:
        paths = exported(hostile, format_name, tmp_path / "run.out")
    assert all(path.parent == tmp_path for path in paths)
    for path in paths:
        if format_name == "parquet":
            assert len(parquet.read_table(path)) == len(records)
            continue
        if format_name == "bundle":
            assert len(Bundle.read(path).records) == len(records)
            continue
        text = path.read_text("utf-8")
        if format_name == "csv":
            rows = list(csv.reader(io.StringIO(text)))
            assert len({len(row) for row in rows}) == 1
            assert len(rows) > 40
        elif extension(format_name) == "json":
            json.loads(text, parse_constant=pytest.fail)


def test_no_cell_of_a_csv_file_is_a_formula(
    hostile: tuple[Run, list[Record]], tmp_path: Path
) -> None:
    cells = [
        cell
        for path in exported(hostile, "csv", tmp_path / "run.csv")
        for row in csv.reader(io.StringIO(path.read_text("utf-8")))
        for cell in row
    ]
    assert not [each for each in cells if each.lstrip()[:1] in {"=", "@", "+"}]
    assert "'" + NAMES["formula of a sheet"] in cells
    assert set().union(*map(disobedient, cells)) == set()


def test_a_json_export_holds_every_name_exactly(
    hostile: tuple[Run, list[Record]], tmp_path: Path
) -> None:
    (path,) = exported(hostile, "json", tmp_path / "run.json")
    data = json.loads(path.read_text("utf-8"))
    assert {row["implementation"] for row in data["outcomes"]} >= set(NAMES.values())
    assert data["run"] == NAMES["link"]


def test_numbers_stay_numbers_in_a_csv_file(tmp_path: Path) -> None:
    run, records = small_run(problems=PROBLEMS[:1], made=TWO)
    path, _ = export(stored(run, records), run, "csv", tmp_path / "run.csv")
    head, row, _ = csv.reader(io.StringIO(path.read_text("utf-8")))
    told = dict(zip(head, row, strict=True))
    assert (told["batch"], told["sessions"], told["threads"]) == ("1", "3", "2")
    assert float(told["median_ms"]) > 0


def test_names_are_abbreviated_where_they_are_many(written: str) -> None:
    heads = re.findall(r'<th scope="(?:col|row)"[^>]*>(?:<[^>]*>)*([^<]*)<', written)
    assert max(map(len, heads)) < 600
    assert Counter(map(len, heads)).total() > 100


def test_the_attack_is_shown_as_text(written: str) -> None:
    assert str(escape(ATTACK)) in written
