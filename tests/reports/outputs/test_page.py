"""The page: whole in one file, quiet offline, and no name can become part of it."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from matplotlib.figure import Figure

import reports
from impls.interface import Limits, Problem
from reports.analysis.run_analysis import Analysis
from reports.outputs.folder import expect_folder
from reports.outputs.html import table_rows
from reports.outputs.html.page import page, write
from reports.outputs.html.saving import NAME
from reports.views.charts.sizes import charts
from reports.views.grids import agreement_grid
from suites.records.plan import Entry
from suites.records.record import Record
from suites.records.store import Run
from tests.reports.browser import draw_all, opened, until
from tests.reports.section_by_hand import by_hand
from tests.reports.small_page import small_page
from tests.saved_run import (
    MACHINE,
    PROBLEMS,
    TWO,
    entries,
    facts,
    over_budget,
    small_run,
    two,
)

ANY = (Limits(),)
HOSTILE = "</script><script>document.title='taken'</script>\"'<b>&amp;\n{{ 7*7 }} $x$"
MARKED = [
    Problem.parse(f"h8 t{length} {mask}")
    for mask in ("full", "window:128")
    for length in (128, 256)
]


class Outline(HTMLParser):
    """What a page refers to, its headings, and its visible text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.headings: list[int] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self._inside = tag
        self.tags.append((tag, found))
        self.references += [v for n, v in found.items() if n in {"src", "href"} and v]
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def handle_data(self, data: str) -> None:
        if self._inside not in {"script", "style"}:
            self.words.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def whole() -> str:
    return small_page()


def hostile_run() -> tuple[Run, list[Record]]:
    made = (
        Entry(name=HOSTILE, limits=ANY),
        Entry(name="naive", limits=ANY),
        Entry(name="gone", missing=HOSTILE),
    )
    run, records = small_run(problems=MARKED, made=made)
    machine = {**MACHINE, "cpu": HOSTILE, "allocator": HOSTILE}
    run = replace(run, name=HOSTILE, command=HOSTILE, machine=machine)
    wrong = replace(run.plan, entries=(*run.plan.entries, Entry(name="bad", limits=ANY)))
    bad = [
        Record(
            session=0,
            problem=p,
            implementation="bad",
            status="failed",
            cause="exception",
            reason=HOSTILE,
        )
        for p in MARKED
    ]
    return replace(run, plan=wrong), records + bad


def test_nothing_on_the_page_is_fetched(whole: str) -> None:
    references = Outline(whole).references
    assert [each for each in references if not each.startswith(("#", "data:"))] == []
    assert not re.search(r"url\(|@import", whole[whole.index("<style>") : whole.index("</style>")])
    assert "default-src 'none'" in whole


def test_the_page_stays_small_enough_to_send(whole: str) -> None:
    assert len(whole.encode()) < 7_000_000


def test_headings_follow_in_order(whole: str) -> None:
    levels = Outline(whole).headings
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


def test_tables_have_names_captions_and_headings_with_a_scope(whole: str) -> None:
    tags = Outline(whole).tags
    ids = [found["id"] for _, found in tags if "id" in found]
    assert len(ids) == len(set(ids))
    tables = [found for tag, found in tags if tag == "table"]
    assert len(tables) > 5
    for found in tables:
        assert found.get("aria-label") or found.get("aria-labelledby") in ids
        assert found["aria-describedby"] in ids
    assert all(found.get("scope") in {"row", "col"} for tag, found in tags if tag == "th")


def test_charts_have_alternative_texts(whole: str) -> None:
    places = [found for _, found in Outline(whole).tags if found.get("class") == "chart"]
    keys = [place["data-family"] for place in places]
    assert len(set(keys)) == len(keys)
    assert {"time_vs_length", "layers_memory_vs_heads"} <= set(keys)
    assert all(place["role"] == "group" and place["aria-label"] for place in places)


