"""The command line of attnbench: every command is a short table of contents.

Commands import what they need when they run, so that `--help` takes a tenth of a second.
"""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, cast

import typer

from reports.outputs.export.formats import names
from reports.outputs.streams import OutputError, drop_output, open_streams
from suites import VERSION
from suites.listing import LISTS
from suites.records.address import DEFAULT_STORE, without_password
from suites.request import completion
from suites.request.command_line import is_given, with_options
from suites.request.options import OPTIONS
from suites.request.suites import SUITES, named

if TYPE_CHECKING:
    from collections.abc import Callable

    from suites.conducting import Conducted, Live
    from suites.engine.conductor import Listener
    from suites.request.planning import Request

INSTALLED = "attnbench"
"""The program's name where it is installed."""
PART = replace(OPTIONS["--delta"], name="--fail-if-slower")
CHECK_OPTIONS = tuple(
    OPTIONS[name] for name in ("--time-limit", "--prepare-limit", "--memory-limit", "--threads")
)

JUDGE_HELP = {
    "--problem": OPTIONS["--problem"].help,
    "--against": OPTIONS["--against"].help,
    "--sessions": "Fresh processes that time a candidate; 2 to 5, as many as end soon.",
    "--time-limit": OPTIONS["--time-limit"].help,
    "--prepare-limit": OPTIONS["--prepare-limit"].help,
    "--memory-limit": OPTIONS["--memory-limit"].help,
    "--budget": "Minutes for each candidate.",
    "--threads": "OpenMP threads, bound to CPUs; by default as many as there are.",
}
JUDGE_OPTIONS = tuple(replace(OPTIONS[name], help=text) for name, text in JUDGE_HELP.items())

# The class of every error in a command line; not all releases of typer export it.
COMMAND_LINE_ERROR = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[2])

