"""The tasks Check and Measure of a problem in a model, in the process of the test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from impls.interface import Problem
from suites.engine import model_check, timed_rounds
from suites.engine.messages import Made, Message
from suites.engine.pipe import Sender
from suites.engine.protocol import Check, Measure
from suites.records.record import CHECK, Record
from suites.records.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
IMPLS = Path(__file__).parents[2] / "impls"
LLAMA = Problem.parse("b1 h2/1 t16 d8 causal model:llama")
TRAINED = Problem.parse("b2 h2 t16 d8 padding:0.75 train model:bert")
OWN = '''
import torch


def later_keys(q, k, v, *, mask, scale):
    """Attention to the keys one place further on."""
    k, v = (x.roll(1, 2).repeat_interleave(q.shape[1] // k.shape[1], 1) for x in (k, v))
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale)
'''


class Log(Sender):
    """Keeps the records instead of sending them."""

    def __init__(self) -> None:
        super().__init__(-1)
        self.records: dict[str, Record] = {}

    def send(self, message: Message) -> None:
        if isinstance(message, Made):
            self.records[message.record.implementation] = message.record


def fields(problem: Problem, *names: str, own: Path | None = None) -> dict[str, Any]:
    files = {name: {name: str(own or IMPLS / f"{name.partition('_')[0]}.py")} for name in names}
    if own is None and "local_window" in names:
        files["local_window"] = {"local_window": str(IMPLS / "local_window.py")}
    return {
        "problem": problem,
        "implementations": names,
        "files": files,
        "seed": 3,
        "settings": Settings(sessions=1, memory_limit=1 << 40, threads=(2,)),
    }


def checked(problem: Problem, *names: str, own: Path | None = None) -> dict[str, Record]:
    log = Log()
    model_check.check(Check(session=CHECK, **fields(problem, *names, own=own)), log)
    return log.records


@pytest.mark.parametrize("problem", [LLAMA, TRAINED], ids=str)
def test_implementations_that_keep_the_answers_agree(problem: Problem) -> None:
    for name, record in checked(problem, "naive", "chunked").items():
        assert record.status == "ok", record.reason
        assert record.peak_bytes, name
        assert record.agreement
        tensors = [each.tensor for each in record.agreement.tensors]
        assert tensors == (["out", "parameters"] if problem.training else ["out"])
        assert 0 < (record.agreement.share or 0) <= 1


def test_a_wrong_implementation_changes_the_answer(tmp_path: Path) -> None:
    (own := tmp_path / "own.py").write_text(OWN)
    record = checked(LLAMA, "later_keys", own=own)["later_keys"]
    assert (record.status, record.cause) == ("wrong", "wrong_output")
    assert "the answer of the model errs by" in record.reason


def test_a_layer_that_is_refused_is_named_with_its_problem_and_the_reasons() -> None:
    record = checked(LLAMA, "local_window")["local_window"]
    assert (record.status, record.cause) == ("refused", "limits")
    assert record.reason.startswith("model.layers.0.self_attn: local_window refuses b1 h2/1 t16")


@pytest.mark.parametrize("problem", [LLAMA, TRAINED], ids=str)
def test_steps_are_timed_in_rounds_with_their_attention(problem: Problem) -> None:
    log = Log()
    task = Measure(
        session=1,
        **fields(problem, "naive", "chunked"),
        round_budget_ms=1_000.0,
        threads=2,
        twin_of="naive",
    )
    timed_rounds.measure(task, log)
    for name, record in log.records.items():
        assert record.status == "ok", record.reason
        assert len(record.times_ms) >= 2
        assert (record.twin_ms != ()) == (name == "naive")
        found = record.in_model
        assert found
        assert len(found.layers) == 2
        assert all((each.backward_ms is not None) == problem.training for each in found.layers)
        assert 0 < found.attention_ms < found.step_ms
    assert len(log.records) == 2
