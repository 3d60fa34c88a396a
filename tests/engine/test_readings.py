"""Readings: small trials choose what a mask parameter means and in which layout tensors are."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from impls.interface import Problem
from suites.engine import readings
from suites.engine.messages import ReadingsChosen
from suites.engine.protocol import ChooseReadings
from suites.engine.readings import choose_readings

HEAD = """
import math
import torch
import torch.nn.functional as F


def dense(q, k, v, hidden):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if hidden is not None:
        scores = scores.masked_fill(hidden, float("-inf"))
    return scores.softmax(-1) @ v


"""
CASES: dict[str, tuple[str, tuple[str, str, bool]]] = {
    "the tutorial's, visible where not 0": (
        (
            "def ATTENTION(q, k, v, mask=None):\n"
            "    return dense(q, k, v, None if mask is None else mask == 0)"
        ),
        ("visible", "bhtd", False),
    ),
    "hidden where True": (
        "def ATTENTION(q, k, v, mask=None): return dense(q, k, v, mask)",
        ("hidden", "bhtd", False),
    ),
    "numbers": (
        (
            "def ATTENTION(q, k, v, mask=None):\n"
            "    return dense(q, k, v, None if mask is None else (1 - mask).bool())"
        ),
        ("numbers", "bhtd", False),
    ),
    "added": (
        (
            "def ATTENTION(q, k, v, mask=None):\n"
            "    scores = q @ k.mT / math.sqrt(q.shape[-1]) + (0 if mask is None else mask)\n"
            "    return scores.softmax(-1) @ v"
        ),
        ("added", "bhtd", False),
    ),
    "two dimensions": (
        (
            "def ATTENTION(q, k, v, mask=None):\n"
            "    assert mask is None or mask.dim() == 2\n"
            "    return dense(q, k, v, None if mask is None else ~mask)"
        ),
        ("visible", "bhtd", False),
    ),
    "three dimensions of a mask": (
        (
            "def ATTENTION(q, k, v, d_k, mask=None, dropout=None):\n"
            "    return dense(q, k, v, None if mask is None else mask.unsqueeze(1) == 0)"
        ),
        ("visible", "bhtd", False),
    ),
    "values first": (
        "def ATTENTION(value, key, query, mask): return dense(query, key, value, mask == 0)",
        ("visible", "bhtd", False),
    ),
    "three dimensions, with weights": (
        (
            "def ATTENTION(q, k, v):\n"
            "    weights = (torch.bmm(q, k.mT) / math.sqrt(q.shape[-1])).softmax(-1)\n"
            "    return torch.bmm(weights, v), weights"
        ),
        ("", "folded", True),
    ),
    "a mask that is viewed in three dimensions": (
        (
            "def ATTENTION(q, k, v, mask=None):\n"
            "    scores = torch.bmm(q, k.mT) / math.sqrt(q.shape[-1])\n"
            "    if mask is not None: scores = scores.masked_fill(mask.view(scores.shape), -1e9)\n"
            "    return torch.bmm(scores.softmax(-1), v)"
        ),
        ("hidden", "folded", False),
    ),
    "a module first, out as [B, T, H, D]": (
        (
            "def ATTENTION(module, query, key, value, attention_mask, scaling, **kwargs):\n"
            "    groups = module.num_key_value_groups\n"
            "    key, value = (x.repeat_interleave(groups, 1) for x in (key, value))\n"
            "    scores = query @ key.mT * scaling + attention_mask\n"
            "    return (scores.softmax(-1) @ value).transpose(1, 2).contiguous(), scores"
        ),
        ("added", "bhtd-bthd", True),
    ),
    "the contract's Mask": (
        (
            "def ATTENTION(q, k, v, *, mask, scale):\n"
            "    hidden = ~mask.dense(len(q), q.shape[2], k.shape[2], q.device)\n"
            "    return dense(q, k, v, hidden)"
        ),
        ("Mask", "bhtd", False),
    ),
    "torch's": (
        "from torch.nn.functional import scaled_dot_product_attention as ATTENTION",
        ("visible", "bhtd", False),
    ),
    "length before heads": (
        (
            "def ATTENTION(q, k, v, causal=False):\n"
            "    q, k, v = (x.transpose(1, 2) for x in (q, k, v))\n"
            "    out = F.scaled_dot_product_attention(q, k, v, is_causal=causal)\n"
            "    return out.transpose(1, 2)"
        ),
        ("", "bthd", False),
    ),
    "the output alone transposed, with weights": (
        (
            "def ATTENTION(q, k, v, causal=False):\n"
            "    out = F.scaled_dot_product_attention(q, k, v, is_causal=causal)\n"
            "    return out.transpose(1, 2), None"
        ),
        ("", "bhtd-bthd", True),
    ),
    "three dimensions": (
        (
            "def ATTENTION(q, k, v, mask=None):\n"
            "    scores = torch.bmm(q, k.transpose(1, 2)) / math.sqrt(q.shape[-1])\n"
            "    if mask is not None: scores = scores.masked_fill(mask, -1e9)\n"
            "    return torch.bmm(scores.softmax(-1), v)"
        ),
        ("hidden", "folded", False),
    ),
}
CAUSAL = ("b1 h4 t128 d32", "b1 h4 t128 d32 causal")


class Sent:
    """Keeps the messages of a task."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    def send(self, message: Any) -> None:
        self.messages.append(message)


