"""Parts of the page: one file each, found without a list."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from reports.analysis.run_analysis import Analysis
from reports.outputs.html.page import page
from reports.views import parts
from tests.saved_run import PROBLEMS, small_run

PART = """
from reports.views.sections import Section

ORDER = 1.5


def section(analysis):
    return Section(id="counts", heading="Counts", sentences=(f"{len(analysis.records)} records.",))
"""


@pytest.fixture
def new_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "counts.py").write_text(PART)
    monkeypatch.setattr(parts, "__path__", [*parts.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "reports.views.parts.counts", raising=False)


@pytest.mark.usefixtures("new_part")
def test_a_new_file_is_a_part_of_the_page_at_its_place() -> None:
    analysis = Analysis(*small_run())
    assert [each.id for each in parts.sections(analysis)][:3] == ["growth", "counts", "crossovers"]
    text = page(analysis)
    assert f"<p>{len(analysis.records)} records.</p>" in text
    assert '<a href="#counts">Counts</a>' in text


def test_a_part_without_anything_to_show_is_left_out() -> None:
    run, records = small_run(problems=PROBLEMS[:1], sessions=0)
    assert parts.sections(Analysis(run, records)) == []