def test_the_page_says_what_was_measured_and_what_not(whole: str) -> None:
    text = Outline(whole).text
    assert "10 implementations on 18 problems: 115 of 180 answers timed, 18 wrong," in text
    assert "2 out of memory, 27 refused, 18 missing." in text
    assert "7 implementations measured on 18 problems in 3 sessions." in text
    assert "verdicts are drawn from pairs within a session" in text
    for reason in ("mask full: takes window", "No module named 'flash_attn'", "--memory-limit"):
        assert reason in text
    assert "no implementation of this run ran on a GPU" in text


def test_each_row_has_the_command_that_repeats_it(whole: str) -> None:
    command = f'python run_bench.py run --problem "{PROBLEMS[0]}" --impl "chunked"'
    assert command in Outline(whole).text
    assert "python run_bench.py run quick" in Outline(whole).text


def test_each_verdict_has_a_row_and_the_command_that_repeats_it(whole: str) -> None:
    text = Outline(whole).text
    assert "79 comparisons: 61 faster, 18 slower; a difference counts from 1 %." in text
    command = f'--problem "{PROBLEMS[0]}" --impl "chunked" --against "naive" --sessions 3'
    assert f"python run_bench.py run {command} --threads 2" in text
    for row in ('<td class="verdict faster">faster</td>', '<td class="verdict slower">slower</td>'):
        assert row in whole
    assert "3 of 15" in text


def test_the_page_lists_open_comparisons_and_devices_without_a_run() -> None:
    text = Outline(page(Analysis(*two(1.0095)))).text
    assert "1 of 1 comparison inconclusive: it differs, but perhaps by less than 1 %." in text
    assert "No implementation of this run ran on a GPU." in text


def test_a_run_without_a_comparison_has_no_verdicts() -> None:
    text = page(Analysis(*small_run(sessions=0)))
    assert 'id="verdicts"' not in text
    assert 'href="#verdicts"' not in text


def test_threads_have_a_column_where_there_are_several(whole: str) -> None:
    head = '<button type="button" aria-describedby="term-threads">threads</button>'
    assert head not in whole
    assert page(Analysis(*small_run(problems=MARKED[:1], threads=(1, 2)))).count(head) == 3


def with_ceilings(run: Run, value: float) -> Run:
    changed = (
        replace(fact, ceilings=tuple(replace(each, value=value) for each in fact.ceilings))
        for fact in facts(run.plan)
    )
    return replace(run, facts=tuple(changed))


def test_measurements_say_how_close_they_came_to_the_ceiling() -> None:
    run, records = small_run(problems=MARKED)
    high = Outline(page(Analysis(with_ceilings(run, 1e15), records))).text
    assert "above the measured ceiling" not in high
    assert "measured matmul float32 in cache 1000000 GFLOP/s on cpu" in high
    assert (
        "above the measured ceiling"
        in Outline(page(Analysis(with_ceilings(run, 1e6), records))).text
    )


def test_choices_are_listed_with_the_verdicts() -> None:
    made = tuple(Entry(name=f"chunked[b={b}]", limits=ANY) for b in (64, 128))
    assert (
        "b=64 and b=128" in Outline(page(Analysis(*small_run(problems=MARKED[:1], made=made)))).text
    )


def test_the_agreement_matrix_has_shares_and_states(whole: str) -> None:
    matrix = whole[whole.index('id="agreement"') : whole.index('id="not-measured"')]
    for word in (">0.05\n", ">refused\n", ">wrong\n", ">missing\n", ">out of memory\n"):
        assert word in matrix
    assert 'title="mask full: takes window"' in matrix


def test_an_output_that_agrees_and_was_left_out_by_the_budget_agrees_in_the_matrix() -> None:
    run, records = small_run(problems=MARKED[:1], made=TWO)
    kept = [r for r in records if r.implementation == "base" or not r.session]
    grid = agreement_grid(Analysis(run, [*kept, over_budget(MARKED[0], "other", session=1)]))
    assert [cell.text for cell in grid.rows[0].cells] == ["0.05", "0.06"]


