"""Tasks and messages: typed values that pass through pipes as whole lines."""

from __future__ import annotations

import math
import os
import types
from collections.abc import Iterable
from dataclasses import fields
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impls.interface import Limits, Problem
from suites.engine.messages import MESSAGE, Answered, Begin, Made, Message, Rest, TakeTurns
from suites.engine.pipe import PipeError, Receiver, Sender, decoded, encoded, one_line
from suites.engine.protocol import Calibrate, Check, Measure, Task
from suites.records.codec import to_json
from suites.records.record import CAUSES, Agreement, Record, Status, TensorError

WORDS: Final = st.text(max_size=9)
COUNTS: Final = st.integers(0, 2**63 - 1)
MS: Final = st.floats(0, allow_nan=False, allow_infinity=False)
PROBLEMS: Final = st.builds(
    Problem,
    batch=st.integers(1, 9),
    query_length=st.integers(1, 9999),
    training=st.booleans(),
    softcap=st.none() | st.floats(0.1, 99.0),
)


@st.composite
def records(draw: st.DrawFn) -> Record:
    status: Status = draw(st.sampled_from(tuple(CAUSES)))
    ok = status == "ok"
    return Record(
        session=1 if ok else draw(COUNTS),
        problem=draw(PROBLEMS),
        implementation=draw(WORDS),
        status=status,
        cause=draw(st.sampled_from(CAUSES[status])),
        reason="" if ok else draw(st.text(min_size=1)),
        times_ms=draw(st.lists(MS, min_size=1).map(tuple)) if ok else (),
        agreement=draw(st.none() | st.just(Agreement(readout=True))),
        peak_bytes=draw(st.none() | COUNTS),
    )


KNOWN: Final[dict[Any, st.SearchStrategy[Any]]] = {
    Problem: PROBLEMS,
    Record: records(),
    Limits: st.builds(Limits, softcap=st.booleans(), head_dims=st.just(range(8, 257, 8))),
    Any: st.none() | st.booleans() | COUNTS | MS | WORDS | st.lists(WORDS, max_size=2),
    int: COUNTS,
    float: MS,
    str: WORDS,
    bool: st.booleans(),
    types.NoneType: st.none(),
}
"""Values by type, where the type alone does not say which make sense."""


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a type that tasks and messages have among their fields."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return values_of(parts[0])
    if kind in KNOWN:
        return KNOWN[kind]
    if origin is Literal:
        return st.sampled_from(parts)
    if origin in (Union, types.UnionType):
        return st.one_of(list(map(values_of, parts)))
    if origin is dict:
        return st.dictionaries(*map(values_of, parts), max_size=2)
    if origin is tuple and Ellipsis not in parts:
        return st.tuples(*map(values_of, parts))
    if origin in (list, tuple):
        return st.lists(values_of(parts[0]), max_size=2).map(origin)
    hints = get_type_hints(kind, include_extras=True)
    return st.builds(kind, **{each.name: values_of(hints[each.name]) for each in fields(kind)})


@settings(deadline=None)
@given(values_of(Task))
def test_a_task_that_was_sent_arrives_as_it_was(task: Task) -> None:
    line = encoded(task)
    assert line.count(b"\n") == 1
    assert decoded(line.decode()) == task


@settings(deadline=None)
@given(values_of(Message))
def test_a_message_that_was_sent_arrives_as_it_was(message: Message) -> None:
    line = to_json(message, MESSAGE).encode() + b"\n"
    assert line.count(b"\n") == 1
    assert list(Receiver().feed(line)) == [message]


def test_every_kind_of_task_and_message_has_a_tag_of_its_own() -> None:
    for union, tag in ((Task, "task"), (Message, "kind")):
        every = [each for kind in get_args(union) for each in fields(kind)]
        tags = [each.default for each in every if each.name == tag]
        assert len(tags) == len(get_args(union))
        assert len(set(tags)) == len(tags)
    assert issubclass(Calibrate, Measure)
    assert not issubclass(Measure, Check)


def sent(*messages: Message) -> bytes:
    """The bytes of messages that went through a pipe."""
    read, write = os.pipe()
    sender = Sender(write)
    for message in messages:
        sender.send(message)
    data = os.read(read, 1 << 16)
    os.close(read)
    os.close(write)
    return data


