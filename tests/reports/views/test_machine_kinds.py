"""A run over several kinds of machine: the machines, and what is fastest where."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import pytest
from rich.console import Console

from reports.analysis.machines import Machines, kinds
from reports.outputs.export.machines_data import of_kinds
from reports.outputs.markdown import kinds as markdown
from reports.outputs.terminal.kind_tables import kind_tables
from reports.views import machine_kinds as views
from reports.views import machines, numbers
from reports.views.sections import Table
from tests.kind_runs import AMD, ARM, GPU, GROUP, H200, KINDS, SIZES, group, on, three
from tests.saved_run import two


def rows(table: Table) -> dict[str, dict[str, str]]:
    """The texts of a table's cells by the first of each row, then by head."""
    return {
        row.cells[0].text: dict(zip(table.head, (cell.text for cell in row.cells), strict=True))
        for row in table.rows
    }


def fastest(found: Machines) -> dict[str, dict[str, str]]:
    (table,) = views.fastest_tables(found)
    return rows(table)


def test_each_machine_has_its_own_baseline_noise_floor_ceilings_and_hosts() -> None:
    found = kinds(three())
    facts = rows(views.machines_table(found))
    assert [side.label for side in found.sides] == list(KINDS)
    assert facts["CPU"] == {
        "fact": "CPU", AMD: "AMD EPYC 9004", H200: "Xeon 8480C", ARM: "Neoverse V2",
    }  # fmt: skip
    assert [facts["GPU"][kind] for kind in KINDS] == ["none", "Example H200", "none"]
    assert [facts["cores"][kind] for kind in KINDS] == ["2", "16", "2"]
    assert [facts["hosts"][kind] for kind in KINDS] == ["node-1, node-2", "gpu-1", "not recorded"]
    assert [facts["baseline"][kind] for kind in KINDS] == ["sdpa_flash"] * 3
    for side in found.sides:
        assert facts["noise floor"][side.label] == numbers.floor(side.analysis.floor) != ""
    matmul = facts["measured matmul float32 in cache cpu"]
    assert (matmul[AMD], matmul[H200]) == ("100 GFLOP/s", "not measured")


def test_the_winner_of_each_machine_is_named_with_its_time_and_its_ratio_there() -> None:
    found = kinds(group())
    row = fastest(found)["h8 t1024 causal"]
    assert (row[f"{AMD} fastest"], row[f"{H200} fastest"]) == ("sdpa_flash", "chunked")
    assert row[f"{AMD} ratio [95 %]"] == "baseline"
    side = found.sides[1]
    judged = next(
        each
        for each in side.analysis.verdicts
        if each.implementation == "chunked" and each.problem.key_length == 1024
    )
    assert judged.verdict == "faster"
    said = row[f"{H200} ratio [95 %]"]
    assert said == numbers.ratio_in(judged.ratio, judged.low, judged.high)
    assert said.startswith("0.500 [")
    own = side.measurements[judged.problem, "chunked"]
    ends = numbers.spread(own.low_ms, own.high_ms)
    assert row[f"{H200} ms"] == f"{numbers.milliseconds(own.median_ms)} [{ends}]"


def test_every_machine_is_shown_at_first() -> None:
    (table,) = views.fastest_tables(kinds(three()))
    assert table.shown == len(table.head) == 1 + 3 * len(KINDS)


def test_a_problem_is_the_same_one_on_a_cpu_and_on_a_gpu() -> None:
    (table,) = views.fastest_tables(kinds(group()))
    assert len(table.rows) == len(SIZES)
    assert not any("cpu" in row.cells[0].text or "cuda" in row.cells[0].text for row in table.rows)
    assert not any("device" in row.facets for row in table.rows)


def test_two_that_are_not_distinguished_are_both_named_and_no_ratio_is_shown() -> None:
    row = fastest(kinds(three()))["h8 t1024 causal"]
    assert set(row[f"{ARM} fastest"].split(" or ")) == {"sdpa_flash", "chunked"}
    assert row[f"{ARM} ratio [95 %]"] in ("baseline", views.NO_DIFFERENCE)


