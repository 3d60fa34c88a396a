"""The lines of JSON of a run while it goes on."""

from __future__ import annotations

import io
import json
import math
from typing import Any

import pytest

from reports.analysis.run_analysis import Analysis
from reports.outputs.export.json_data import of_run
from reports.outputs.export.json_lines import KINDS, Stream
from suites.engine.conductor import Conductor
from suites.records.codec import from_json
from suites.records.record import Agreement, Record, TensorError
from suites.records.store import Run as StoredRun
from suites.records.store import Store, now
from tests.records.fake_run import NAME, PLAN, Pool
from tests.saved_run import PROBLEMS, small_run


class Kept(io.StringIO):
    """Standard output that counts how often it was handed on."""

    flushed = 0

    def flush(self) -> None:
        self.flushed += 1


def lines(kept: Kept) -> list[dict[str, Any]]:
    return [json.loads(line, parse_constant=pytest.fail) for line in kept.getvalue().splitlines()]


def test_every_record_is_a_line_in_the_order_of_the_store_and_can_be_read_back() -> None:
    kept, store = Kept(), Store.open("sqlite://")
    run = StoredRun(name=NAME, started=now(), command="fakes", plan=PLAN)
    store.begin(run)
    Conductor(run=run, store=store, listener=Stream(kept), pool=Pool()).conduct()
    told = lines(kept)
    assert {line.pop("kind") for line in told} == {"record"}
    assert [from_json(Record, json.dumps(line)) for line in told] == store.records(NAME)
    assert kept.flushed == len(told)  # a reader waits for no line that was written


def test_the_last_line_is_the_run_as_report_prints_it() -> None:
    kept, analysis = Kept(), Analysis(*small_run(problems=PROBLEMS[:1]))
    Stream(kept).run(of_run(analysis))
    (line,) = lines(kept)
    assert line.pop("kind") == KINDS[-1]
    assert line == json.loads(json.dumps(of_run(analysis)))


def test_what_is_no_number_is_null_in_a_line() -> None:
    error = TensorError(
        tensor="out", rms_share=math.nan, worst_share=math.inf, relative_rms=0.1, max_error=0.1
    )
    record = Record(
        session=0,
        problem=PROBLEMS[0],
        implementation="one",
        status="wrong",
        cause="wrong_output",
        reason="a\nb",
        agreement=Agreement(tensors=(error,)),
    )
    kept = Kept()
    Stream(kept).record(record)
    (line,) = lines(kept)
    (told,) = line["agreement"]["tensors"]
    assert (told["rms_share"], told["worst_share"]) == (None, "inf")
    assert line["reason"] == "a\nb"