def received(chunks: Iterable[bytes]) -> list[Message]:
    receiver = Receiver()
    return [message for chunk in chunks for message in receiver.feed(chunk)]


def test_messages_arrive_however_the_bytes_are_cut() -> None:
    begin = Begin(problem=Problem(), implementation="naïve\nname")
    data = sent(begin, Answered())
    assert received(bytes([byte]) for byte in data) == [begin, Answered()]


def test_half_a_message_is_kept_until_its_end_arrives() -> None:
    receiver = Receiver()
    assert list(receiver.feed(b'{"kind": ')) == []
    assert list(receiver.feed(b'"rest"}\n')) == [Rest()]


@pytest.mark.parametrize(
    "line",
    [
        b"hello\n",
        b"\n",
        b"[]\n",
        b"null\n",
        b'{"no": "kind"}\n',
        b'{"kind": "unknown"}\n',
        b'{"kind": ["rest"]}\n',
        b'{"kind": "rest", "surprise": 1}\n',
        b'{"kind": "begin", "implementation": "a"}\n',
        b'{"kind": "begin", "implementation": "a", "problem": "t8 t9"}\n',
        b'{"kind": "begin", "implementation": "a", "problem": 8}\n',
        b'{"kind": "begin", "implementation": 1, "problem": null}\n',
        b'{"kind": "record", "record": {}}\n',
        b'{"kind": "record", "record": {"session": 0, "problem": "t8", "implementation": "a"}}\n',
        b"\xff\xfe\n",
        b"[" * 100_000 + b"\n",
    ],
    ids=lambda line: repr(line[:90]),
)
def test_a_line_that_is_not_a_message_is_an_error_on_one_line(line: bytes) -> None:
    with pytest.raises(PipeError, match=r"^a line that is not a message: ") as caught:
        list(Receiver().feed(line))
    assert "\n" not in str(caught.value)


def test_a_line_that_does_not_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("suites.engine.pipe.MOST_BYTES", 10)
    with pytest.raises(PipeError, match=r"^a line of more than 10 bytes"):
        list(Receiver().feed(b"x" * 11))


def test_a_process_that_an_implementation_forked_sends_no_message() -> None:
    read, write = os.pipe()
    sender = Sender(write)
    pid = os.fork()
    if pid == 0:
        sender.send(Rest())
        os._exit(7)  # not reached: sending ends the process
    _, status = os.waitpid(pid, 0)
    sender.send(Answered())
    data = os.read(read, 1 << 16)
    os.close(read)
    os.close(write)
    assert os.waitstatus_to_exitcode(status) == 0
    assert received([data]) == [Answered()]


def test_a_process_that_an_implementation_forked_takes_no_turn() -> None:
    shared = bytearray(2)
    read, write = os.pipe()
    turns = Sender(write, shared).turns(TakeTurns(problem=Problem(), implementations=("a", "b")))
    pid = os.fork()
    if pid == 0:
        turns.announce(1)
        os._exit(7)  # not reached: announcing ends the process
    _, status = os.waitpid(pid, 0)
    turns.announce(0)
    os.close(read)
    os.close(write)
    assert os.waitstatus_to_exitcode(status) == 0
    assert (shared, turns.latest) == (bytearray([1, 0]), 0)


def test_text_of_other_programs_becomes_one_line_that_any_terminal_shows() -> None:
    assert one_line("\x1b[1;31mred\x1b[0m\n\tand \x07 \ud800 blue\u202e") == "red and blue"
    assert len(one_line("x" * 10**6)) == 300
    assert one_line("a b c", most=3) == "a b"


def test_infinite_errors_and_nan_reach_the_parent() -> None:
    error = TensorError(
        tensor="out", rms_share=2.0, worst_share=math.inf, relative_rms=math.nan, max_error=1.0
    )
    record = Record(
        session=0,
        problem=Problem(),
        implementation="a",
        status="wrong",
        cause="wrong_output",
        reason="off",
        agreement=Agreement(tensors=(error,)),
    )
    line = to_json(Made(record=record), MESSAGE).encode() + b"\n"
    (received,) = Receiver().feed(line)
    assert isinstance(received, Made)
    assert received.record.agreement is not None
    (found,) = received.record.agreement.tensors
    assert (found.worst_share, math.isnan(found.relative_rms)) == (math.inf, True)
