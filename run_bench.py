"""The command line of attnbench: every command is a short table of contents.

Commands import what they need when they run, so that `--help` takes a tenth of a second.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, cast

import typer

from reports.outputs.export.formats import names as formats
from reports.outputs.left import Left
from reports.outputs.streams import OutputError, drop_output, open_streams
from suites import VERSION
from suites.learning.tasks import STEPS
from suites.listing import LISTS, PROBLEMS
from suites.recording.in_process import recorded
from suites.records.address import DEFAULT_STORE
from suites.request import completion, parameters, typed
from suites.request.command_line import is_given, with_options
from suites.request.options import (
    BISECT_OPTIONS,
    CHECK_OPTIONS,
    FAIL_IF_SLOWER,
    JUDGE_OPTIONS,
    LEARN_OPTIONS,
    OPTIONS,
    PROFILE_OPTIONS,
    SHOW_OPTIONS,
)
from suites.request.suites import named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from impls.bridges.model_bridge import ModelBridge
    from impls.bridges.substitution import Substitution
    from reports.outputs.notebook.result import Result
    from suites.conducting import Conducted, Live
    from suites.engine.conductor import Listener
    from suites.on_cluster import OnRay
    from suites.request.functions import Implementations
    from suites.request.planning import Request

    Conduct = Callable[[Live, Listener | None, str], Conducted | list[Conducted]]

# The class of every error in a command line; not all releases of typer export it.
COMMAND_LINE_ERROR = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[2])

__all__ = ["app", "main", "recorded", "substituted", "use"]

app = typer.Typer(
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Attention implementations behind one interface: proven to agree, then measured together.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


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
    suite: parameters.SuiteName = "quick",
    *,
    given: parameters.Given,
    store: parameters.StoreUrl = DEFAULT_STORE,
    out: parameters.Out = None,
    save: parameters.Save = "",
    summary: parameters.Summary = None,
    resume: parameters.Resume = None,
    every: parameters.Every = False,
    engine: parameters.Engine = "local",
    address: parameters.Address = "",
    on: parameters.OnKinds = "",
    as_json: parameters.Lines = False,
) -> None:
    """Check agreement, measure time and memory, and leave a page and charts."""
    from suites.on_cluster import engine_of
    from suites.request.files.chosen import chosen
    from suites.request.planning import requested

    _expect_tables(every=every, as_json=as_json)
    cluster = engine_of(engine, address, on)
    left = Left(out, save, summary, every=every, as_json=as_json)
    suite_given = is_given(context, "suite")
    if resume is not None:
        _expect_no_plan_options([*(["SUITE"] if suite_given else []), *given])
        _resume(resume, store, left, cluster)
    _begin(requested(chosen(suite, given, is_typed=suite_given), given), store, left, cluster)


@app.command()
@with_options(CHECK_OPTIONS)
def check(
    context: typer.Context,  # noqa: ARG001 - says which options are given
    names: parameters.Names = None,
    *,
    given: parameters.Given,
    verbose: parameters.Verbose = False,
    summary: parameters.Summary = None,
    as_json: parameters.Json = False,
) -> None:
    """Check agreement alone, on the suite `agreement`; exit 1 for anything else than agreement.

    The first line is the verdict; what agrees, and what does not by its cause, follow. For a
    function without a decorator it also finds the limits by trial, and prints the Limits that state
    them.
    """
    from reports.outputs import ended
    from reports.outputs.summary import expect_file
    from reports.outputs.terminal import screen
    from reports.outputs.terminal.console import console
    from suites import conducting
    from suites.request.options import specs
    from suites.request.planning import requested

    request = replace(requested(named("agreement"), given), specs=specs(names) if names else None)
    expect_file(summary)
    live = screen.CheckScreen(console(stderr=True), quiet=as_json)
    trials = screen.TrialScreen(console(stderr=True), quiet=as_json)
    done, found = conducting.check(request, typed.command(), live, trials)
    raise typer.Exit(ended.of_check(done, found, verbose=verbose, as_json=as_json, summary=summary))


@app.command()
@with_options(JUDGE_OPTIONS)
def judge(
    context: typer.Context,  # noqa: ARG001 - says which options are given
    files: parameters.Candidates,
    *,
    given: parameters.Given,
    faster_by: parameters.FasterBy = "0%",
    store: parameters.StoreUrl = DEFAULT_STORE,
    as_json: parameters.CandidateLines = False,
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
    terms = judging.terms(requested(named("quick"), given), store, typed.command())
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
@with_options(BISECT_OPTIONS)
def bisect(
    context: typer.Context,  # noqa: ARG001 - says which options are given
    span: parameters.Span,
    *,
    given: parameters.Given,
    fail_if_slower: parameters.SlowerBy = "2%",
    store: parameters.StoreUrl = DEFAULT_STORE,
    as_json: parameters.Json = False,
) -> None:
    """Find the commit that made a file slower: git bisect, each commit measured beside GOOD.

    Exit status: 0 when the commit is found, 1 when BAD is not slower or commits are left that
    could not be judged. Your repository and working tree are not changed.
    """
    from reports.outputs import bisecting as output
    from suites.bisecting import Terms
    from suites.request.planning import requested

    limit = FAIL_IF_SLOWER.value(fail_if_slower)
    _expect_kept(store)
    terms = Terms.of(span, requested(named("quick"), given), store, typed.command())
    raise typer.Exit(output.bisect(terms, limit, as_json=as_json))


@app.command()
def report(  # noqa: PLR0913 - each parameter is an option of the command line
    names: parameters.RunsOrBundles = None,
    *,
    last: Annotated[
        int | None, typer.Option(metavar="N", min=2, help="The history of the newest N runs.")
    ] = None,
    anyway: parameters.Anyway = False,
    store: parameters.StoreUrl = DEFAULT_STORE,
    out: parameters.Out = None,
    every: parameters.Every = False,
    charts: parameters.Charts = "png",
    summary: parameters.Summary = None,
    as_json: parameters.Json = False,
) -> None:
    """Make the page and the charts of a run, the history of several, or machines side by side.

    Where RUN ran on several kinds of machine, its page has all of them; RUN@KIND is one alone.
    """
    from reports.outputs import reporting
    from reports.outputs.png.formats import formats
    from reports.outputs.summary import expect_file
    from suites.records import named as by_name
    from suites.records.store import Store

    if last and names:
        raise ValueError(f"--last {last} beside {names[0]}; expected one or the other")
    _expect_tables(every=every, as_json=as_json)
    expect_file(summary)
    kinds = formats(charts)
    wanted = Store.open(store, create=False).newest(last) if last else names or ["latest"]
    if len(wanted) > 1:
        if every:
            said = "it prints the tables of a single run"
            raise ValueError(f"--all beside {len(wanted)} runs; {said}")
        reporting.report_several(
            by_name.runs(wanted, store),
            out,
            anyway=anyway,
            as_json=as_json,
            summary=summary,
            formats=kinds,
        )
        return
    sides = by_name.standing_for(wanted[0], store)
    if len(sides) > 1:
        reporting.report_kinds(
            sides, out, as_json=as_json, every=every, summary=summary, formats=kinds
        )
        return
    reporting.report(
        *sides[0],
        out,
        as_json=as_json,
        every=every,
        summary=summary,
        formats=kinds,
        profiles=by_name.profiles(wanted[0], store),
    )


def compare(
    implementations: Implementations,
    problems: str | Iterable[str] = (),
    *,
    suite: str = "",
    store: str = DEFAULT_STORE,
    out: str | Path | None = None,
    save: str = "",
    quiet: bool = False,
    **options: Any,
) -> Result:
    """Compare functions and implementations from a script or a notebook.

    implementations  names and functions of (q, k, v, ...): {"mine": my_function, "flash":
                     "sdpa_flash"}, or a list of them
    problems         one or more, as "b1 h8 t4096 d64 causal"; or suite= or inputs= instead
    options          those of `run` by name: sessions=5, threads=[1, 2], against="flash"

    Agreement is proven first: a wrong function has no time, and the result says why it is wrong.
    Raises ValueError with one line for what makes no sense.
    """
    from reports.outputs.notebook import comparing

    return comparing.compare(
        implementations,
        problems,
        suite=suite,
        store=store,
        out=out,
        save=save,
        quiet=quiet,
        options=options,
    )


@app.command("compare")
def compare_(  # noqa: PLR0913 - each parameter is an option of the command line
    base: parameters.Base,
    new: parameters.New,
    *,
    run: parameters.Within = None,
    delta: Annotated[
        str | None, typer.Option(metavar="PART", help="What counts as a difference; the run's.")
    ] = None,
    fail_if_slower: parameters.FailIfSlower = None,
    fail_if_unsure: parameters.FailIfUnsure = False,
    anyway: parameters.Anyway = False,
    store: parameters.StoreUrl = DEFAULT_STORE,
    summary: parameters.Summary = None,
    as_json: parameters.Json = False,
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
    limit = None if fail_if_slower is None else FAIL_IF_SLOWER.value(fail_if_slower)
    counts = None if delta is None else OPTIONS["--delta"].value(delta)
    expect_file(summary)
    found = comparing.compared(store, base, new, run=run, delta=counts)
    expect_comparable(found, anyway=anyway)
    judged = None if limit is None else gate(found, limit, strict=fail_if_unsure)
    raise typer.Exit(comparing.report(found, judged, as_json=as_json, summary=summary))


@app.command()
def export(
    run: parameters.RunName = "latest",
    *,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="NAME",
            help=f"One of {', '.join(formats())}.",
            autocompletion=completion.words(formats()),
        ),
    ] = "csv",
    to: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Where to; beside the run's page.")
    ] = None,
    store: parameters.StoreUrl = DEFAULT_STORE,
) -> None:
    """Write a stored run in another format.

    Where RUN ran on several kinds of machine, `dispatch` has a section for each; other formats
    take one of its runs, RUN@KIND.
    """
    from reports.outputs.export import export as exports
    from reports.outputs.folder import RESULTS
    from reports.outputs.terminal.console import print_line, print_paths
    from suites.records.groups import group_of
    from suites.records.store import Store

    kept = Store.open(store, create=False)
    names = kept.standing_for(run) if exports.takes_groups(form) else ()
    if len(names) > 1:
        target = to or RESULTS / group_of(names[0]) / f"{form}.{exports.extension(form)}"
        print_paths(exports.export_group(kept, list(map(kept.run, names)), form, target))
        return
    stored = kept.run(run)
    target = to or RESULTS / stored.name / f"{form}.{exports.extension(form)}"
    print_paths(exports.export(kept, stored, form, target))
    for line in exports.doubts(stored, form):
        print_line(line, stderr=True)


@app.command()
def copy(
    run: parameters.RunName,
    *,
    to: Annotated[str, typer.Option("--to", metavar="URL", help="The store that gets the run.")],
    from_: Annotated[
        str, typer.Option("--from", metavar="URL", help="The store that has the run.")
    ] = DEFAULT_STORE,
) -> None:
    """Copy a run with its records and profiles to another store: from a laptop to the team's."""
    from reports.outputs.terminal.console import print_line
    from suites.records.copying import copy_run
    from suites.records.store import Store

    copied = copy_run(run, Store.open(from_, create=False), to)
    so_far = "" if copied.ended else " so far: it has not ended"
    print_line(
        f"{copied.run}: {copied.records} records and {copied.profiles} profiles copied to "
        f"{copied.to}{so_far}"
    )


