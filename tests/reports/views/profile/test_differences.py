"""The section on a difference: sentences, waterfalls and tables."""

from __future__ import annotations

import pytest

from impls.interface import Problem
from reports.analysis.profile.profiled_run import ProfiledRun
from reports.views.charts.chart import SPANS, Chart
from reports.views.profile.differences import answers, sections
from reports.views.sections import Section, Table
from suites.records.profile import Profile
from tests.reports.differences_by_hand import (
    EAGER,
    FUSED,
    MIB,
    OTHER_EAGER,
    compared,
    memory,
    profile,
    several,
    times,
)

SCORES = "8x256x512 float32"
LONGER = Problem.parse("h8 t1024 d64 full fp32 cpu")


def section_of(found: ProfiledRun) -> Section:
    (section,) = sections(found)
    return section


def section(own: Profile, other: Profile, **by_name: float) -> Section:
    return section_of(compared(own, other, times(**by_name)))


def cells(table: Table) -> dict[str, list[str]]:
    return {row.cells[0].text: [cell.text for cell in row.cells[1:]] for row in table.rows}


def charts(found: Section) -> list[Chart]:
    assert all(isinstance(each, Chart) for each in found.charts)
    return [each for each in found.charts if isinstance(each, Chart)]


def test_two_implementations_of_operators_are_compared_operator_by_operator() -> None:
    found = section(profile("mine"), profile("yours", OTHER_EAGER), mine=1.01, yours=0.5)
    ratio, parts, back, rest = found.sentences
    assert ratio.startswith("mine takes 2.0x the time of yours [2.0, 2.0]: 1.01 ms against 0.50")
    assert parts == (
        "Of the difference of 0.510 ms, mine spends 0.300 ms in exp (impls/mine.py:11), "
        "0.200 ms in sub (impls/mine.py:11), 0.100 ms in mul (impls/mine.py:12)."
    )
    assert back == (
        "Against that, copy_ takes 0.153 ms less in mine than in yours (impls/yours.py:7)."
    )
    assert rest == "The profile explains the difference: the parts lack 0.0100 ms (2 %)."


def test_one_kernel_is_named_and_compared_with_the_products() -> None:
    found = section(profile("mine"), profile("yours", FUSED), mine=1.01, yours=0.2)
    _, parts, kernel, rest = found.sentences
    assert parts == (
        "Of the difference of 0.810 ms, mine spends 0.400 ms in softmax and exponentials (exp_; "
        "impls/mine.py:11), 0.300 ms in elementwise operators (sub_, mul; impls/mine.py:11, :12)."
    )
    assert kernel == (
        "yours is one fused kernel. The products of mine (impls/mine.py:10) alone take 0.100 ms "
        "more than that whole kernel."
    )
    assert rest == "The profile explains the difference: the parts lack 0.0100 ms (1.2 %)."


def test_a_kernel_that_is_faster_says_where_the_other_one_spends_the_time() -> None:
    found = section(profile("mine", FUSED), profile("yours"), mine=0.2, yours=1.0)
    ratio, parts, kernel, _ = found.sentences
    assert ratio.startswith("mine takes 0.20x the time of yours")
    assert parts.startswith("Of the difference of 0.800 ms, yours spends 0.400 ms in softmax")
    assert kernel.startswith("mine is one fused kernel. The products of yours (impls/mine.py:10)")
    assert "alone take 0.100 ms more than that whole kernel" in kernel


def test_above_a_quarter_the_page_says_that_the_profile_does_not_explain_it() -> None:
    found = section(profile("mine"), profile("yours", OTHER_EAGER), mine=2.0, yours=1.0)
    assert found.sentences[-1] == (
        "The profiled parts lack 0.500 ms (50 %) of the difference, more than a quarter. The "
        "profile does not explain that: the parts are a rough guide."
    )


def test_parts_that_exceed_the_difference_are_said_to_do_so() -> None:
    found = section(profile("mine"), profile("yours", OTHER_EAGER), mine=1.2, yours=1.0)
    assert found.sentences[-1] == (
        "The profiled parts exceed the difference by 0.300 ms (150 %), more than a quarter. The "
        "profile does not explain that: the parts are a rough guide."
    )
    found = section(profile("mine"), profile("yours", OTHER_EAGER), mine=1.45, yours=1.0)
    assert found.sentences[-1] == (
        "The profile explains the difference: the parts exceed it by 0.0500 ms (11 %)."
    )


