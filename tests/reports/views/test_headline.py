"""The head of a report: title, faults, preamble."""

from __future__ import annotations

from dataclasses import replace

from reports.analysis.run_analysis import Analysis
from reports.views.headline import faults, preamble, title
from tests.saved_run import small_run, two


def test_one_problem_is_named_with_what_was_compared_on_it() -> None:
    run, records = two(1.3, named=("other",), baseline="base")
    assert title(Analysis(run, records)) == "other against base, b1 h8 t256 d64 full fp32 cpu"
    for baseline in ("", "base"):
        plain, records = two(1.3, baseline=baseline)
        assert title(Analysis(plain, records)).startswith("base and other, b1 h8 t256")


def test_a_suite_is_named_with_its_problems() -> None:
    said = title(Analysis(*small_run()))
    assert said == "9 implementations on the suite quick: 18 problems (b1 d64 fp32 cpu)"


def test_faults_come_with_their_cause_and_cure() -> None:
    run, records = small_run()
    cured = [
        replace(each, cure="line 3: read key 16") if each.implementation == "off_by_one" else each
        for each in records
    ]
    (fault,) = faults(Analysis(run, cured))
    assert fault.said == "off_by_one is wrong on b1 h8 t128 d64 full fp32 cpu and 17 more problems"
    assert fault.why.startswith("out: 41 times what rounding explains")
    assert fault.cure == "line 3: read key 16"
    assert faults(Analysis(*two(1.3))) == []


def test_the_preamble_is_one_line_of_machine_date_count_and_noise() -> None:
    run, records = two(1.3)
    said = preamble(Analysis(run, records))
    parts = said.split(" · ")
    assert parts[:3] == [
        "Example CPU 9000, 2 cores",
        "2026-01-02",
        "2 of 2 answers timed in 5 sessions",
    ]
    assert "dentical code" in parts[3]
    assert "\n" not in said


def test_the_preamble_names_the_gpu_of_the_problems_first() -> None:
    run, records = two(1.3)
    machine = {**run.machine, "devices": [{"device": "cuda", "name": "Example GPU"}]}
    on_cpu = replace(run, machine=machine)
    assert "Example GPU" not in preamble(Analysis(on_cpu, records))
    plan = replace(
        run.plan, problems=tuple(replace(each, device="cuda") for each in run.plan.problems)
    )
    said = preamble(Analysis(replace(on_cpu, plan=plan), []))
    assert said.startswith("Example GPU · Example CPU 9000, 2 cores · 2026-01-02")


def test_a_run_without_times_says_how_much_agrees() -> None:
    said = preamble(Analysis(*small_run(sessions=0)))
    assert "answers agree, no times taken" in said