def chosen(tmp_path: Path, source: str, *problems: str) -> ReadingsChosen:
    path = tmp_path / f"mine_{len(list(tmp_path.iterdir()))}.py"  # a module is imported once
    path.write_text(HEAD + dedent(source).replace("ATTENTION", "attention"))
    task = ChooseReadings(
        implementation="attention",
        files={"attention": str(path)},
        problems=tuple(map(Problem.parse, problems or CAUSAL)),
        seed=3,
    )
    sent: Any = Sent()
    choose_readings(task, sent)
    made = sent.messages[-1]
    assert isinstance(made, ReadingsChosen)
    return made


@pytest.mark.parametrize("case", CASES)
def test_the_reading_that_is_right_is_chosen(case: str, tmp_path: Path) -> None:
    source, (meaning, layout, first) = CASES[case]
    window = "b1 h4 t128 d32 window:32"
    made = chosen(tmp_path, source, *CAUSAL, *([window] if meaning else []))
    reading = made.readings["attention"]
    assert (reading.meaning, reading.layout, reading.first) == (meaning, layout, first)
    assert made.doubt == ""


def test_a_function_without_a_mask_parameter_is_limited_to_the_masks_it_computes(
    tmp_path: Path,
) -> None:
    full = chosen(tmp_path, "def ATTENTION(q, k, v): return dense(q, k, v, None)")
    assert [each.masks for each in full.limits] == [("full",)]
    source = (
        "def ATTENTION(q, k, v): return F.scaled_dot_product_attention(q, k, v, is_causal=True)"
    )
    causal = chosen(tmp_path, source)
    assert [each.masks for each in causal.limits] == [("causal",)]


def test_a_mask_of_its_own_beside_a_parameter_for_padding_is_a_limit(tmp_path: Path) -> None:
    source = """
        def ATTENTION(q, k, v, mask=None):
            assert mask is None or mask.dim() == 1, "padding"
            return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    """
    made = chosen(tmp_path, source, *CAUSAL)
    assert made.readings["attention"].meaning == ""
    assert [each.masks for each in made.limits] == [("causal",)]


def test_a_window_of_its_own_beside_a_parameter_for_another_is_kept(tmp_path: Path) -> None:
    source = """
        def ATTENTION(q, k, v, mask=None, window_size=None):
            assert mask is None and window_size is None, "its own window"
            i = torch.arange(q.shape[2])
            distance = i[:, None] - i
            return dense(q, k, v, (distance < 0) | (distance >= 33))
    """
    made = chosen(tmp_path, source, "b1 h4 t256 d32 window:33")
    reading = made.readings["attention"]
    assert (reading.meaning, reading.window, made.doubt) == ("", "", "")
    assert [each.masks for each in made.limits] == [("window",)]