@app.command()
def migrate(*, store: parameters.StoreUrl = DEFAULT_STORE) -> None:
    """Bring a store of an earlier version to this version's format, in one transaction."""
    from reports.outputs.terminal.console import print_line
    from suites.records.migrations import migrate as migrated

    done = migrated(store)
    if done.before == done.now:
        print_line(f"the store {done.shown} has format {done.now} already")
    else:
        print_line(f"the store {done.shown} had format {done.before} and has {done.now} now")


@app.command()
def rerun(
    name: parameters.RunOrBundle,
    *,
    store: parameters.StoreUrl = DEFAULT_STORE,
    out: parameters.Out = None,
    save: parameters.Save = "",
    summary: parameters.Summary = None,
    as_json: parameters.Lines = False,
) -> None:
    """Measure the plan of a stored run, or of a bundle, again on this machine, and report it.

    The files of a bundle are code and run with all your rights: rerun a bundle only from someone
    whose code you would run. They are unpacked below results/bundles, stay there, and are named
    before anything runs.
    """
    from reports.outputs.folder import RESULTS
    from reports.outputs.terminal.console import print_line
    from suites import rerunning

    left = Left(out, save, summary, as_json=as_json)
    _expect_kept(store)
    left.expect_possible()
    of, files = rerunning.source(name, store, RESULTS / "bundles")
    for file in files:
        print_line(f"runs with your rights: {file}", stderr=True)
    for line in rerunning.differences(of):
        print_line(line, stderr=True)
    _carry_out(partial(rerunning.rerun, of, store, typed.command()), left)


