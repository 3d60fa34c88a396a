"""The parameters that commands share: how they are spelled, explained and completed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from suites.explaining.choosing import USUAL as METHODS
from suites.request import completion
from suites.request.suites import SUITES

Given = dict[str, str | list[str]]
"""The options of `with_options` that were typed, by name."""

Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME",
        help="NAME, FILE.py, FILE.py:FUNCTION, FILE.py@REVISION or NAME=SPEC; by default all but "
        "slow starts.",
        autocompletion=completion.implementations,
    ),
]
Candidates = Annotated[
    list[str],
    typer.Argument(
        metavar="DIR|FILE.py",
        help="Candidates: FILE.py, FILE.py:FUNCTION, or a folder for its *.py files.",
    ),
]
Profiled = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME | -- COMMAND",
        help="NAME, FILE.py or FILE.py:FUNCTION; or after --, a script, as python my_script.py.",
        autocompletion=completion.implementations,
    ),
]
Shown = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="NAME, FILE.py, FILE.py:FUNCTION or package.module:FUNCTION.",
        autocompletion=completion.implementations,
    ),
]
Method = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help=f"One of {', '.join(METHODS)}.",
        autocompletion=completion.words(METHODS),
    ),
]
Steps = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="Equal steps that the script has; without it, optimizer steps are counted.",
    ),
]
TrainingSteps = Annotated[
    int, typer.Option("--steps", metavar="N", min=1, help="Steps of each training.")
]
Rest = Annotated[
    bool,
    typer.Option(
        "--rest",
        help="Of a script: profile one step, to see what its time outside attention is spent in.",
    ),
]
Span = Annotated[
    str,
    typer.Argument(
        metavar="GOOD..BAD",
        help="Two revisions of the file's repository, as v1.0..HEAD; GOOD is the fast one.",
    ),
]
SlowerBy = Annotated[
    str,
    typer.Option(
        "--fail-if-slower",
        metavar="PART",
        help="What a commit must be slower by than GOOD, as 2%.",
    ),
]
SuiteName = Annotated[
    str,
    typer.Argument(
        metavar="SUITE",
        help=f"One of {', '.join(SUITES)}.",
        autocompletion=completion.suites,
    ),
]
ListedSuite = Annotated[
    str | None,
    typer.Argument(
        metavar="SUITE",
        help="Whose problems are listed.",
        autocompletion=completion.listed_suites,
    ),
]
RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run's name or saved name, latest or latest~1.",
        autocompletion=completion.runs,
    ),
]
RunOrBundle = Annotated[
    str,
    typer.Argument(
        metavar="RUN|FILE.zip",
        help="A run's name or saved name, latest, latest~1, or a bundle.",
        autocompletion=completion.runs,
    ),
]
RunsOrBundles = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RUN|FILE.zip]...",
        help="A run's name or saved name, latest, latest~1, or a bundle; several of one "
        "machine: their history; of several machines: side by side.",
        autocompletion=completion.runs,
    ),
]
Base = Annotated[
    str,
    typer.Argument(
        metavar="BASE",
        help="A run or FILE.zip, or with --run an implementation.",
        autocompletion=completion.compared,
    ),
]
New = Annotated[
    str,
    typer.Argument(
        metavar="NEW",
        help="A run or FILE.zip, or with --run an implementation.",
        autocompletion=completion.compared,
    ),
]
Within = Annotated[
    str | None,
    typer.Option(
        metavar="RUN",
        help="BASE and NEW are implementations of this run, as latest.",
        autocompletion=completion.runs,
    ),
]
FailIfSlower = Annotated[
    str | None,
    typer.Option(
        metavar="PART",
        help="Print whether NEW is slower by more than this, as 3%; exit 1 if so, or if "
        "nothing could be judged.",
    ),
]
FailIfUnsure = Annotated[
    bool, typer.Option("--fail-if-unsure", help="Exit 1 as well when that is not excluded.")
]
FasterBy = Annotated[
    str,
    typer.Option(
        metavar="PART",
        help="What a candidate must be faster by to score: 50% is a speed-up of 1.5.",
    ),
]
Resume = Annotated[
    str | None,
    typer.Option(
        metavar="[RUN]",
        help="Finish a run: the latest, unless one is named.",
        autocompletion=completion.runs,
    ),
]
Engine = Annotated[
    str,
    typer.Option(
        "--engine", metavar="NAME", help="local: this machine; ray: the nodes of a Ray cluster."
    ),
]
Address = Annotated[
    str,
    typer.Option(
        "--address",
        metavar="HOST:PORT",
        help="The Ray cluster; by default RAY_ADDRESS, or one that runs here.",
    ),
]
OnKinds = Annotated[
    str,
    typer.Option(
        "--on",
        metavar="KINDS",
        help="Kinds of machine of the cluster, as amd-epyc,nvidia-h200; by default all of them.",
    ),
]
StoreUrl = Annotated[str, typer.Option("--store", metavar="URL", help="Database that keeps runs.")]
Anyway = Annotated[
    bool, typer.Option("--anyway", help="Compare runs of machines or settings that differ.")
]
Every = Annotated[
    bool,
    typer.Option(
        "--all", help="Print the tables of all panels, all verdicts, and all that has no time."
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", help="List the problems one by one.")]
Out = Annotated[
    Path | None,
    typer.Option(help="Folder for the page and charts; by default results/RUN.", metavar="DIR"),
]
Charts = Annotated[
    str, typer.Option(metavar="FORMATS", help="Formats of the chart files: png,svg,pdf.")
]
Summary = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Markdown file to append the answer to, as CI steps take."),
]
Save = Annotated[
    str,
    typer.Option(metavar="NAME", help="A name for the run, as main; it may be given again."),
]
SelftestDevice = Annotated[
    str, typer.Option("--device", metavar="KIND", help="cpu, or cuda: validate a GPU machine.")
]
OnlySteps = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="STEP", help="Run this step of the test of a GPU alone."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs, and nothing else.")]
Lines = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print a line of JSON for each record when it is stored, the run's at the end, and "
        "nothing else.",
    ),
]
CandidateLines = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print a line of JSON for each candidate when it is judged, the score's at the "
        "end, and nothing else.",
    ),
]