def test_a_function_without_a_scale_parameter_is_limited_to_the_scale_it_computes(
    tmp_path: Path,
) -> None:
    usual = chosen(tmp_path, "def ATTENTION(q, k, v): return dense(q, k, v, None)", "h2 t64 d32")
    assert not usual.limits[0].own_scale
    unscaled = "def ATTENTION(q, k, v): return (q @ k.mT).softmax(-1) @ v"
    assert chosen(tmp_path, unscaled, "h2 t64 d32 scale1.0").limits[0].own_scale


def test_a_size_that_raises_is_followed_by_larger_ones(tmp_path: Path) -> None:
    source = """
        def ATTENTION(q, k, v, mask=None):
            assert q.shape[2] % 64 == 0, "T % 64"
            return dense(q, k, v, mask)
    """
    made = chosen(tmp_path, source, "b1 h4 t256 d32 causal")
    assert made.readings["attention"].meaning == "hidden"


def test_a_function_that_raises_everywhere_cannot_be_called_and_says_why(tmp_path: Path) -> None:
    made = chosen(tmp_path, "def ATTENTION(q, k, v): raise RuntimeError('no kernel')")
    assert made.cannot_be_called
    assert "RuntimeError: no kernel" in made.doubt


def test_a_function_of_numpy_arrays_is_refused_as_one(tmp_path: Path) -> None:
    path = tmp_path / "arrays.py"
    path.write_text("import numpy as np\ndef attention(q, k, v): return np.matmul(q, k.T.copy())")
    task = ChooseReadings(
        implementation="attention",
        files={"attention": str(path)},
        problems=(Problem.parse(CAUSAL[0]),),
        seed=3,
    )
    sent: Any = Sent()
    choose_readings(task, sent)
    assert "its file uses numpy and no torch: convert q, k, v and out" in sent.messages[-1].doubt


def test_readings_of_a_slow_function_are_tried_for_a_limited_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readings, "TRIALS_S", 0.0)
    source, _ = CASES["hidden where True"]
    made = chosen(tmp_path, source, CAUSAL[1])
    assert made.readings["attention"].meaning == "visible"
    assert made.doubt.count("off by") == 1


def test_a_fault_of_all_readings_is_given_once(tmp_path: Path) -> None:
    source = "def ATTENTION(q, k, v, mask=None): raise RuntimeError('no kernel')"
    doubt = chosen(tmp_path, source).doubt
    assert doubt.startswith("it cannot be called: RuntimeError: no kernel")
    assert doubt.count("no kernel") == 1


def test_a_reading_that_returns_is_preferred_to_one_that_raises(tmp_path: Path) -> None:
    source = """
        def ATTENTION(q, k, v):
            assert q.dim() == 3, "one head"
            return q
    """
    made = chosen(tmp_path, source)
    assert made.readings["attention"].layout == "folded"
    assert "if it computes another function, state its reference=" in made.doubt


def test_a_missing_import_is_named_with_its_line(tmp_path: Path) -> None:
    made = chosen(tmp_path, "def ATTENTION(q, k, v, mask=None):\n    return np.exp(q)")
    assert made.cannot_be_called
    line = len((tmp_path / "mine_0.py").read_text().splitlines())
    assert f"line {line} uses np: add import numpy as np" in made.doubt
    assert made.doubt.startswith("it cannot be called: NameError")


def test_where_no_reading_is_right_the_results_are_given(tmp_path: Path) -> None:
    made = chosen(tmp_path, "def ATTENTION(q, k, v, mask=None): return q", CAUSAL[1])
    assert not made.cannot_be_called
    assert "no reading of its parameters is right" in made.doubt
    assert "True = visible" in made.doubt
    assert made.readings["attention"].meaning == "visible"


def test_what_a_function_changes_is_restored_after_the_trials(tmp_path: Path) -> None:
    import torch

    source = "def ATTENTION(q, k, v):\n    torch.set_default_dtype(torch.float64)\n    return q"
    chosen(tmp_path, source)
    assert torch.get_default_dtype() == torch.float32
