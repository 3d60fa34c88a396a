"""Every setting is an option: all of it follows from the one declaration in `Settings`."""

from __future__ import annotations

import sys
from dataclasses import fields
from typing import Any, Final

import pytest
from typer.testing import CliRunner

import run_bench
from impls.interface import Limits
from suites.records.codec import from_json, to_json
from suites.records.option import Option
from suites.records.plan import Entry, Plan
from suites.records.settings import GIB, Settings, options
from suites.request import planning
from suites.request.options import OPTIONS, SETTINGS, parse
from suites.request.planning import plan_of, requested
from suites.request.suites import SUITES

VALUES: Final[dict[str, dict[str, Any]]] = {
    "sessions": {"1": 1, "1000": 1000},
    "precision": {"1%": 0.01, "0.005": 0.005},
    "delta": {"1%": 0.01, "0.25": 0.25},
    "cache": {"hot": "hot", "cold": "cold"},
    "allocator": {"default": "default", "retain": "retain"},
    "time_limit_s": {"60": 60.0, "0.5": 0.5, "12345.678": 12345.678},
    "prepare_limit_s": {"300": 300.0, "0.5": 0.5},
    "memory_limit": {"2": 2 * GIB, "0.5": GIB // 2, "12.345": int(12.345 * GIB)},
    "budget_s": {"30": 1800.0, "0.1": 6.0},
    "threads": {"1": (1,), "2,1": (1, 2)},
    "cuda_device": {"1": "1", "GPU-7b3f1a52-0000": "GPU-7b3f1a52-0000", "MIG-1a2b": "MIG-1a2b"},
    "tail": {"on": True, "off": False},
    "sustained": {"on": True, "off": False},
    "keep_compiled": {"on": True, "off": False},
}
"""Texts of every setting, with their values."""
REFUSED: Final[dict[str, tuple[str, ...]]] = {
    "sessions": ("0", "-1", "1.5", "1001", "many", "", "nan", "\N{SUPERSCRIPT TWO}"),
    "precision": ("0", "0%", "100%", "1", "-1%", "nan", "inf", "wide", ""),
    "delta": ("0", "100%", "-1%", "nan", "inf", "small", ""),
    "cache": ("warm", "", "HOT"),
    "allocator": ("jemalloc", ""),
    "time_limit_s": ("0", "-1", "nan", "inf", "1e6", "1e999", "long", ""),
    "prepare_limit_s": ("0", "-1", "nan", "inf", "1e6", "long", ""),
    "memory_limit": ("0", "-1", "nan", "inf", "1e6", "much", ""),
    "budget_s": ("0", "-1", "nan", "inf", "1e6", "long", ""),
    "threads": ("0", "1,1", "-1", "1,,2", "1.5", "all", ""),
    "cuda_device": ("", "-1", "first", "cuda:1", "0,1", "GPU-", "1234"),
    "tail": ("yes", "1", "99", "ON", ""),
    "sustained": ("yes", "2", "ON", ""),
    "keep_compiled": ("yes", "1", "kept", ""),
}
"""Texts that each setting refuses."""
EVERY: Final = list(options().items())


def cases(texts: dict[str, Any]) -> list[Any]:
    return [
        pytest.param(field, text, id=f"{field}={text}")
        for field, found in texts.items()
        for text in found
    ]


def ran(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit status of a command line."""
    monkeypatch.setattr(sys, "argv", ["run_bench.py", *words])
    with pytest.raises(SystemExit) as ended:
        run_bench.main()
    return int(ended.value.code or 0)


def test_every_setting_of_a_plan_has_an_option() -> None:
    names = [each.name for each in fields(Settings)]
    assert list(options()) == names == list(VALUES) == list(REFUSED)
    assert all(isinstance(option, Option) for option in options().values())
    assert {option.name: field for field, option in EVERY} == SETTINGS
    assert set(SETTINGS) <= set(OPTIONS)
    assert set(names) < {each.name for each in fields(Plan)}


@pytest.mark.parametrize(("field", "text"), cases(VALUES))
def test_the_text_of_a_setting_is_its_value_and_back(field: str, text: str) -> None:
    option = options()[field]
    value = option.value(text)
    assert value == VALUES[field][text]
    assert type(value) is type(VALUES[field][text])
    assert option.value(option.text(value)) == value


@pytest.mark.parametrize(("field", "text"), cases(VALUES))
def test_the_value_of_an_option_stands_in_the_plan_and_is_stored(field: str, text: str) -> None:
    on_gpu = field in ("sustained", "cuda_device")
    kinds = ("cuda", "cpu") if on_gpu else ("cpu",)
    request = requested(
        SUITES["quick"], {options()[field].name: text, **({"--device": "cuda"} if on_gpu else {})}
    )
    machine = {"devices": [{"device": kind} for kind in kinds]}
    plan = plan_of(request, machine, (Entry(name="a", limits=(Limits(),)),), 4)
    assert getattr(plan, field) == VALUES[field][text]
    assert getattr(from_json(Plan, to_json(plan)), field) == VALUES[field][text]


@pytest.mark.parametrize(("field", "text"), cases(REFUSED))
def test_a_text_that_a_setting_refuses_is_an_error_that_names_the_option(
    field: str, text: str
) -> None:
    name = options()[field].name
    with pytest.raises(ValueError, match=f"^{name} is '.*', (expected|a number)"):
        parse({name: text})


@pytest.mark.parametrize(("field", "option"), EVERY)
def test_the_default_that_the_help_shows_is_that_of_the_setting(field: str, option: Option) -> None:
    if not option.default:
        return
    [declared] = [each.default for each in fields(Settings) if each.name == field]
    assert option.value(option.default) == declared


def test_run_help_has_the_option_of_every_setting() -> None:
    shown = CliRunner().invoke(run_bench.app, ["run", "--help"])
    assert shown.exit_code == 0
    text = " ".join(shown.output.split())
    for option in options().values():
        default = f"[default: {option.default}]" if option.default and not option.flag else "--"
        words = (option.name, option.metavar, option.help, default)
        assert f" {' '.join(filter(None, words))}" in text


@pytest.mark.parametrize("option", OPTIONS.values(), ids=list(OPTIONS))
def test_resume_refuses_every_option_that_would_change_the_plan(
    option: Option, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (option.name,) if option.flag else (option.name, "1")
    assert ran(monkeypatch, "run", "--resume", "--store", "sqlite:///none.db", *words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"attnbench: --resume executes the stored plan, and {option.name} would")
    assert err.count("\n") == 1


def test_only_settings_that_are_not_at_their_default_label_figures() -> None:
    usual = Settings(sessions=1, memory_limit=GIB, threads=(2,))
    assert list(usual.labels()) == []
    other = Settings(sessions=1, memory_limit=GIB, threads=(2,), cache="cold", delta=0.5)
    assert [(option.name, value) for option, value in other.labels()] == [("--cache", "cold")]


def test_an_option_without_a_value_stands_alone_in_a_command() -> None:
    assert OPTIONS["--tail"].typed(value=True) == ("--tail",)
    assert OPTIONS["--cache"].typed("cold") == ("--cache", "cold")
    assert SETTINGS["--tail"] == "tail"


def test_tail_is_refused_in_one_line_where_samples_are_of_many_calls() -> None:
    asked = requested(SUITES["quick"], {"--tail": "on", "--device": "cpu,cuda"})
    machine = {"devices": [{"device": "cpu"}, {"device": "cuda", "capability": (9, 0)}]}
    with pytest.raises(ValueError, match=r"^--tail on cuda: .*; expected .*\(--device cpu\)$"):
        plan_of(asked, machine, (Entry(name="a", limits=(Limits(),)),), 4)


def test_the_time_under_sustained_load_is_refused_on_a_cpu() -> None:
    asked = requested(SUITES["quick"], {"--sustained": "on", "--device": "cpu,cuda"})
    machine = {"devices": [{"device": "cpu"}, {"device": "cuda", "capability": (9, 0)}]}
    entries = (Entry(name="a", limits=(Limits(),)),)
    with pytest.raises(ValueError, match=r"^--sustained on cpu: .*; expected .*\(--device cuda\)$"):
        plan_of(asked, machine, entries, 4)
    on_gpu = requested(SUITES["quick"], {"--sustained": "on", "--device": "cuda"})
    assert plan_of(on_gpu, machine, entries, 4).sustained


def test_rounds_of_single_calls_have_a_longer_budget() -> None:
    def budget_ms(**given: str) -> float:
        request = requested(SUITES["quick"], {f"--{name}": text for name, text in given.items()})
        entries = (Entry(name="a", limits=(Limits(),)),)
        return plan_of(request, {"devices": [{"device": "cpu"}]}, entries, 4).round_budget_ms

    assert budget_ms(tail="on") == planning.TAIL_BUDGET_MS > 10 * budget_ms()
