"""Commands that repeat a measurement, and labels of the settings of a run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from pathlib import Path

from impls import FOLDER
from impls.interface import Problem
from reports.views.text import counted
from suites.records.input_files import InputFile
from suites.records.plan import Entry, Plan


def repeat_command(problem: Problem, entry: Entry, files: Iterable[InputFile] = ()) -> str:
    """The command that measures one implementation on one problem again.

    files  with the user's own inputs of the problem
    """
    subject = _inputs(files) or f"--problem {_quoted(str(problem))}"
    return f"python run_bench.py run {subject} --impl {_spec(entry)}"


def check_command(entry: Entry) -> str:
    """The command that checks one implementation alone."""
    return f"python run_bench.py check {_spec(entry)}"


def interleaved_command(
    problem: Problem,
    base: Entry,
    new: Entry,
    *,
    sessions: int | None = None,
    files: Iterable[InputFile] = (),
) -> str:
    """The command that measures two implementations in the same sessions."""
    count = f" --sessions {sessions}" if sessions else ""
    return f"{repeat_command(problem, new, files)} --against {_spec(base)}{count}"


def against_option(problem: Problem, plan: Plan, base: str) -> str | None:
    """The option that a repeat command needs to profile the same: that of the baseline.

    base  the name of the baseline; empty: none, and so is the option

    None for a problem with the user's own inputs, which a profile does not read.
    """
    if plan.inputs_of(problem):
        return None
    named = (entry for entry in plan.entries if base and entry.name == base)
    return next((f" --against {_spec(entry)}" for entry in named), "")


def _inputs(files: Iterable[InputFile]) -> str:
    """The options that name these files, and what was changed of their problem; empty without."""
    every = list(files)
    words = [f"--inputs {_quoted(file.path)}" for file in every]
    return " ".join((*words, *(every[0].changes if every else ())))


def setting_options(plan: Plan, threads: int) -> str:
    """The options after a command that repeat the settings of a plan."""
    words = (word for option, value in plan.labels() for word in option.typed(value))
    return " ".join((f" --threads {threads}", *map(_word, words)))


def labels(plan: Plan, *, threads: bool = True) -> list[str]:
    """Settings that are not at their defaults, for titles of figures.

    threads  with the largest number of threads, where there are several
    """
    some = threads and len(plan.threads) > 1
    return [
        *(f"{option.title} {option.shown(value)}" for option, value in plan.labels()),
        *([counted(max(plan.threads), "thread")] if some else []),
    ]


def _spec(entry: Entry) -> str:
    """The implementation as `--impl` takes it; a file of the user's own by its path."""
    spec = entry.defined
    for name, file in entry.files.items():
        if Path(file).parent != FOLDER:
            spec = spec.replace(name, f"{file}:{name}")
    return _quoted(f"{entry.name}={spec}" if entry.spec else spec)


def _quoted(text: str) -> str:
    """In plain double quotes where no shell changes that, else quoted as a shell needs it."""
    return f'"{text}"' if re.fullmatch(r"[\w .,:;/+*()\[\]=~@-]*", text) else shlex.quote(text)


def _word(text: str) -> str:
    """Bare where it is one plain word, else quoted."""
    return text if re.fullmatch(r"[\w.%-]+", text) else shlex.quote(text)
