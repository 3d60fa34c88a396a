from __future__ import annotations

import json
import os

import pytest
from suites.engine.messages import GarbledError, Receiver, Sender, one_line


def test_what_is_sent_arrives_however_the_bytes_are_cut() -> None:
    read, write = os.pipe()
    sender = Sender(write)
    sender.send("begin", problem="p", implementation="naïve\nname")
    sender.send("answered")
    data = os.read(read, 1 << 16)
    os.close(read)
    os.close(write)
    receiver = Receiver()
    got = [message for byte in data for message in receiver.feed(bytes([byte]))]
    assert got == [
        {"kind": "begin", "problem": "p", "implementation": "naïve\nname"},
        {"kind": "answered"},
    ]


def test_half_a_message_is_kept_until_its_end_comes() -> None:
    receiver = Receiver()
    assert list(receiver.feed(b'{"kind": ')) == []
    assert list(receiver.feed(b'"rest"}\n')) == [{"kind": "rest"}]


@pytest.mark.parametrize("line", [b"hello\n", b"[]\n", b'{"no": "kind"}\n', b"\xff\xfe\n"])
def test_anything_else_is_garbled(line: bytes) -> None:
    with pytest.raises(GarbledError):
        list(Receiver().feed(line))


def test_a_line_without_end_is_garbled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("suites.engine.messages.MOST_BYTES", 10)
    with pytest.raises(GarbledError, match="without an end"):
        list(Receiver().feed(b"x" * 11))


def test_a_process_forked_off_by_an_implementation_sends_nothing() -> None:
    read, write = os.pipe()
    sender = Sender(write)
    pid = os.fork()
    if pid == 0:
        sender.send("record")
        os._exit(7)  # not reached: sending ended the process
    _, status = os.waitpid(pid, 0)
    sender.send("answered")
    data = os.read(read, 1 << 16)
    os.close(read)
    os.close(write)
    assert os.waitstatus_to_exitcode(status) == 0
    assert json.loads(data) == {"kind": "answered"}


def test_the_words_of_others_become_one_line_that_any_terminal_shows() -> None:
    assert one_line("\x1b[1;31mred\x1b[0m\n\tand \x07 \ud800 blue\u202e") == "red and blue"
    assert len(one_line("x" * 10**6)) == 300
    assert one_line("a b c", most=3) == "a b"