app = typer.Typer(
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Attention implementations behind one interface: proven to agree, then measured together.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME",
        help="NAME, FILE.py or FILE.py:FUNCTION.",
        autocompletion=completion.implementations,
    ),
]
StoreUrl = Annotated[str, typer.Option("--store", metavar="URL", help="Database that keeps runs.")]
Anyway = Annotated[
    bool, typer.Option("--anyway", help="Compare runs of machines or settings that differ.")
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
Every = Annotated[
    bool,
    typer.Option(
        "--all", help="Print the tables of all panels, all verdicts, and all that has no time."
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(help="Folder for the page and charts; by default results/RUN.", metavar="DIR"),
]
Summary = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Markdown file to append the answer to, as CI steps take."),
]
Save = Annotated[
    str,
    typer.Option(metavar="NAME", help="A name for the run, as main; it may be given again."),
]
Given = dict[str, str | list[str]]


@dataclass(frozen=True, slots=True)
class Left:
    """What a run leaves: its page and charts in a folder, a saved name, a summary, tables or JSON.

    every  whether the tables of all panels are printed
    """

    out: Path | None = None
    save: str = ""
    summary: Path | None = None
    every: bool = field(default=False, kw_only=True)
    as_json: bool = field(default=False, kw_only=True)

    @property
    def options(self) -> str:
        """The options that leave the same, behind a command."""
        given = {"--out": self.out, "--save": self.save, "--summary": self.summary}
        words = [f" {name} {shlex.quote(str(value))}" for name, value in given.items() if value]
        return "".join([*words, " --all" if self.every else ""])


@app.callback(invoke_without_command=True)
def default(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Without a command: run the quick suite on this machine's best device, then report."""
    if version:
        typer.echo(f"attnbench {VERSION}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        from suites.request.planning import Request

        _begin(Request(suite=named("quick")), DEFAULT_STORE, Left())


@app.command()
@with_options(OPTIONS.values())
def run(  # noqa: PLR0913 - each parameter is an option of the command line
    context: typer.Context,
    suite: Annotated[
        str,
        typer.Argument(
            metavar="SUITE",
            help=f"One of {', '.join(SUITES)}.",
            autocompletion=completion.suites,
        ),
    ] = "quick",
    *,
    given: Given,
    store: StoreUrl = DEFAULT_STORE,
    out: Out = None,
    save: Save = "",
    summary: Summary = None,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="[RUN]",
            help="Finish a run: the latest, unless one is named.",
            autocompletion=completion.runs,
        ),
    ] = None,
    every: Every = False,
    as_json: Lines = False,
) -> None:
    """Check agreement, measure time and memory, and leave a page and charts."""
    from suites.request.planning import requested

    _expect_tables(every=every, as_json=as_json)
    suite_given = is_given(context, "suite")
    if resume is not None:
        _expect_no_plan_options([*(["SUITE"] if suite_given else []), *given])
        _resume(resume, store, Left(out, save, summary, every=every, as_json=as_json))
        return
    if "--problem" in given and suite_given:
        raise ValueError(f"a suite ({suite}) and --problem; expected one or the other")
    _begin(
        requested(named(suite), given),
        store,
        Left(out, save, summary, every=every, as_json=as_json),
    )


@app.command()
@with_options(CHECK_OPTIONS)
def check(
    context: typer.Context,  # noqa: ARG001 - says which options are given
    names: Names = None,
    *,
    given: Given,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="List the problems one by one.")
    ] = False,
    summary: Summary = None,
    as_json: Json = False,
) -> None:
    """Check agreement alone, on the suite `agreement`; exit 1 for anything else than agreement.

    The first line is the verdict; what agrees, and what does not by its cause, follow. For a
    function without a decorator it also finds the limits by trial, and prints the Limits that state
    them.
    """
    from reports.analysis.run_analysis import Analysis
    from reports.outputs.exit_status import exit_status
    from reports.outputs.export import json_data, limits_data
    from reports.outputs.markdown.check import of_check
    from reports.outputs.summary import append, expect_file
    from reports.outputs.terminal import screen
    from reports.outputs.terminal.check_report import check_report
    from reports.outputs.terminal.console import console, print_json, print_line, print_tables
    from suites import conducting
    from suites.request.planning import requested

    request = replace(requested(named("agreement"), given), specs=tuple(names) if names else None)
    expect_file(summary)
    live = screen.CheckScreen(console(stderr=True), quiet=as_json)
    trials = screen.TrialScreen(console(stderr=True), quiet=as_json)
    done, found = conducting.check(request, _command(), live, trials)
    analysis = Analysis(done.run, done.records)
    append(summary, of_check(analysis, found))
    if as_json:
        data = {"probed": list(map(limits_data.of_limits, found))} if found else {}
        print_json({**json_data.of_run(analysis), **data})
    else:
        print_tables(check_report(analysis, found, verbose=verbose))
    for line in done.run.plan.doubts:
        print_line(line, stderr=True)
    falls_short = any(each.claims_too_much for each in found)
    raise typer.Exit(1 if falls_short else exit_status(done.records, strict=True))


@app.command()
@with_options(JUDGE_OPTIONS)
def judge(
    context: typer.Context,  # noqa: ARG001 - says which options are given
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="DIR|FILE.py",
            help="Candidates: FILE.py, FILE.py:FUNCTION, or a folder for its *.py files.",
        ),
    ],
    *,
    given: Given,
    faster_by: Annotated[
        str,
        typer.Option(
            metavar="PART",
            help="What a candidate must be faster by to score: 50% is a speed-up of 1.5.",
        ),
    ] = "0%",
    store: StoreUrl = DEFAULT_STORE,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print a line of JSON for each candidate when it is judged, the score's at the "
            "end, and nothing else.",
        ),
    ] = False,
) -> None:
    """Judge many files, each in processes of its own: right, faster, slower or the same.

    The same command continues a judgement that was interrupted. A file is judged again when it,
    the problems, the baseline, the settings or the machine change.
    """
    from reports.outputs import judging as output
    from reports.outputs.export.judged_lines import JsonLines
    from reports.outputs.terminal.console import console, print_line
    from reports.outputs.terminal.judged import CandidateScreen, Lines
    from suites import judging
    from suites.conducting import StoppedError
    from suites.request.planning import requested

    every, by = judging.candidates(files), judging.margin(faster_by)
    terms = judging.terms(requested(named("quick"), given), store, _command())
    name = terms.baseline.name
    specs = [each.spec for each in every]
    printer = JsonLines(sys.stdout, name, by) if as_json else Lines(console(), specs, name, by)

    def show(candidate: judging.Candidate, position: int) -> CandidateScreen:
        title = f"{candidate.spec} ({position} of {len(every)})"
        return CandidateScreen(console(stderr=True), title, quiet=as_json)

    try:
        found = judging.judge(terms, every, show)
        raise typer.Exit(output.report(terms.problems, found, printer))
    except StoppedError as stopped:
        print_line(str(stopped), stderr=True)
        raise


