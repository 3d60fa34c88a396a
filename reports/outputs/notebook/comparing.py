"""Compares functions and implementations from Python, as `run` does from the command line."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from reports.analysis.run_analysis import Analysis
from reports.outputs import drawing
from reports.outputs.folder import RESULTS
from reports.outputs.html import page
from reports.outputs.left import Left
from reports.outputs.notebook.progress import screen
from reports.outputs.notebook.result import Result
from suites.conducting import begin
from suites.records.option import Option
from suites.request.command_line import FLAG_TEXT
from suites.request.functions import Implementations, importable, specs
from suites.request.options import OPTIONS
from suites.request.planning import requested
from suites.request.suites import named

FUNCTIONS: Final = RESULTS / "functions"
"""The folder of functions that have no file."""
_TAKEN: Final = ("--impl", "--problem")
"""Options that the arguments of `compare` stand for."""


def compare(  # noqa: PLR0913 - each is an option of the command line
    implementations: Implementations,
    problems: str | Iterable[str],
    *,
    suite: str,
    store: str,
    out: str | Path | None,
    save: str,
    quiet: bool,
    options: Mapping[str, Any],
) -> Result:
    """Check agreement, measure, and write the page; see `run_bench.compare`."""
    texts = [problems] if isinstance(problems, str) else list(problems)
    _expect_one_source(texts, suite, options)
    given = {
        "--impl": specs(implementations, FUNCTIONS),
        **({"--problem": texts} if texts else {}),
        **_options(options),
    }
    left = Left(None if out is None else Path(out), save)
    left.expect_possible()
    request = requested(named(suite or "quick"), given)
    with importable():
        done = begin(request, store, _command(suite, given), screen(quiet=quiet), None, save)
    analysis = Analysis(done.run, done.records)
    folder = left.out or RESULTS / done.run.name
    made = None if drawing.missing() else page.write(analysis, folder)
    return Result(analysis, made)


def _expect_one_source(problems: list[str], suite: str, options: Mapping[str, Any]) -> None:
    """Raise ValueError unless the problems come from one place."""
    sources = {"problems": problems, "suite=": suite, "inputs=": options.get("inputs")}
    found = [name for name, value in sources.items() if value]
    if len(found) != 1:
        raise ValueError(
            f"{' and '.join(found) or 'no problem'}; expected one of {', '.join(sources)}: "
            "compare({'mine': my_function}, 'b1 h8 t4096 d64 causal')"
        )


def _options(given: Mapping[str, Any]) -> dict[str, str | list[str]]:
    """Keyword arguments as options of the command line: time_limit=30 is --time-limit 30.

    Raises ValueError for an unknown one, with the nearest name.
    """
    known = {_keyword(name): option for name, option in OPTIONS.items() if name not in _TAKEN}
    found: dict[str, str | list[str]] = {}
    for keyword, value in given.items():
        if keyword not in known:
            near = difflib.get_close_matches(keyword, known, n=1)
            hint = f"did you mean {near[0]}=? " if near else ""
            raise ValueError(f"unknown option {keyword}=; {hint}expected one of {', '.join(known)}")
        if value is not None and value is not False:
            found[known[keyword].name] = _text(known[keyword], value)
    return found


def _keyword(name: str) -> str:
    return name.removeprefix("--").replace("-", "_")


def _text(option: Option, value: Any) -> str | list[str]:
    """A value as it is typed: lists as 1,2 or one by one, a dict as NAME=VALUE."""
    if value is True:
        return FLAG_TEXT
    if isinstance(value, Mapping):
        value = [f"{name}={each}" for name, each in value.items()]
    several = isinstance(value, list | tuple)
    if option.repeat:
        return [str(each) for each in value] if several else [str(value)]
    return ",".join(map(str, value)) if several else str(value)


def _command(suite: str, given: Mapping[str, str | list[str]]) -> str:
    """The command that measures the same."""
    words = ["python", "run_bench.py", "run", *filter(None, [suite])]
    for name, value in given.items():
        if OPTIONS[name].flag:
            words.append(name)
        else:
            every = value if isinstance(value, list) else [value]
            words += [word for text in every for word in (name, text)]
    return shlex.join(words)