@app.command(context_settings={"allow_interspersed_args": False})
def record(
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- COMMAND", help="As python my_script.py, or python -m module."),
    ] = None,
    *,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The workload.")] = Path(
        "workload.jsonl"
    ),
    steps: parameters.Steps = None,
    keep_tensors: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            help="Store the CONTENTS of q, k and v of the first N different calls beside the "
            "workload, as call-1.pt.",
        ),
    ] = 0,
) -> None:
    """Record the attention calls of your script: which problems, how often, how long.

    The script runs unchanged; its output and exit status stay its own. No tensor's content is
    stored without --keep-tensors. docs/record.md says what is seen.
    """
    from reports.outputs.terminal import recording as output
    from reports.outputs.terminal.console import print_line
    from suites.recording import command as recording

    ended = recording.record(command or [], out, steps=steps, keep=keep_tensors)
    for line in output.summary(ended, out):
        print_line(line, stderr=True)
    raise typer.Exit(ended.status)


@app.command()
@with_options(PROFILE_OPTIONS)
def profile(  # noqa: PLR0913 - each parameter is an option of the command line
    context: typer.Context,
    words: parameters.Profiled = None,
    *,
    given: parameters.Given,
    steps: parameters.Steps = None,
    rest: parameters.Rest = False,
    store: parameters.StoreUrl = DEFAULT_STORE,
    out: parameters.Out = None,
    save: parameters.Save = "",
    as_json: parameters.Json = False,
) -> None:
    """Profile an implementation, or a script: where time and memory go, on one page.

    An implementation is measured first, beside its baseline, and then profiled in a process of its
    own. With --against NAME both are profiled, and their difference is explained. With several
    lengths, as --seq 512,1024,2048, the page shows which operators grow how.

    A script, after --, runs unchanged; its output and exit status stay its own. The page shows what
    each of its lines takes in attention.
    """
    script = typed.script()
    if rest and script is None:
        raise ValueError("--rest without a script; expected profile --rest -- python my_script.py")
    if script is None:
        _profile_one(words or [], given, store, out, save, steps=steps, as_json=as_json)
    unused = [*given, *(f"--{name}" for name in ("store", "save") if is_given(context, name))]
    if unused or (words or []) != script:
        raise ValueError(f"{(unused or words or [''])[0]} beside a script; expected -- COMMAND")
    _profile_script(script, out, steps=steps, rest=rest, as_json=as_json)