@app.command()
def report(  # noqa: PLR0913 - each parameter is an option of the command line
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN|FILE.zip]...",
            help="A run's name or saved name, latest, latest~1, or a bundle; several of one "
            "machine: their history; of several machines: side by side.",
            autocompletion=completion.runs,
        ),
    ] = None,
    *,
    last: Annotated[
        int | None, typer.Option(metavar="N", min=2, help="The history of the newest N runs.")
    ] = None,
    anyway: Anyway = False,
    store: StoreUrl = DEFAULT_STORE,
    out: Out = None,
    every: Every = False,
    summary: Summary = None,
    as_json: Json = False,
) -> None:
    """Make the page and the charts of a run, the history of several, or machines side by side."""
    from reports.outputs import reporting
    from reports.outputs.summary import expect_file
    from suites.records import named as by_name
    from suites.records.store import Store

    if last and names:
        raise ValueError(f"--last {last} beside {names[0]}; expected one or the other")
    _expect_tables(every=every, as_json=as_json)
    expect_file(summary)
    wanted = Store.open(store, create=False).newest(last) if last else names or ["latest"]
    sides = by_name.runs(wanted, store)
    if len(sides) == 1:
        reporting.report(*sides[0], out, as_json=as_json, every=every, summary=summary)
        return
    if every:
        raise ValueError(f"--all beside {len(wanted)} runs; it prints the tables of a single run")
    reporting.report_several(sides, out, anyway=anyway, as_json=as_json, summary=summary)


@app.command()
def compare(  # noqa: PLR0913 - each parameter is an option of the command line
    base: Annotated[
        str,
        typer.Argument(
            metavar="BASE",
            help="A run or FILE.zip, or with --run an implementation.",
            autocompletion=completion.compared,
        ),
    ],
    new: Annotated[
        str,
        typer.Argument(
            metavar="NEW",
            help="A run or FILE.zip, or with --run an implementation.",
            autocompletion=completion.compared,
        ),
    ],
    *,
    run: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="BASE and NEW are implementations of this run.",
            autocompletion=completion.runs,
        ),
    ] = None,
    delta: Annotated[
        str | None, typer.Option(metavar="PART", help="What counts as a difference; the run's.")
    ] = None,
    fail_if_slower: Annotated[
        str | None,
        typer.Option(
            metavar="PART",
            help="Print whether NEW is slower by more than this, as 3%; exit 1 if so, or if "
            "nothing could be judged.",
        ),
    ] = None,
    fail_if_unsure: Annotated[
        bool,
        typer.Option("--fail-if-unsure", help="Exit 1 as well when that is not excluded."),
    ] = False,
    anyway: Anyway = False,
    store: StoreUrl = DEFAULT_STORE,
    summary: Summary = None,
    as_json: Json = False,
) -> None:
    """Compare two runs, or two implementations of one run: ratio, interval, verdict.

    Exit status with --fail-if-slower: 1 when the whole interval of a ratio is beyond the limit, or
    nothing could be judged; with --fail-if-unsure also when an interval reaches beyond it.
    """
    from reports.analysis.gate import gate
    from reports.outputs import comparing
    from reports.outputs.exit_status import expect_comparable
    from reports.outputs.summary import expect_file

    if fail_if_unsure and fail_if_slower is None:
        raise ValueError("--fail-if-unsure without --fail-if-slower; expected both, as 3%")
    limit = None if fail_if_slower is None else PART.value(fail_if_slower)
    counts = None if delta is None else OPTIONS["--delta"].value(delta)
    expect_file(summary)
    found = comparing.compared(store, base, new, run=run, delta=counts)
    expect_comparable(found, anyway=anyway)
    judged = None if limit is None else gate(found, limit, strict=fail_if_unsure)
    raise typer.Exit(comparing.report(found, judged, as_json=as_json, summary=summary))


