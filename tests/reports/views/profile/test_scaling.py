"""The section on growth with the length: sentences, stacked shares, and the table."""

from __future__ import annotations

from reports.analysis.profile.scaling import Growth
from reports.views.charts.chart import STACKED, Chart
from reports.views.profile import scaling
from reports.views.profile.scaling import sections
from tests.reports.analysis.profile.test_scaling import LENGTHS, of_length, run_of


def test_operators_that_grow_alike_are_one_clause() -> None:
    (section,) = sections(run_of(*map(of_length, LENGTHS)))
    measured, said, _ = section.sentences
    assert measured.startswith("mine: the measured time of a call grows with T^1.8")
    assert measured.endswith("] from T 512 to T 2048.")
    assert said == (
        "mine at T 2048: bmm grows with T^2.0 and makes up 87 %; copy_ grows with T^1.0 and makes "
        "up 11 %."
    )


def test_exponents_of_one_clause_are_a_range_of_numbers() -> None:
    alike = [Growth(name, (1.0, 2.0**n), (0.5, 0.5), (1, 2)) for name, n in (("a", 9), ("b", 10))]
    assert scaling.grows(alike) == "a, b grow with T^9.0 to T^10.0 and make up 100 %"


def test_a_chart_has_a_bar_of_shares_for_each_length() -> None:
    (section,) = sections(run_of(*map(of_length, LENGTHS)))
    (chart,) = section.charts
    assert isinstance(chart, Chart)
    assert [row.partition("\n")[0] for row in chart.rows] == ["T 512", "T 1024", "T 2048"]
    assert {each.drawn for each in chart.series} == {STACKED}
    for place in range(len(LENGTHS)):
        assert abs(sum(each.x[place] for each in chart.series) - 100) < 1e-6
    assert "products 66 % at T 512, 87 % at T 2048" in chart.alt


def test_each_implementation_has_a_chart_and_a_table() -> None:
    profiles = [of_length(length, "full", name) for name in "ab" for length in LENGTHS]
    (section,) = sections(run_of(*profiles))
    assert [each.label for each in section.charts] == ["a", "b"]
    assert len(section.tables) == 2


def test_the_table_has_times_shares_and_the_exponent() -> None:
    (section,) = sections(run_of(*map(of_length, LENGTHS)))
    (table,) = section.tables
    assert table.head == (
        "operator", "exponent", "ms at T 512", "ms at T 1024", "ms at T 2048", "share at T 512",
        "share at T 2048",
    )  # fmt: skip
    rows = {row.cells[0].text: [each.text for each in row.cells[1:]] for row in table.rows}
    assert rows["bmm"][0] == "2.00"
    assert rows["bmm"][-2:] == ["66 %", "87 %"]
    assert rows["exp"][:2] == ["-", "0"]


def test_one_length_has_no_section() -> None:
    assert sections(run_of(of_length(512))) == []