def test_below_a_quarter_it_says_how_much_is_left() -> None:
    found = section(profile("mine"), profile("yours", OTHER_EAGER), mine=1.1, yours=0.5)
    assert found.sentences[-1] == (
        "The profile explains the difference: the parts lack 0.100 ms (17 %)."
    )


def test_an_undecided_difference_has_the_parts_of_the_profiled_calls() -> None:
    both = profile("mine"), profile("yours", FUSED)

    def ms(_: Problem, name: str, session: int) -> float:
        return 1.0 if name == "yours" else (0.5, 1.0, 4.0)[session % 3]

    ratio, parts, kernel = section_of(compared(*both, ms)).sentences
    assert ratio.endswith("The verdict is “inconclusive”: no difference is shown.")
    assert parts.startswith(
        "Of the 0.800 ms between the profiled calls, mine spends 0.400 ms in softmax and "
    )
    assert kernel.startswith("yours is one fused kernel.")


def test_no_difference_that_is_shown_has_no_parts_in_words_and_no_shares() -> None:
    found = section(profile("mine"), profile("yours", OTHER_EAGER), mine=1.0, yours=1.0)
    (said,) = found.sentences
    assert said.endswith("The verdict is “same”: no difference is shown.")
    assert {row[3] for row in cells(found.tables[0]).values()} == {"-"}


def test_the_waterfall_leads_from_one_measured_time_to_the_other() -> None:
    found = section(profile("mine"), profile("yours", OTHER_EAGER), mine=2.0, yours=1.0)
    (chart,) = charts(found)
    assert chart.rows[0] == "yours\n1.00 ms"
    assert chart.rows[-2:] == ("not explained by the profile\n+0.500 ms", "mine\n2.00 ms")
    assert chart.rows[1] == "exp\n+0.300 ms mine.py:11"
    assert "copy_\n-0.153 ms yours.py:7" in chart.rows
    assert {each.drawn for each in chart.series} == {SPANS}
    ends = {
        int(y): (low, high, x)
        for each in chart.series
        for x, y, low, high in zip(each.x, each.y, each.low, each.high, strict=True)
    }
    assert sorted(ends) == list(range(len(chart.rows)))
    at = ends[0][1]
    for place in range(1, len(chart.rows) - 1):
        low, high, x = ends[place]
        start = low if x == pytest.approx(high) else high
        assert start == pytest.approx(at)
        at = x
    assert ends[len(chart.rows) - 1][:2] == pytest.approx((0.0, at))


def test_small_parts_share_a_bar() -> None:
    tiny = {("impls/mine.py:13 mine", f"aten::op{number}"): 1 for number in range(20)}
    own, other = profile("mine", EAGER | tiny), profile("yours", OTHER_EAGER)
    found = section(own, other, mine=1.0, yours=0.5)
    assert "22 smaller parts\n+0.0230 ms" in charts(found)[0].rows


def test_the_table_closes_to_the_measured_difference() -> None:
    found = section(profile("mine"), profile("yours", FUSED), mine=2.0, yours=1.0)
    table = found.tables[0]
    assert table.head[:4] == ("part", "mine ms", "yours ms", "difference ms")
    shown = cells(table)
    assert shown["softmax and exponentials"] == [
        "0.400", "0", "+0.400", "40 %", "exp_", "impls/mine.py:11"
    ]  # fmt: skip
    assert shown["products - fused kernel"][:3] == ["0.300", "0.200", "+0.100"]
    assert shown["all of the profiled call"][:3] == ["1.00", "0.203", "+0.800"]
    assert shown["not explained by the profile"][:4] == ["", "", "+0.200", "20 %"]
    assert shown["measured without the profiler"][:4] == ["2.00", "1.00", "+1.00", "100 %"]