def test_a_run_in_which_all_refused_says_so() -> None:
    refusing = tuple(each for each in entries() if each.name in {"xformers", "flash_attn"})
    text = Outline(page(Analysis(*small_run(made=refusing)))).text
    assert "0 of 36 answers timed, 18 refused, 18 missing." in text
    assert "No time was taken in this run. The reasons are below." in text
    assert "No implementation here has a time in this run" in text


def test_an_interrupted_run_says_so() -> None:
    run, records = small_run()
    text = Outline(page(Analysis(replace(run, ended=None), records[:40]))).text
    assert "The run was interrupted" in text
    assert "the run ended before it" in text


def test_a_run_that_did_all_it_planned_is_not_called_interrupted() -> None:
    run, records = small_run(problems=MARKED)
    unmarked = replace(run, ended=None)
    assert "interrupted" not in Outline(page(Analysis(unmarked, records))).text
    short = [record for record in records if record.session < run.plan.sessions]
    assert "The run was interrupted" in Outline(page(Analysis(unmarked, short))).text


def test_a_run_that_is_still_being_written_says_so_at_the_top() -> None:
    run, records = small_run(problems=MARKED)
    text = Outline(page(Analysis(replace(run, ended=None), records[:40]))).text
    assert "or is still being written" in text[: text.index("Filters and axes")]


@pytest.mark.parametrize(("left", "said"), [(0, "0 of 2"), (1, "0 of 2"), (2, "1 of 2")])
def test_a_run_with_hardly_a_record_has_a_page(left: int, said: str) -> None:
    run, records = small_run(problems=MARKED[:1], made=TWO)
    text = page(Analysis(replace(run, ended=None), records[:left]))
    assert f"{said} answers timed" in Outline(text).text
    assert ("No time was taken" in Outline(text).text) is (left < 2)
    assert 'class="chart"' not in text


def test_one_size_makes_no_chart_and_the_page_says_so() -> None:
    text = Outline(page(Analysis(*small_run(problems=MARKED[:1], sessions=1)))).text
    assert (
        "No chart over sizes: it needs two problems that differ in their length or their heads"
        in text
    )


def test_a_size_that_is_missing_in_between_leaves_a_gap() -> None:
    run, records = small_run(problems=[f"b1 h8 t{t} d64 full fp32 cpu" for t in (128, 256, 512)])
    kept = [r for r in records if (r.implementation, r.problem.key_length) != ("naive", 256)]
    drawn = charts(Analysis(run, kept))[0]
    assert next(each.x for each in drawn.series if each.name == "naive") == (128, 512)
    assert "naive (not reached at 256)" in drawn.note
    assert "not reached" in Outline(page(Analysis(run, kept))).text


def test_the_cause_budget_is_never_shown_as_timed_out() -> None:
    run, records = small_run(problems=MARKED, made=TWO)
    late = MARKED[1]
    kept = [r for r in records if (r.problem, r.implementation) != (late, "other")]
    analysis = Analysis(run, [*kept, over_budget(late, "other")])
    text = page(analysis)
    assert "7 of 8 answers timed, 1 not reached" in Outline(text).text
    assert "other (not reached at 256)" in charts(analysis)[0].note
    assert "timed out" not in text
    assert "timeout" not in Outline(text).text


def test_the_page_names_the_machine_its_figures_are_of(whole: str) -> None:
    said = "Example CPU 9000, 2 cores · 2026-01-02"
    assert said in Outline(whole).text
    run, records = small_run(problems=MARKED[:1])
    text = Outline(page(Analysis(replace(run, machine={}), records))).text
    assert "a machine without recorded facts · 2026" in text


def test_a_filter_is_offered_where_there_is_a_choice(whole: str) -> None:
    def offered(text: str) -> list[str]:
        return re.findall(r'data-facet="\d"><summary>([a-z]+)<', text)

    assert offered(whole) == ["implementation", "mask", "heads"]
    one = small_run(problems=MARKED[:1], made=TWO[:1])
    assert offered(page(Analysis(*one))) == []


