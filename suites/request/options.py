"""Every option that says what a run measures: the one list that the command line is made from."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from impls import name_and_spec
from impls.interface import Problem
from suites.records import settings
from suites.records.option import MOST, Option, on_off, whole
from suites.request import axes

_NAME: Final = re.compile(r"[A-Za-z_][\w.-]*(?<!\.py)")
"""A name that a run gives an implementation. One that ends in .py would read as a file."""


def _problem(text: str) -> str:
    """The text of a problem that is understood; the device it leaves out is not known yet."""
    if not text.strip():
        raise ValueError("expected words like 'b1 h8 t4096 d64 causal'")
    Problem.parse(text)
    return text


def named_spec(text: str) -> str:
    """The text of an implementation, or NAME=SPEC. Raises ValueError for a name of other form."""
    name, spec = name_and_spec(text)
    if name and not (_NAME.fullmatch(name) and spec):
        raise ValueError(
            "expected NAME=SPEC with a name of letters, digits, '_', '-' and '.' that begins with "
            "a letter"
        )
    return text


def _python(text: str) -> tuple[str, str]:
    """The name of an implementation and the path of an interpreter."""
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise ValueError("expected NAME=PATH, as new=/opt/venv/bin/python")
    if not os.access(path, os.X_OK) or Path(path).is_dir():
        raise ValueError(f"{path} is no program; expected the path of a Python interpreter")
    return name, str(Path(path).absolute())  # not resolved: a link may stand in an environment


QUESTIONS: Final = (
    Option(
        name="--impl",
        metavar="NAME",
        help="NAME, FILE.py, FILE.py:FUNCTION, package.module:FUNCTION or FILE.py@REVISION; "
        "NEW_NAME=any of these; again for more. By default all but slow starts.",
        parse=named_spec,
        repeat=True,
    ),
    Option(
        name="--with-peers",
        metavar="",
        help="Also those whose set-up takes longer than a second.",
        parse=on_off,
        flag=True,
    ),
    Option(
        name="--problem",
        metavar="WORDS",
        help='A problem, as "b1 h8 t4096 d64 causal"; again for more.',
        parse=_problem,
        repeat=True,
    ),
    Option(
        name="--inputs",
        metavar="FILE",
        help="Your own tensors: a file or folder of record --keep-tensors, or a dict of q, k, v "
        "from torch.save; again for more.",
        repeat=True,
    ),
    Option(
        name="--workload",
        metavar="FILE",
        help="The attention calls of a script, as `record` writes them.",
    ),
    Option(
        name="--problem-file",
        metavar="FILE",
        help="A problem a line, as 3x b1 h8 t512 d64 causal  # encoder: count and label.",
    ),
    Option(
        name="--against",
        metavar="NAME",
        parse=named_spec,
        help="The baseline of every comparison; by default the first of torch's kernels that "
        "accepts every problem.",
    ),
    Option(
        name="--apart",
        metavar="NAME",
        help="Measure this implementation in a process of its own; again for more.",
        repeat=True,
    ),
    Option(
        name="--python",
        metavar="NAME=PATH",
        help="Measure this one with another Python, which may have another torch; again for more.",
        parse=_python,
        repeat=True,
    ),
    Option(
        name="--kv-heads",
        metavar="N",
        help="Key heads of every problem.",
        parse=whole(MOST),
    ),
)
SETTINGS: Final = {option.name: field for field, option in settings.options().items()}
"""The setting of a plan that each option sets."""
OPTIONS: Final[dict[str, Option]] = {
    **{option.name: option for option in QUESTIONS},
    **axes.options(),
    **{option.name: option for option in settings.options().values()},
}
"""By name, in the order of the help."""


_CHECK_LIMITS: Final = ("--time-limit", "--prepare-limit", "--memory-limit", "--threads")
CHECK_OPTIONS: Final = tuple(OPTIONS[name] for name in ("--inputs", "--with-peers", *_CHECK_LIMITS))
"""Those of `check`."""
_LEARN_HELP: Final = {
    "--with-peers": OPTIONS["--with-peers"].help,
    "--device": "cpu, cuda or mps; by default the best one of this machine.",
    "--dtype": "Of attention within the models, which are in float32.",
    "--time-limit": "Seconds that one training may take.",
    "--prepare-limit": OPTIONS["--prepare-limit"].help,
    "--memory-limit": OPTIONS["--memory-limit"].help,
    "--threads": "OpenMP threads, bound to CPUs; few, as the models are small.",
}
_LEARN_DEFAULTS: Final = {"--time-limit": "600", "--threads": "1"}
"""Defaults that differ from those of `run`, as texts."""
LEARN_OPTIONS: Final = tuple(
    replace(OPTIONS[name], help=text, default=_LEARN_DEFAULTS.get(name, OPTIONS[name].default))
    for name, text in _LEARN_HELP.items()
)
"""Those of `learn`, in its own words."""
_JUDGE_HELP: Final = {
    "--problem": OPTIONS["--problem"].help,
    "--against": OPTIONS["--against"].help,
    "--sessions": "Fresh processes that time a candidate; 2 to 5, as many as end soon.",
    "--time-limit": OPTIONS["--time-limit"].help,
    "--prepare-limit": OPTIONS["--prepare-limit"].help,
    "--memory-limit": OPTIONS["--memory-limit"].help,
    "--budget": "Minutes for each candidate.",
    "--threads": "OpenMP threads, bound to CPUs; by default as many as there are.",
}
JUDGE_OPTIONS: Final = tuple(
    replace(OPTIONS[name], help=text) for name, text in _JUDGE_HELP.items()
)
"""Those of `judge`, in its own words."""
_BISECT_HELP: Final = {
    "--impl": "The file: FILE.py or FILE.py:FUNCTION.",
    "--problem": OPTIONS["--problem"].help,
    "--sessions": "Fresh processes that time a commit; twice as many where they do not decide.",
    "--precision": OPTIONS["--precision"].help,
    "--delta": OPTIONS["--delta"].help,
    "--cache": OPTIONS["--cache"].help,
    "--time-limit": OPTIONS["--time-limit"].help,
    "--prepare-limit": OPTIONS["--prepare-limit"].help,
    "--memory-limit": OPTIONS["--memory-limit"].help,
    "--budget": "Minutes for each run.",
    "--threads": "OpenMP threads, bound to CPUs; by default as many as there are.",
}
BISECT_OPTIONS: Final = tuple(
    replace(OPTIONS[name], help=text) for name, text in _BISECT_HELP.items()
)
"""Those of `bisect`, in its own words."""
_NOT_OF_PROFILE: Final = (
    "--impl",
    "--with-peers",
    "--inputs",
    "--workload",
    "--problem-file",
    "--apart",
    "--tail",
)
PROFILE_OPTIONS: Final = tuple(
    option for name, option in OPTIONS.items() if name not in _NOT_OF_PROFILE
)
"""Those of `profile`, which names one implementation and its problems."""
_SHOW: Final = ("--problem", "--inputs", "--device", "--dtype", "--mask", "--pass")
_SHOW_HELP: Final = {
    "--problem": 'The problem, as "b1 h2 t12 d8 causal", which is the default.',
    "--inputs": "A file with your own tensors: a dict of q, k and v from torch.save.",
}
SHOW_OPTIONS: Final = tuple(
    replace(OPTIONS[name], help=_SHOW_HELP.get(name, OPTIONS[name].help))
    for name in (*_SHOW, *_CHECK_LIMITS, "--cuda-device")
)
"""Those of `show`."""
FAIL_IF_SLOWER: Final = replace(OPTIONS["--delta"], name="--fail-if-slower")
"""The limit of a gate: a part, as --delta is."""


def specs(texts: Iterable[str]) -> tuple[str, ...]:
    """Implementations as `check` takes them. Raises ValueError for a name of other form."""
    return tuple(map(replace(OPTIONS["--impl"], name="NAME").value, texts))


def parse(given: Mapping[str, str | list[str]]) -> dict[str, Any]:
    """The values of the options that were given. Raises ValueError that names the first bad one."""
    return {
        name: tuple(map(OPTIONS[name].value, text))
        if isinstance(text, list)
        else OPTIONS[name].value(text)
        for name, text in given.items()
    }
