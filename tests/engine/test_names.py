"""NAME=SPEC: an implementation under another name, in the catalogue and in sessions."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from impls import name_and_spec
from impls.interface import Problem
from suites.engine import describe
from suites.engine.messages import Listed, Message, Refused
from suites.engine.outcome import resolve_in
from suites.engine.pipe import Sender
from suites.engine.protocol import ListImplementations
from suites.engine.tasks import Tasks
from suites.records.plan import Entry, Plan
from suites.records.store import Run, now
from suites.rerunning import spec_of

PLAIN = """
def attention(q, k, v):
    return {factor} * (q @ k.transpose(-1, -2)).softmax(-1) @ v
"""
PROBLEM = Problem.parse("b1 h2 t8 d4 full fp32 cpu")


class Log(Sender):
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def send(self, message: Message) -> None:
        self.sent.append(message)


@pytest.fixture(autouse=True)
def unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Descriptors that other tests of this process left may close while files are imported."""
    monkeypatch.setattr(describe, "_unchanged", lambda *_: nullcontext())


def listed(*specs: str) -> Message:
    """The message that ends the list of these specs."""
    log = Log()
    describe.list_implementations(
        ListImplementations(specs=specs, without={}, cores=1, cuda_device=""), log
    )
    return log.sent[-1]


def entries(*specs: str) -> dict[str, Entry]:
    found = listed(*specs)
    assert isinstance(found, Listed), found
    return {entry.name: entry for entry in found.entries}


def refusal(*specs: str) -> str:
    found = listed(*specs)
    assert isinstance(found, Refused), found
    return found.reason


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("old=k.py", ("old", "k.py")),
        ("chunked[block_q=128]", ("", "chunked[block_q=128]")),
        ("big=chunked[block_q=128]", ("big", "chunked[block_q=128]")),
        ("./a=b/k.py", ("", "./a=b/k.py")),
        ("multi_head(chunked[block_q=128])", ("", "multi_head(chunked[block_q=128])")),
    ],
)
def test_a_name_precedes_the_first_equals_sign_and_any_bracket(
    text: str, parts: tuple[str, str]
) -> None:
    assert name_and_spec(text) == parts


def test_one_implementation_may_have_several_names() -> None:
    found = entries("a=naive", "b=naive", "naive", "c=chunked[block_q=128]")
    assert list(found) == ["a", "b", "naive", "c"]
    assert [each.spec for each in found.values()] == ["naive", "naive", "", "chunked[block_q=128]"]
    assert found["a"].files == found["naive"].files
    assert [spec_of(each) for each in found.values()] == [
        "a=naive",
        "b=naive",
        "naive",
        "c=chunked[block_q=128]",
    ]


def test_sessions_call_the_implementation_that_a_name_stands_for(tmp_path: Path) -> None:
    files = {factor: tmp_path / str(factor) / "k.py" for factor in (1, 2)}
    for factor, file in files.items():
        file.parent.mkdir()
        file.write_text(PLAIN.format(factor=factor))
    found = entries(f"old={files[1]}", f"new={files[2]}", "b=chunked[block_q=128]")
    plan: dict[str, Any] = {"sessions": 1, "memory_limit": 1 << 30, "threads": (1,)}
    made = Plan(
        suite="s",
        problems=(PROBLEM,),
        entries=tuple(found.values()),
        seed=1,
        round_budget_ms=1,
        **plan,
    )
    run = Run(name="r", started=now(), command="c", plan=made, machine={})
    task = Tasks(run, lambda _: None).check(PROBLEM, list(found))
    resolved = {name: resolve_in(task, name) for name in found}
    assert [Path(resolved[name].file) for name in ("old", "new")] == list(files.values())
    assert str(resolved["b"]) == "chunked[block_q=128]"


def test_a_name_that_is_given_twice_is_refused() -> None:
    assert refusal("a=naive", "a=chunked") == (
        "a=chunked: the name 'a' is given twice; choose another"
    )


def test_the_name_of_another_implementation_is_refused() -> None:
    assert refusal("naive=chunked") == (
        "naive=chunked: 'naive' is the name of an implementation; choose another"
    )


def test_a_name_of_several_implementations_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "two.py"
    file.write_text(PLAIN.format(factor=1) + PLAIN.format(factor=2).replace("attention", "other"))
    assert refusal(f"a={file}") == (
        f"a={file} names 2 implementations: attention, other; expected one"
    )