def test_no_difference_is_said_where_the_verdict_shows_none() -> None:
    """The other is 0.4 % faster in the median, which is below the smallest that counts."""
    run, records = two(0.996)
    found = kinds([(replace(run, name=f"{GROUP}@{AMD}"), records), *group()[1:]])
    (cells,) = (each for each in fastest(found).values() if "other" in each[f"{AMD} fastest"])
    assert cells[f"{AMD} ratio [95 %]"] == views.NO_DIFFERENCE


def test_a_machine_without_a_time_says_why() -> None:
    run, records = on(H200, "cuda", machine=GPU)
    kept = [each for each in records if each.problem.key_length != 512]
    row = fastest(kinds([three()[2], (run, kept)]))
    assert row["h8 t2048 causal"][f"{H200} fastest"] == views.NOT_PLANNED
    assert row["h8 t512 causal"][f"{H200} fastest"] == views.NO_TIME
    assert row["h8 t512 causal"][f"{H200} ms"] == ""


def test_a_machine_with_two_devices_has_columns_for_each() -> None:
    (cpu, first), (gpu, second) = on(AMD, "cpu", machine={}), on(AMD, "cuda", machine=GPU)
    plan = replace(cpu.plan, problems=(*cpu.plan.problems, *gpu.plan.problems))
    (table,) = views.fastest_tables(kinds([(replace(cpu, plan=plan), first + second)]))
    assert f"{AMD} cpu fastest" in table.head
    assert f"{AMD} cuda fastest" in table.head


def test_no_ratio_across_machines_is_written_anywhere() -> None:
    """Of sdpa_flash, the H200 takes a quarter of the time of the AMD: 0.25 and 4 stand nowhere."""
    found = kinds([*group()])
    text = " ".join([*printed(found, 120), markdown.of_kinds(GROUP, found)])
    assert not re.search(r"\b(4\.00x|0\.250 \[)", text)
    assert machines.NOT_JUDGED in " ".join(text.split())


def printed(found: Machines, width: int, *, every: bool = False) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(*kind_tables(found, every=every), sep="\n", crop=False)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 80, 160])
def test_a_terminal_has_both_tables_and_ends_with_the_answers(width: int) -> None:
    found = kinds(three())
    lines = printed(found, width)
    text = " ".join(" ".join(lines).split())
    assert max(map(len, lines)) <= width
    for said in (views.MACHINES, f"{views.FASTEST}: attention", "AMD EPYC 9004", "gpu-1"):
        assert said in text
    assert all(kind in text for kind in KINDS)
    assert text.endswith(machines.answers(found.sides[-1])[-1])


def test_all_tables_of_each_machine_are_printed_on_request() -> None:
    found = kinds(group())
    assert len(printed(found, 120, every=True)) > 2 * len(printed(found, 120))


def test_markdown_has_both_tables_and_a_heading_for_each_machine() -> None:
    found = kinds(three())
    text = markdown.of_kinds(GROUP, found)
    assert "| noise floor |" in text
    assert "| problem | amd-epyc fastest | amd-epyc ms |" in text
    assert re.findall(r"^## (\S+),", text, re.MULTILINE) == list(KINDS)


def test_programs_read_each_machine_and_what_is_fastest_where() -> None:
    data = json.loads(json.dumps(of_kinds(GROUP, kinds(group())), allow_nan=False))
    assert data["group"] == GROUP
    assert [(each["kind"], each["run"], each["hosts"]) for each in data["machines"]] == [
        (AMD, f"{GROUP}@{AMD}", ["node-1", "node-2"]),
        (H200, f"{GROUP}@{H200}", ["gpu-1"]),
    ]
    assert all(each["noise_floor"] > 0 for each in data["machines"])
    one = [row for row in data["fastest"] if "t1024" in row["problem"].split()]
    assert [(row["kind"], row["device"], row["fastest"], row["verdict"]) for row in one] == [
        (AMD, "cpu", "sdpa_flash", None),
        (H200, "cuda", "chunked", "faster"),
    ]
    assert [row["baseline"] for row in one] == ["sdpa_flash", "sdpa_flash"]


def test_hosts_are_counted_where_they_are_many() -> None:
    _, records = on(AMD, "cpu", machine={})
    many = [replace(each, host=f"node-{at:02}") for at, each in enumerate(records[:11])]
    assert views.hosts(many).endswith("node-07, 3 more")
    assert views.hosts(records) == "not recorded"