@app.command()
def export(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="A run's name or saved name, latest or latest~1.",
            autocompletion=completion.runs,
        ),
    ] = "latest",
    *,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="NAME",
            help=f"One of {', '.join(names())}.",
            autocompletion=completion.words(names()),
        ),
    ] = "csv",
    to: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Where to; beside the run's page.")
    ] = None,
    store: StoreUrl = DEFAULT_STORE,
) -> None:
    """Write a stored run in another format."""
    from reports.outputs.export import export as exports
    from reports.outputs.folder import RESULTS
    from reports.outputs.terminal.console import print_line, print_paths
    from suites.records.store import Store

    kept = Store.open(store, create=False)
    stored = kept.run(run)
    target = to or RESULTS / stored.name / f"{form}.{exports.extension(form)}"
    print_paths(exports.export(kept, stored, form, target))
    for line in exports.doubts(stored, form):
        print_line(line, stderr=True)


@app.command()
def rerun(
    name: Annotated[
        str,
        typer.Argument(
            metavar="RUN|FILE.zip",
            help="A run's name or saved name, latest, latest~1, or a bundle.",
        ),
    ],
    *,
    store: StoreUrl = DEFAULT_STORE,
    out: Out = None,
    save: Save = "",
    summary: Summary = None,
    as_json: Lines = False,
) -> None:
    """Measure the plan of a stored run, or of a bundle, again on this machine, and report it.

    The files of a bundle are code and run with all your rights: rerun a bundle only from someone
    whose code you would run. They are unpacked below results/bundles, stay there, and are named
    before anything runs.
    """
    from reports.outputs.folder import RESULTS, expect_folder
    from reports.outputs.terminal.console import print_line
    from suites import rerunning

    _expect_kept(store)
    expect_folder(out or RESULTS)
    of, files = rerunning.source(name, store, RESULTS / "bundles")
    for file in files:
        print_line(f"runs with your rights: {file}", stderr=True)
    for line in rerunning.differences(of):
        print_line(line, stderr=True)
    left = Left(out, save, summary, as_json=as_json)
    _carry_out(partial(rerunning.rerun, of, store, _command()), left)


@app.command("list")
def list_(
    what: Annotated[
        str,
        typer.Argument(
            help="implementations, suites, runs or machine.",
            autocompletion=completion.words(LISTS),
        ),
    ] = "implementations",
    *,
    store: StoreUrl = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """List implementations with their limits, suites, stored runs, or what this machine is."""
    from reports.outputs.terminal.console import print_json, print_tables
    from suites import listing

    data = listing.of(what, store)
    if as_json:
        print_json(data)
        return
    from reports.outputs.terminal import listings

    print_tables([listings.listed(what, data)])


@app.command()
def selftest(
    *,
    sessions: Annotated[
        int, typer.Option(metavar="N", min=2, help="Fresh processes that measure every pair.")
    ] = 5,
    threads: Annotated[int, typer.Option(metavar="N", min=1, help="OpenMP threads.")] = 1,
    as_json: Json = False,
) -> None:
    """Are the instruments right, and is this machine quiet enough? Exit 1 for a wrong one."""
    from reports.outputs.export.selftest_data import of_selftest
    from reports.outputs.terminal import selftest as found
    from reports.outputs.terminal.console import console, print_json, print_tables
    from reports.outputs.terminal.screen import Screen
    from suites.calibrate import selftest as test

    with Screen(console(stderr=True), quiet=as_json) as screen:
        screen.phase("measuring what is known", test.steps(sessions))
        findings = test.conduct(sessions=sessions, threads=threads, advance=screen.advance)
    if as_json:
        print_json(of_selftest(findings))
    else:
        print_tables(found.tables(findings))
    raise typer.Exit(1 if findings.faults else 0)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="What the implementation is called.")],
) -> None:
    """Write impls/NAME.py from a template, ready to check."""
    from impls import create
    from reports.outputs.terminal.console import print_line

    print_line(f"{create(name)}\ncheck it with: python run_bench.py check {name}")