def test_every_row_and_column_can_be_filtered(whole: str) -> None:
    tags = Outline(whole).tags
    marks = [each["data-f"] for tag, each in tags if tag == "tr" and "data-f" in each]
    assert len(marks) > 115 + 79
    assert all(mark and re.fullmatch(r"(-?\d+,){5}-?\d+", mark) for mark in marks)
    columns = [each for tag, each in tags if tag == "th" and "data-i" in each]
    assert len(columns) > 10


def test_a_large_run_shows_medians_only_and_says_what_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("reports.outputs.html.page.MOST_DETAILED", 20)
    monkeypatch.setattr("reports.outputs.html.contents.MOST_ANALYSED", 25)
    monkeypatch.setattr("reports.outputs.html.page.MOST_CELLS", 20)
    monkeypatch.setattr("reports.outputs.html.page.MOST_CHARTS", 1)
    monkeypatch.setattr(table_rows, "MOST_ROWS", 7)
    text = page(Analysis(*small_run(problems=MARKED)))
    told = Outline(text).text
    assert "With 26 measurements the charts show medians only, without intervals." in told
    assert "are left out of so large a run." in told
    assert 'id="growth"' not in text
    assert "left out: the first 1 of each kind are here." in told
    assert "The first 7 only: 19 more rows in what `run_bench.py export` writes." in told
    assert "2 more problems in what `run_bench.py export` writes." in told
    assert '"hovers":[]' in text
    assert '"low":[0' not in text
    assert text[text.index('id="all"') : text.index('id="machine"')].count("<tr data-f") == 7