def _profile_one(
    words: list[str],
    given: dict[str, str | list[str]],
    store: str,
    out: Path | None,
    save: str,
    *,
    steps: int | None,
    as_json: bool,
) -> NoReturn:
    """Measure and profile an implementation, and report it."""
    from reports.outputs import profiling as output
    from reports.outputs.folder import RESULTS, expect_folder
    from reports.outputs.terminal.console import console, print_line
    from reports.outputs.terminal.screen import Screen
    from suites import profiling
    from suites.conducting import StoppedError
    from suites.request.planning import requested

    name = profiling.one_name(words)
    if steps is not None:
        raise ValueError(f"--steps {steps} beside {name}; only a script has steps")
    _expect_kept(store)
    expect_folder(out or RESULTS)
    live = Screen(console(stderr=True), quiet=as_json)
    request = requested(named("quick"), given)
    try:
        done = profiling.profile(name, request, store, typed.command(), live, out, save)
    except StoppedError as stopped:
        print_line(str(stopped), stderr=True)
        raise
    raise typer.Exit(output.report(*done, out, as_json=as_json))


def _profile_script(
    script: list[str], out: Path | None, *, steps: int | None, rest: bool, as_json: bool
) -> NoReturn:
    """Run a script, and report its time in attention by line."""
    from reports.outputs import script_profile as output
    from reports.outputs.folder import RESULTS, expect_folder
    from suites.recording import command as recording

    folder = out or RESULTS / recording.named(script)
    expect_folder(folder)
    ended = recording.profile(script, folder, steps=steps, rest=rest)
    output.report(ended, folder / recording.WORKLOAD, rest=rest, as_json=as_json)
    raise typer.Exit(ended.status)