def test_memory_is_compared_exactly() -> None:
    own = profile("mine", memory=memory((8 * MIB, 2, SCORES), (2 * MIB, 4, "8x64 float32")))
    held = memory((2 * MIB, 2, "1x8x64 float32"), (MIB, 2, ""), kept_bytes=MIB)
    other = profile("yours", FUSED, memory=held)
    found = section(own, other, mine=2.0, yours=1.0)
    assert found.sentences[-3:] == (
        "At its peak mine holds 10.0 MiB above the inputs, yours 4.00 MiB: 6.00 MiB more.",
        f"More in mine: 8.00 MiB from bmm ({SCORES}; impls/mine.py:10).",
        (
            "More in yours: 1.00 MiB from _scaled_dot_product_flash_attention_for_cpu "
            "(impls/sdpa.py:206)."
        ),
    )
    chart = charts(found)[1]
    assert chart.rows[0] == "yours\n4.00 MiB"
    assert chart.rows[-1] == "mine\n10.0 MiB"
    assert not any("explained" in row for row in chart.rows)
    assert cells(found.tables[1])["tensors of equal size that both hold"][:3] == [
        "2.00", "2.00", "+0"
    ]  # fmt: skip
    assert cells(found.tables[1])["peak"][:3] == ["10.0", "4.00", "+6.00"]
    assert found.tables[1].names[1:4] == ("own_bytes", "other_bytes", "difference_bytes")
    assert [each.order for each in found.tables[1].rows[-1].cells[1:4]] == [
        10 * MIB, 4 * MIB, 6 * MIB
    ]  # fmt: skip


def test_equal_peaks_are_one_sentence() -> None:
    held = memory((MIB, 2, SCORES))
    found = section(
        profile("mine", memory=held), profile("yours", FUSED, memory=held), mine=2.0, yours=1.0
    )
    assert found.sentences[-1] == (
        "At its peak mine holds 1.00 MiB above the inputs, and so does yours."
    )


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (profile("yours", nodes=(), fault="failed: boom"), "yours failed under the profiler"),
        (profile("yours", unseen="none"), "the profiler does not see the work of yours"),
    ],
)
def test_a_side_without_operators_leaves_one_sentence(other: Profile, reason: str) -> None:
    found = section(profile("mine"), other, mine=2.0, yours=1.0)
    assert found.sentences == (f"The difference in time has no parts: {reason}.",)
    assert not found.charts
    assert not found.tables


def test_a_side_without_times_is_said() -> None:
    own, other = profile("mine"), profile("yours", FUSED)
    longer = profile("yours", FUSED, problem=LONGER)
    found = several([own, longer], times(mine=2.0, yours=1.0), baseline="yours")
    lacking = ProfiledRun(found.analysis, (profile("mine", problem=own.problem), other))
    run = ProfiledRun(lacking.analysis, tuple(_with_threads(each) for each in lacking.profiles))
    assert section_of(run).sentences == (
        "The difference in time has no parts: the run has no times of mine.",
    )


def _with_threads(each: Profile) -> Profile:
    return profile(each.implementation, EAGER, threads=64)


def test_one_implementation_has_no_section() -> None:
    own, other = profile("mine"), profile("yours", FUSED)
    found = compared(own, other, times(mine=2.0, yours=1.0))
    alone = ProfiledRun(found.analysis, (own,))
    assert sections(alone) == []
    assert answers(alone) == []


def test_with_several_problems_each_has_its_chart_and_the_longest_gives_the_answer() -> None:
    longer = {key: 4 * took for key, took in EAGER.items()}
    profiles = [
        profile("mine"),
        profile("yours", FUSED),
        profile("mine", longer, problem=LONGER),
        profile("yours", FUSED, problem=LONGER),
    ]
    found = several(profiles, times(mine=2.0, yours=1.0), baseline="yours")
    made = section_of(found)
    assert [each.label for each in charts(made)] == [str(LONGER), str(profiles[0].problem)]
    assert {each.key for each in charts(made)} == {"profile_time_difference"}
    first, ratio, *_ = made.sentences
    assert first == (
        f"On the problem with the longest call, {LONGER}; charts and tables have all of them:"
    )
    assert ratio.startswith("mine takes")
    assert answers(found)[0].startswith("Of the difference of 1.00 ms, mine spends 1.60 ms in")