def main() -> None:
    """Run the command line; a mistake of the user is one line and status 2."""
    open_streams()
    arguments = _with_latest(sys.argv[1:])
    try:
        status = typer.main.get_command(app)(arguments, _program(), standalone_mode=False)
        sys.stdout.flush()
    except OutputError as error:
        drop_output()
        _fail(str(error))
    except BrokenPipeError:
        drop_output()
        sys.exit(1)
    except ValueError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except COMMAND_LINE_ERROR as error:
        command = error.ctx.command_path if error.ctx else _program()
        python = "" if command.startswith(INSTALLED) else "python "
        _fail(f"{error.format_message()} ({python}{command} --help)")
    else:
        sys.exit(status)


def _program() -> str:
    """The name that was called. A shell completes the installed program's only."""
    completes = {"--install-completion", "--show-completion"} & set(sys.argv)
    installed = Path(sys.argv[0]).stem == INSTALLED
    return INSTALLED if installed or completes else "run_bench.py"


def _begin(request: Request, url: str, left: Left) -> NoReturn:
    """Plan a run, carry it out, and report it."""
    from suites.conducting import begin

    _expect_kept(url)
    _carry_out(partial(begin, request, url, _command()), left)


def _expect_kept(url: str) -> None:
    from suites.conducting import NOT_KEPT

    if url in (NOT_KEPT, f"{NOT_KEPT}/", f"{NOT_KEPT}/:memory:"):
        raise ValueError(f"--store {url!r} keeps no run; expected a file, as {DEFAULT_STORE}")


def _resume(name: str, url: str, left: Left) -> NoReturn:
    """Carry out the plan of a stored run, minus its records, and report it."""
    from suites.conducting import resume

    _carry_out(partial(resume, name, url), left)


def _carry_out(conduct: Callable[[Live, Listener | None, str], Conducted], left: Left) -> NoReturn:
    from reports.outputs.export.json_lines import Stream
    from reports.outputs.folder import RESULTS, expect_folder
    from reports.outputs.summary import expect_file
    from reports.outputs.terminal.console import console, print_line
    from reports.outputs.terminal.screen import Screen
    from suites.conducting import StoppedError, without_limits
    from suites.records.saved_names import expect_saveable

    expect_folder(left.out or RESULTS)
    expect_file(left.summary)
    if left.save:
        expect_saveable(left.save)
    lines = Stream(sys.stdout) if left.as_json else None
    try:
        done = conduct(Screen(console(stderr=True), quiet=left.as_json), lines, left.save)
    except StoppedError as stopped:
        print_line(f"{stopped}{left.options}", stderr=True)
        raise
    if done.replaced:
        print_line(f"{left.save} was {done.replaced} until now", stderr=True)
    from reports.outputs import reporting
    from reports.outputs.exit_status import exit_status

    reporting.report(
        done.run,
        done.records,
        left.out,
        as_json=left.as_json,
        every=left.every,
        lines=lines,
        summary=left.summary,
    )
    for line in done.run.plan.doubts:
        print_line(line, stderr=True)
    for name, file in without_limits(done):
        command = shlex.join(["python", "run_bench.py", "check", str(file)])
        print_line(f"{name} states no Limits; find its limits with: {command}", stderr=True)
    raise typer.Exit(exit_status(done.records, named=done.run.plan.named))


def _expect_tables(*, every: bool, as_json: bool) -> None:
    if every and as_json:
        raise ValueError("--all beside --json; expected one or the other: JSON has every row")


def _expect_no_plan_options(given: list[str]) -> None:
    if given:
        raise ValueError(
            f"--resume executes the stored plan, and {', '.join(given)} would change it; "
            "leave it out or start a new run"
        )


def _with_latest(arguments: list[str]) -> list[str]:
    """`--resume` without a name means the latest run."""
    pairs = zip(arguments, [*arguments[1:], "--"], strict=False)
    return [
        "--resume=latest" if word == "--resume" and after.startswith("-") else word
        for word, after in pairs
    ]


def _command() -> str:
    """The command line as it was typed, without the password of a database."""
    return without_password(shlex.join(["python", "run_bench.py", *sys.argv[1:]]))


def _fail(message: str) -> NoReturn:
    from reports.views.text import printable

    sys.stderr.write(f"attnbench: {printable(' '.join(message.split()))}\n")
    sys.exit(2)


if __name__ == "__main__":
    main()
