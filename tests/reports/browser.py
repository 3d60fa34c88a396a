"""A page in the system's chromium, without a network, with its errors and requests."""

from __future__ import annotations

import atexit
import functools
import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")

DRAW_ALL = "window.dispatchEvent(new Event('beforeprint'))"


@dataclass
class Opened:
    """A page in a browser.

    complaints  what it said on its console, and errors that nothing caught
    requests    the addresses it asked for, its own first
    dialogs     what it wanted to say or ask in a window of its own
    """

    view: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)


def binary() -> str:
    """The browser; a test without one is skipped, or fails where one is required."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    lacking = "" if found else "no chromium on the PATH"
    if importlib.util.find_spec("playwright") is None:
        lacking = "playwright is not installed"
    if lacking and "chromium" in os.environ.get("ATTNBENCH_REQUIRE", ""):
        pytest.fail(f"ATTNBENCH_REQUIRE names chromium: {lacking}")
    if lacking:
        pytest.skip(lacking)
    return str(found)


@contextmanager
def opened(path: Path, **looks: Any) -> Iterator[Opened]:
    """A page opened from its file.

    looks  options of playwright's new_page: viewport, color_scheme, ...
    """
    view = _browser(binary()).new_page(**looks)  # in a context of its own
    view.context.set_offline(True)
    found = Opened(view)
    view.on("console", lambda said: found.complaints.append(said.text))
    view.on("pageerror", lambda error: found.complaints.append(str(error)))
    view.on("request", lambda asked: found.requests.append(asked.url))

    def dismiss(asked: Any) -> None:
        found.dialogs.append(asked.message)
        asked.dismiss()

    view.on("dialog", dismiss)
    try:
        view.goto(path.as_uri())
        yield found
    finally:
        view.close()


@functools.cache
def _browser(executable: str) -> Any:
    """One browser for all tests of a process: starting it takes longer than most of them."""
    from playwright.sync_api import sync_playwright

    playwright = sync_playwright().start()
    browser = playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
    atexit.register(playwright.stop)
    atexit.register(browser.close)
    return browser


def draw_all(found: Opened) -> None:
    """Have every chart drawn, as before printing; a page draws what comes near its window."""
    found.view.evaluate(DRAW_ALL)
    until(
        found.view,
        "[...document.querySelectorAll('.chart')]"
        ".every(each => each.data || each.closest('[hidden], details:not([open])'))",
    )


def until(view: Any, expression: str) -> None:
    """Wait until an expression is true; the page's policy forbids playwright's own way."""
    for _ in range(500):
        if view.evaluate(expression):
            return
        view.wait_for_timeout(20)
    pytest.fail(f"never true: {expression}")