@app.command()
@with_options(LEARN_OPTIONS)
def learn(
    context: typer.Context,  # noqa: ARG001 - says which options are given
    names: parameters.Names = None,
    *,
    given: parameters.Given,
    steps: parameters.TrainingSteps = STEPS,
    out: parameters.Out = None,
    as_json: parameters.Json = False,
) -> None:
    """Train small models with each implementation inside, and compare their first losses.

    A vision transformer learns digits, a text classifier learns the sentiment of padded sentences.
    Exit 1 when losses differ by more than rounding explains, as docs/learning.md states it.
    """
    from reports.outputs import learning as output
    from reports.outputs.folder import RESULTS, expect_folder
    from reports.outputs.terminal.console import console
    from reports.outputs.terminal.screen import Screen
    from suites import training
    from suites.request.options import specs
    from suites.request.planning import requested

    expect_folder(out or RESULTS)
    request = replace(requested(named("quick"), given), specs=specs(names) if names else None)
    live = Screen(console(stderr=True), quiet=as_json)
    found = training.learn(request, typed.command(), live, steps)
    raise typer.Exit(output.report(found, out, as_json=as_json))


@app.command()
@with_options(SHOW_OPTIONS)
def show(
    context: typer.Context,  # noqa: ARG001 - says which options are given
    name: parameters.Shown,
    *,
    given: parameters.Given,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the page; by default results/show-NAME."),
    ] = None,
    as_json: parameters.Json = False,
) -> None:
    """Draw the attention weights that an implementation really uses, beside the reference's.

    They are read out of its outputs: where the values are one-hot, outputs are weights. Exit
    status: 0 when drawn, whether or not they agree; 1 when the implementation failed.
    """
    from reports.outputs import showing as output
    from reports.outputs.folder import expect_folder
    from reports.outputs.terminal.console import waiting
    from suites import showing
    from suites.request.planning import requested

    expect_folder(out or output.folder_of(name))
    with nullcontext() if as_json else waiting("reading the weights"):
        found = showing.show(name, requested(named("quick"), given), typed.command())
    raise typer.Exit(output.report(*found, out, as_json=as_json))


@app.command()
def explain(
    name: parameters.Method,
    *,
    problem: Annotated[
        str | None,
        typer.Option(metavar="WORDS", help='The problem, as "b1 h1 t12 d8 causal"; a small one.'),
    ] = None,
    block: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Positions of a block; 4 by default.")
    ] = None,
    query: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="The query that is followed; by default the last."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the page; by default results/explain-NAME."),
    ] = None,
    as_json: parameters.Json = False,
) -> None:
    """Walk through a method step by step, as the online softmax of chunked, with real numbers.

    The steps are computed in float64 by the definition, and not by the implementation of that name.
    """
    from reports.outputs import explaining as output
    from reports.outputs.folder import expect_folder
    from suites.explaining import choosing

    found = choosing.explain(name, problem, block, query)
    expect_folder(out or output.folder_of(name))
    output.report(name, found, typed.command(), out, as_json=as_json)