def test_every_part_of_a_page_is_drawn_from_a_section(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reports.outputs.html.contents.sections_of", lambda *_: [by_hand()])
    text = page(Analysis(*small_run(problems=MARKED)))
    own = text[text.index('id="by-hand"') : text.index('id="cannot-tell"')]
    assert '<a href="#by-hand">By hand</a>' in text
    for part in ("A sentence.", 'data-family="winners"', 'data-family="points"', "A caption."):
        assert part in own
    assert "<tr data-f=0,-1,-1,0,-1,-1><th scope=row>naive<td data-v=1.9>1.90" in own
    assert "</summary>python repeat</details>" in own


def test_a_check_says_that_it_takes_no_times() -> None:
    text = Outline(page(Analysis(*small_run(sessions=0)))).text
    assert "This run checks agreement and takes no times." in text
    assert "115 of 180 answers agree" in text


def test_facts_that_a_machine_lacks_are_not_recorded() -> None:
    run, records = small_run()
    text = Outline(page(Analysis(replace(run, machine={}), records))).text
    assert "CPU not recorded" in text
    assert "versions not recorded" in text


def test_a_gpu_is_named_with_what_ran_on_it() -> None:
    problems = [f"b1 h8 t{length} d64 full bf16 cuda" for length in (128, 256)]
    run, records = small_run(problems=problems)
    gpu = {"device": "cuda", "name": "Example GPU", "capability": [9, 0], "memory_bytes": 2**37}
    run = replace(run, machine={**MACHINE, "devices": [gpu]})
    text = Outline(page(Analysis(run, records))).text
    assert "device cuda Example GPU, 128 GiB, compute capability 9.0" in text
    assert "implementations of this run ran on cuda" in text


def test_a_name_cannot_become_part_of_the_page() -> None:
    text = page(Analysis(*hostile_run()))
    scripts = [found for tag, found in Outline(text).tags if tag == "script"]
    assert scripts == [{"type": "application/json", "id": "chart-data"}, {}]
    assert all(found for tag, found in Outline(text).tags if tag == "b")  # ours have a class
    assert "document.title='taken'" in Outline(text).text
    assert "{{ 7*7 }}" in Outline(text).text


def test_a_report_is_a_page_and_its_charts(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    made = reports.write(Analysis(*small_run(problems=MARKED)), folder)
    assert made.page == folder / NAME
    assert [path.name for path in made.charts[:5]] == [
        "fastest_by_length_and_heads.png",
        "time_vs_length.png",
        "memory_vs_length.png",
        "layers_time_vs_length.png",
        "layers_memory_vs_length.png",
    ]
    assert all(path.is_file() for path in made.charts)


def test_a_chart_of_an_earlier_report_does_not_stay(tmp_path: Path) -> None:
    (tmp_path / "time_vs_heads.png").write_bytes(b"old")
    (tmp_path / "mine.png").write_bytes(b"kept")
    drawn = Figure()
    drawn.savefig(tmp_path / "gone.png", metadata={"Software": "attnbench"})
    drawn.savefig(tmp_path / "other.png")
    write(Analysis(*small_run(problems=MARKED[:1])), tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert not left & {"time_vs_heads.png", "gone.png"}
    assert left >= {NAME, "mine.png", "other.png"}


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for attempt in (
        expect_folder,
        lambda folder: write(Analysis(*small_run(problems=MARKED[:1])), folder),
    ):
        with pytest.raises(ValueError, match=r"^the report cannot be written to .*another --out$"):
            attempt(tmp_path / "file")


def test_asking_for_a_folder_makes_none(tmp_path: Path) -> None:
    expect_folder(tmp_path / "not" / "there")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.browser
def test_a_hostile_name_is_shown_as_text(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_text(page(Analysis(*hostile_run())), "utf-8")
    with opened(path) as found:
        draw_all(found)
        assert found.view.title() != "taken"
        legend = found.view.locator(".chart").first.locator(".legendtext").all_text_contents()
        shown = [each.replace("\xa0", " ") for each in legend]
        assert any("<script>document.title='taken'</script>" in each for each in shown), shown
        assert any("&amp;" in each for each in shown), shown
        assert found.complaints == []


@pytest.mark.browser
def test_only_what_is_near_the_window_is_drawn_until_it_is_printed(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_text(small_page(), "utf-8")
    with opened(path, viewport={"width": 1200, "height": 900}) as found:
        found.view.wait_for_selector(".chart .main-svg")
        undrawn = (
            "[...document.querySelectorAll('.chart')]"
            ".filter(each => !each.data && !each.closest('details:not([open])')).length"
        )
        assert found.view.evaluate(undrawn) > 0
        found.view.emulate_media(media="print")
        until(found.view, f"{undrawn} == 0")
        assert not found.view.is_visible("#filters")
        assert not found.view.is_visible("nav")
        assert found.view.is_visible("#machine")


@pytest.mark.browser
def test_the_page_fits_a_narrow_dark_screen(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_text(small_page(), "utf-8")
    with opened(path, viewport={"width": 360, "height": 740}, color_scheme="dark") as found:
        assert not found.view.is_visible("#filters form")
        found.view.click("#filters > summary")
        found.view.click("[data-facet='0'] > summary")
        draw_all(found)
        assert found.view.evaluate("document.documentElement.scrollWidth") <= 360
        assert found.complaints == []


@pytest.mark.browser
def test_a_page_of_five_thousand_records_is_drawn(tmp_path: Path) -> None:
    made = tuple(Entry(name=f"name{place:02}", limits=ANY) for place in range(20))
    problems = [
        f"b1 h{heads} t{length} d64 {mask} fp32 cpu"
        for mask in ("full", "causal")
        for heads in (1, 2, 4, 8, 16)
        for length in (128, 256, 512, 1024, 2048)
    ]
    run, records = small_run(problems=problems, sessions=5, made=made)
    assert sum(bool(record.times_ms) for record in records) == 5000
    path = tmp_path / NAME
    path.write_text(page(Analysis(run, records)), "utf-8")
    assert path.stat().st_size < 7_000_000
    with opened(path, viewport={"width": 1200, "height": 900}) as found:
        draw_all(found)
        lines = "document.querySelector('[data-family=time_vs_length]').data.length"
        assert found.view.evaluate(lines) == 20
        assert found.view.locator("#all tbody tr").count() == 1000
        assert found.complaints == []


def test_long_tables_alone_are_laid_out_late(monkeypatch: pytest.MonkeyPatch) -> None:
    late = 'class="scroll tall late"'
    analysis = Analysis(*small_run())
    assert late not in page(analysis)
    monkeypatch.setattr("reports.outputs.html.templates.LATE", 20)
    assert late in page(analysis)
