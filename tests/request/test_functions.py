"""Functions as implementations of a run: by their file, or by a new file that holds them."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import impls
from impls.interface import Limits, implementation
from suites.request import functions
from suites.request.functions import importable, specs


def plain(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return torch.softmax(q @ k.mT * q.shape[-1] ** -0.5, -1) @ v


@implementation(Limits(masks=("full",)))
def decorated(q: Tensor, k: Tensor, v: Tensor, *, mask: Any, scale: float) -> Tensor:
    del mask
    return torch.softmax(q @ k.mT * scale, -1) @ v


def loaded(spec: str) -> Any:
    """The description of a spec by a session."""
    return impls.select([impls.name_and_spec(spec)[1]], {})[0]


def test_names_are_left_as_they_are(tmp_path: Path) -> None:
    assert specs("sdpa_flash", tmp_path) == ["sdpa_flash"]
    assert specs(["sdpa_flash", "my.py:f"], tmp_path) == ["sdpa_flash", "my.py:f"]
    given = {"flash": "sdpa_flash", "naive": "naive"}
    assert specs(given, tmp_path) == ["flash=sdpa_flash", "naive"]
    assert list(tmp_path.iterdir()) == []


def test_a_function_of_a_file_is_given_by_its_file(tmp_path: Path) -> None:
    assert specs({"mine": plain}, tmp_path) == [f"mine={__file__}:plain"]
    assert specs([plain, decorated], tmp_path) == [
        f"plain={__file__}:plain",
        f"decorated={__file__}:decorated",
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_lambda_and_a_closure_get_a_file_that_computes_the_same(tmp_path: Path) -> None:
    table = torch.full((1,), 0.5)

    def closure(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return table * plain(q, k, v)

    spec, other = specs({"a-b": closure, "half": lambda q, k, v: plain(q, k, v) / 2}, tmp_path)
    file, _, name = spec.removeprefix("a-b=").rpartition(":")
    assert name == "a_b"
    assert "# " in Path(file).read_text()
    assert "return table * plain(q, k, v)" in Path(file).read_text()
    q = torch.randn(1, 2, 4, 8)
    expected = 0.5 * plain(q, q, q)
    for each in (spec, other):
        torch.testing.assert_close(loaded(each).function(q, q, q), expected)


def test_a_decorated_function_without_a_file_keeps_its_limits(tmp_path: Path) -> None:
    @implementation(Limits(masks=("full",), dtypes=("float32",)))
    def mine(q: Tensor, k: Tensor, v: Tensor, *, mask: Any, scale: float) -> Tensor:
        del mask, scale
        return plain(q, k, v)

    (spec,) = specs([mine], tmp_path)
    assert spec.startswith(f"mine={tmp_path}")
    assert loaded(spec).limits == mine.limits


def test_equal_functions_have_one_file(tmp_path: Path) -> None:
    def made(part: float) -> Any:
        return lambda q, k, v: part * plain(q, k, v)

    assert specs({"f": made(0.5)}, tmp_path) == specs({"f": made(0.5)}, tmp_path)
    assert specs({"f": made(0.5)}, tmp_path) != specs({"f": made(0.25)}, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_what_cannot_be_pickled_is_refused_with_the_cure(tmp_path: Path) -> None:
    lock = threading.Lock()

    def locked(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        with lock:
            return plain(q, k, v)

    with pytest.raises(ValueError, match="locked cannot be sent") as raised:
        specs([locked], tmp_path)
    assert str(raised.value) == (
        "locked cannot be sent to a fresh process (cannot pickle '_thread.lock' object): put it "
        "into a file, and give 'my_file.py:locked' instead of the function"
    )


def test_a_function_that_holds_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(functions, "MOST_BYTES", 1 << 20)
    large = torch.zeros(1 << 19)
    with pytest.raises(ValueError, match="f holds 2 MiB, and at most 1 are sent to a fresh"):
        specs({"f": lambda q, k, v: plain(q, k, v) + large.sum()}, tmp_path)


def test_without_cloudpickle_the_line_that_installs_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    with pytest.raises(ValueError, match="python -m pip install cloudpickle, or put it into a"):
        specs({"f": lambda q, k, v: plain(v, k, q)}, tmp_path)
    assert specs({"f": plain}, tmp_path) == [f"f={__file__}:plain"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "no implementation; expected some, as {'mine': my_function}"),
        ({"mine": 3}, "mine is int; expected a function or name"),
        ([None], "an implementation is NoneType; expected a function or name"),
    ],
)
def test_what_is_no_implementation_is_refused(tmp_path: Path, given: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said.partition("{")[0]) as raised:
        specs(given, tmp_path)
    assert str(raised.value) == said


def test_sessions_find_the_modules_of_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path), str(tmp_path / "gone")])
    monkeypatch.setenv("PYTHONPATH", "/first")
    with importable():
        found = os.environ["PYTHONPATH"].split(os.pathsep)
        assert found[0] == "/first"
        assert str(tmp_path) in found
        assert str(tmp_path / "gone") not in found
        assert not any(each.startswith(sys.prefix) for each in found)
    assert os.environ["PYTHONPATH"] == "/first"
    monkeypatch.delenv("PYTHONPATH")
    with importable():
        assert str(tmp_path) in os.environ["PYTHONPATH"]
    assert "PYTHONPATH" not in os.environ
