"""The option that `python -m pytest suites/` has beside pytest-benchmark's own."""

from __future__ import annotations

import argparse

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --attnbench-sessions."""
    parser.getgroup("attnbench").addoption(
        "--attnbench-sessions",
        type=_at_least_one,
        metavar="N",
        help="Fresh processes that time every problem, for the figures in extra_info; "
        "by default as many as the suite has.",
    )


def _at_least_one(text: str) -> int:
    if not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r}; expected a number from 1 up")
    return int(text)