@app.command("list")
def list_(
    what: Annotated[
        str,
        typer.Argument(
            help="implementations, suites, problems, models, runs or machine.",
            autocompletion=completion.words((*LISTS, PROBLEMS)),
        ),
    ] = "implementations",
    suite: parameters.ListedSuite = None,
    *,
    store: parameters.StoreUrl = DEFAULT_STORE,
    as_json: parameters.Json = False,
) -> None:
    """List implementations, suites, the problems of a suite, models, runs, or this machine."""
    from reports.outputs.terminal.console import print_json, print_tables
    from suites import listing

    data = listing.of(what, store, suite)
    if as_json:
        print_json(data)
        return
    from reports.outputs.terminal import listings

    print_tables([listings.listed(what, data)])


@app.command()
def selftest(
    context: typer.Context,
    *,
    device: parameters.SelftestDevice = "cpu",
    only: parameters.OnlySteps = None,
    sessions: Annotated[
        int, typer.Option(metavar="N", min=2, help="Fresh processes that measure every pair.")
    ] = 5,
    threads: Annotated[int, typer.Option(metavar="N", min=1, help="OpenMP threads.")] = 1,
    as_json: parameters.Json = False,
) -> None:
    """Are the instruments right, and is this machine quiet enough? Exit 1 for a wrong one.

    With --device cuda: validate a GPU machine in five minutes. Each step has a process and a time
    limit of its own; the last line names a file to send.
    """
    if device != "cpu":
        unused = [name for name in ("sessions", "threads") if is_given(context, name)]
        _test_device(device, only or [], unused, as_json=as_json)
    if only:
        raise ValueError("--only without --device cuda; only the test of a GPU has steps")
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


def substituted(path: str | Path, *, quiet: bool = False) -> Substitution:
    """A context in which the best mix of a workload answers the attention calls of your script.

        from run_bench import substituted

        with substituted("results/RUN/dispatch.json"):
            train()

    path   of `export --format dispatch` for a run of a workload; of one with a section for each of
           several machines, the section for this machine is used
    quiet  whether the summary at the end is left out: calls that were replaced or not, and why

    A mix that changes nothing is no error: a line says so. Raises ValueError for a file of a run
    without a workload, and for one without a section for this machine.
    """
    from impls.bridges.substitution import Substitution
    from reports.analysis.ranking.dispatch import Dispatch
    from suites.recording.recognising import Recogniser

    found = Dispatch.read(Path(path), _this_machine)
    if not found.has_steps:
        raise ValueError(f"{path} has no mix: its run has no workload")
    said = found.doubts if found.mix else [f"{path}: its mix changes nothing"]
    if not quiet:
        sys.stderr.writelines(f"attnbench: {line}\n" for line in said)
    return Substitution(found.mix, Recogniser(), None if quiet else sys.stderr)


def use(model: Any, implementation: str) -> ModelBridge:
    """An implementation in the attention layers of a model.

        from run_bench import use

        with use(model, "chunked"):
            model(**batch)

    model           of transformers, or any torch module that calls scaled_dot_product_attention
    implementation  NAME, NAME[CHOICE=...], or FILE.py:FUNCTION

    Without `with` it stays until `undo()` of what this returns. A call that it cannot answer raises
    ValueError with the layer and the reason. So does the end of the context where a layer was not
    called. docs/models.md says what is understood.
    """
    from impls import one
    from impls.bridges.any_model import bridged
    from suites.recording.recognising import Recogniser

    return bridged(model, one(implementation), Recogniser())


def _this_machine() -> dict[str, Any]:
    """The facts of this machine, as `list machine --json` prints them."""
    from suites.engine.catalogue import cores
    from suites.measure.machine import describe

    return describe(cores=cores(), threads=cores())


def main() -> None:
    """Run the command line; a mistake of the user is one line and status 2."""
    open_streams()
    program = typed.program()
    try:
        status = typer.main.get_command(app)(typed.arguments(), program, standalone_mode=False)
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
        help_command = typed.help_of(error.ctx.command_path if error.ctx else program)
        _fail(f"{error.format_message()} ({help_command})")
    else:
        sys.exit(status)


def _begin(request: Request, url: str, left: Left, cluster: OnRay | None = None) -> NoReturn:
    """Plan a run, carry it out, and report it.

    cluster  where its sessions are; None: this machine
    """
    from suites.conducting import begin
    from suites.on_cluster import begin as begin_there

    _expect_kept(url)
    if cluster is not None:
        _carry_out(partial(begin_there, request, url, typed.command(), engine=cluster), left)
    _carry_out(partial(begin, request, url, typed.command()), left)


def _resume(name: str, url: str, left: Left, cluster: OnRay | None) -> NoReturn:
    """Carry out the plan of a stored run, minus its records, and report it."""
    from suites.conducting import resume
    from suites.on_cluster import resume as resume_there

    if cluster is not None:
        _carry_out(partial(resume_there, name, url, engine=cluster), left)
    _carry_out(partial(resume, name, url), left)


def _carry_out(conduct: Conduct, left: Left) -> NoReturn:
    from reports.outputs.export.json_lines import Stream
    from reports.outputs.terminal.console import console, print_line
    from reports.outputs.terminal.screen import Screen
    from suites.conducting import StoppedError

    left.expect_possible()
    lines = Stream(sys.stdout) if left.as_json else None
    try:
        done = conduct(Screen(console(stderr=True), quiet=left.as_json), lines, left.save)
    except StoppedError as stopped:
        print_line(f"{stopped}{left.options}", stderr=True)
        raise
    from reports.outputs import ended

    if isinstance(done, list):
        raise typer.Exit(ended.of_runs(done, left, lines))
    raise typer.Exit(ended.of_run(done, left, lines))


def _test_device(device: str, only: list[str], unused: list[str], *, as_json: bool) -> NoReturn:
    """Run the steps of a device's selftest, and report them."""
    from reports.outputs.device_test import DeviceTest
    from reports.outputs.folder import RESULTS, expect_folder
    from suites.calibrate.device import conduct, steps
    from suites.records.store import now
    from suites.request.axes import cuda_device

    kind = device.partition(":")[0]
    if kind != "cuda":
        raise ValueError(f"--device is {device!r}; expected cpu, cuda or cuda:1")
    if unused:
        raise ValueError(f"--{unused[0]} with --device {device}; its steps have settings of theirs")
    wanted = steps.chosen(only)
    expect_folder(RESULTS)
    machine = conduct.machine_with(kind, cuda_device(device))
    test = DeviceTest(machine, now(), typed.command(), as_json=as_json)
    conduct.conduct(machine.target, wanted, test.show)
    raise typer.Exit(test.end())


def _expect_kept(url: str) -> None:
    from suites.conducting import NOT_KEPT

    if url in (NOT_KEPT, f"{NOT_KEPT}/", f"{NOT_KEPT}/:memory:"):
        raise ValueError(f"--store {url!r} keeps no run; expected a file, as {DEFAULT_STORE}")


def _expect_tables(*, every: bool, as_json: bool) -> None:
    if every and as_json:
        raise ValueError("--all beside --json; expected one or the other: JSON has every row")


def _expect_no_plan_options(given: list[str]) -> None:
    if given:
        raise ValueError(
            f"--resume executes the stored plan, and {', '.join(given)} would change it; "
            "leave it out or start a new run"
        )


def _fail(message: str) -> NoReturn:
    from reports.views.text import printable

    sys.stderr.write(f"attnbench: {printable(' '.join(message.split()))}\n")
    sys.exit(2)


if __name__ == "__main__":
    main()
