"""The command line of attnbench: every command is a short table of contents."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, cast

import typer

from suites.records.address import DEFAULT_STORE, without_password
from suites.request.suites import SUITES, named

if TYPE_CHECKING:
    from collections.abc import Callable

    from suites.conducting import Conducted, Live
    from suites.engine.run import Listener
    from suites.request.planning import Request

PLAN_FREE = ("resume", "store", "out", "as_json")

# The class behind everything typer has to say of a command line; not all releases export it.
COMMAND_LINE_ERROR = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[2])

app = typer.Typer(
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Attention implementations behind one interface: proven to agree, then measured together.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Names = Annotated[
    list[str] | None, typer.Argument(metavar="NAME", help="NAME, FILE.py or FILE.py:FUNCTION.")
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
Out = Annotated[
    Path | None,
    typer.Option(help="Folder for the page and charts; results/RUN unless told.", metavar="DIR"),
]
TimeLimit = Annotated[
    float,
    typer.Option(metavar="S", help="Seconds that one implementation may spend on one problem."),
]
MemoryLimit = Annotated[
    float | None,
    typer.Option(metavar="GIB", help="GiB that one call may add; 80 % of what is available."),
]
Threads = Annotated[
    str | None,
    typer.Option(metavar="LIST", help="OpenMP threads, bound to CPUs: 1,2; as many as there are."),
]


@app.callback(invoke_without_command=True)
def default(context: typer.Context) -> None:
    """Without a command: run the quick suite on this machine's best device, then report."""
    if context.invoked_subcommand is None:
        from suites.request.planning import Request  # noqa: PLC0415 - help answers without it

        _begin(Request(suite=named("quick")), DEFAULT_STORE, None, as_json=False)


@app.command()
def run(  # noqa: PLR0913 - each parameter is an option of the command line
    context: typer.Context,
    suite: Annotated[
        str, typer.Argument(metavar="SUITE", help=f"One of {', '.join(SUITES)}.")
    ] = "quick",
    *,
    impl: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="NAME, FILE.py or FILE.py:FUNCTION; again for more. All, unless told.",
        ),
    ] = None,
    problem: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WORDS", help='A problem, as "b1 h8 t4096 d64 causal"; again for more.'
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Whom the others are compared with; sdpa_flash."),
    ] = None,
    seq: Annotated[
        str | None, typer.Option(metavar="LIST", help="Lengths: 128,256 or Tq/Tk.")
    ] = None,
    heads: Annotated[str | None, typer.Option(metavar="LIST", help="Heads: 1,8 or Hq/Hk.")] = None,
    kv_heads: Annotated[
        int | None, typer.Option(metavar="N", help="Key heads of every problem.")
    ] = None,
    batch: Annotated[str | None, typer.Option(metavar="LIST", help="Batch sizes.")] = None,
    head_dim: Annotated[str | None, typer.Option(metavar="LIST", help="Head dimensions.")] = None,
    device: Annotated[str | None, typer.Option(metavar="LIST", help="cpu, cuda, mps.")] = None,
    dtype: Annotated[
        str | None, typer.Option(metavar="LIST", help="float32,bfloat16,float16,float64.")
    ] = None,
    mask: Annotated[
        str | None, typer.Option(metavar="LIST", help="full,causal,window:256.")
    ] = None,
    bias: Annotated[
        str | None, typer.Option(metavar="LIST", help="none,alibi,relative:32.")
    ] = None,
    passes: Annotated[
        str | None, typer.Option("--pass", metavar="LIST", help="forward,training.")
    ] = None,
    sessions: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Fresh processes that time every problem; 5, with --problem 2 to 5, as many as "
            "end soon.",
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="PART",
            help="Half-width of a ratio's interval, as 1%, that ends the sessions of a problem; "
            "--sessions, 20 unless told, is then the most.",
        ),
    ] = None,
    delta: Annotated[str, typer.Option(metavar="PART", help="What counts as a difference.")] = "1%",
    cache: Annotated[
        str, typer.Option(metavar="STATE", help="hot, or cold: emptied before each call.")
    ] = "hot",
    allocator: Annotated[
        str,
        typer.Option(metavar="NAME", help="default, or retain: freed memory is kept."),
    ] = "default",
    time_limit: TimeLimit = 60.0,
    memory_limit: MemoryLimit = None,
    budget: Annotated[
        float | None, typer.Option(metavar="MIN", help="Minutes for the whole run.")
    ] = None,
    threads: Threads = None,
    store: StoreUrl = DEFAULT_STORE,
    out: Out = None,
    resume: Annotated[
        str | None,
        typer.Option(metavar="[RUN]", help="Finish a run: the latest, unless one is named."),
    ] = None,
    as_json: Lines = False,
) -> None:
    """Check agreement, measure time and memory, and leave a page and charts."""
    from suites.request.planning import Request  # noqa: PLC0415 - help answers without it

    if resume is not None:
        _expect_no_plan_options(context)
        _resume(resume, store, out, as_json=as_json)
        return
    if problem and _given(context, "suite"):
        raise ValueError(f"a suite ({suite}) and --problem; expected one or the other")
    axes = {
        "--seq": seq,
        "--heads": heads,
        "--batch": batch,
        "--head-dim": head_dim,
        "--device": device,
        "--dtype": dtype,
        "--mask": mask,
        "--bias": bias,
        "--pass": passes,
    }
    request = Request(
        suite=named(suite),
        specs=tuple(impl) if impl else None,
        problems=tuple(problem or ()),
        axes={option: text for option, text in axes.items() if text is not None},
        key_heads=kv_heads,
        sessions=sessions,
        time_limit_s=time_limit,
        memory_limit_gib=memory_limit,
        budget_min=budget,
        threads=threads,
        against=against,
        precision=precision,
        delta=delta,
        cache=cache,
        allocator=allocator,
    )
    _begin(request, store, out, as_json=as_json)


@app.command()
def check(
    names: Names = None,
    *,
    time_limit: TimeLimit = 60.0,
    memory_limit: MemoryLimit = None,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Check agreement alone, on the suite `agreement`; exit 1 for anything else than agreement.

    Of a function without a decorator it also finds out what it can do, and prints the Limits that
    say so.
    """
    from reports.analysis import Analysis  # noqa: PLC0415 - help answers without them
    from reports.printing import plain, probed, terminal  # noqa: PLC0415 - likewise
    from reports.printing.console import console, print_json, print_tables  # noqa: PLC0415 - likewise
    from reports.printing.ending import exit_status  # noqa: PLC0415 - likewise
    from suites import conducting  # noqa: PLC0415 - likewise
    from suites.request.planning import Request  # noqa: PLC0415 - likewise

    request = Request(
        suite=named("agreement"),
        specs=tuple(names) if names else None,
        time_limit_s=time_limit,
        memory_limit_gib=memory_limit,
        threads=threads,
    )
    screen, further = terminal.Screen, probed.ProbeScreen
    shown = [each(console(stderr=True), quiet=as_json) for each in (screen, further)]
    done, found = conducting.check(request, _command(), *shown)
    analysis = Analysis(done.run, done.records)
    if as_json:
        data = {"probed": [probed.as_data(each) for each in found]} if found else {}
        print_json({**plain.as_data(analysis), **data})
    else:
        probes = (line for each in found for line in probed.tables(each))
        print_tables([*terminal.check_tables(analysis), *probes])
    falls_short = any(each.claims_too_much for each in found)
    raise typer.Exit(1 if falls_short else exit_status(done.records, strict=True))


@app.command()
def report(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...", help="A run's name, latest or latest~1; several: their history."
        ),
    ] = None,
    *,
    last: Annotated[
        int | None, typer.Option(metavar="N", min=2, help="The history of the newest N runs.")
    ] = None,
    anyway: Anyway = False,
    store: StoreUrl = DEFAULT_STORE,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Make the page and the charts of a stored run, or the history of several."""
    from reports.printing import ending  # noqa: PLC0415 - help answers without them
    from suites.records.store import Store  # noqa: PLC0415 - likewise

    if last and names:
        raise ValueError(f"--last {last} beside {names[0]}; expected one or the other")
    kept = Store.open(store, create=False)
    wanted = kept.newest(last) if last else names or ["latest"]
    if len(wanted) == 1:
        stored = kept.run(wanted[0])
        ending.report(stored, kept.records(stored.name), out, as_json=as_json)
        return
    sides = [(each, kept.records(each.name)) for each in map(kept.run, wanted)]
    ending.report_history(sides, out, anyway=anyway, as_json=as_json)


@app.command()
def compare(  # noqa: PLR0913 - each parameter is an option of the command line
    base: Annotated[str, typer.Argument(metavar="BASE", help="A run, or with --run a name.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="What is held against it.")],
    *,
    run: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="BASE and NEW are implementations of this run."),
    ] = None,
    delta: Annotated[
        str | None, typer.Option(metavar="PART", help="What counts as a difference; the run's.")
    ] = None,
    fail_if_slower: Annotated[
        str | None,
        typer.Option(
            metavar="PART",
            help="Exit 1 when NEW is slower by more than this, as 3%, or nothing could be judged.",
        ),
    ] = None,
    anyway: Anyway = False,
    store: StoreUrl = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Compare two runs, or two implementations of one run: ratio, interval, verdict."""
    from reports.judging import compare as compared  # noqa: PLC0415 - help answers without them
    from reports.judging.verdict_tables import compare_tables  # noqa: PLC0415 - likewise
    from reports.printing import plain  # noqa: PLC0415 - likewise
    from reports.printing.console import print_json, print_tables  # noqa: PLC0415 - likewise
    from reports.printing.ending import expect_comparable, gate_status  # noqa: PLC0415 - likewise
    from suites.records.store import Store  # noqa: PLC0415 - likewise
    from suites.request.planning import fraction  # noqa: PLC0415 - likewise

    limit = None if fail_if_slower is None else fraction("--fail-if-slower", fail_if_slower)
    counts = None if delta is None else fraction("--delta", delta)
    kept = Store.open(store, create=False)
    if run is not None:
        of = kept.run(run)
        if counts is not None:
            of = replace(of, plan=replace(of.plan, delta=counts))
        found = compared.implementations(of, kept.records(of.name), base, new)
    else:
        pair = [kept.run(base), kept.run(new)]
        sides = [(each, kept.records(each.name)) for each in pair]
        found = compared.runs(*sides[0], *sides[1], delta=counts)
    expect_comparable(found, anyway=anyway)
    if as_json:
        print_json(plain.compared(found))
    else:
        print_tables(compare_tables(found))
    raise typer.Exit(0 if limit is None else gate_status(found, limit))


@app.command()
def export(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run's name, latest or latest~1.")
    ] = "latest",
    *,
    form: Annotated[
        str,
        typer.Option(
            "--format", metavar="NAME", help="csv, json, parquet, pytest-benchmark or dispatch."
        ),
    ] = "csv",
    to: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Where to; beside the run's page.")
    ] = None,
    store: StoreUrl = DEFAULT_STORE,
) -> None:
    """Write a stored run for other programs."""
    from reports.exporting.export import EXTENSIONS, from_store  # noqa: PLC0415 - help answers without them
    from reports.folder import RESULTS  # noqa: PLC0415 - likewise
    from reports.printing.console import print_paths  # noqa: PLC0415 - likewise
    from suites.records.store import Store  # noqa: PLC0415 - likewise

    kept = Store.open(store, create=False)
    stored = kept.run(run)
    target = to or RESULTS / stored.name / f"{form}.{EXTENSIONS.get(form, 'json')}"
    print_paths(from_store(kept, stored, form, target))


@app.command("list")
def list_(
    what: Annotated[
        str, typer.Argument(help="implementations, suites, runs or machine.")
    ] = "implementations",
    *,
    store: StoreUrl = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """List implementations with their limits, suites, stored runs, or what this machine is."""
    from reports.printing.console import print_json, print_tables  # noqa: PLC0415 - help answers without them
    from suites import listing  # noqa: PLC0415 - likewise

    data = listing.of(what, store)
    if as_json:
        print_json(data)
        return
    from reports.printing import terminal  # noqa: PLC0415 - programs need no tables

    print_tables([terminal.listed(what, data)])


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
    from reports.printing import selftest as found  # noqa: PLC0415 - help answers without them
    from reports.printing.console import console, print_json, print_tables  # noqa: PLC0415 - likewise
    from reports.printing.terminal import Screen  # noqa: PLC0415 - likewise
    from suites.calibrate import selftest as test  # noqa: PLC0415 - likewise

    with Screen(console(stderr=True), quiet=as_json) as screen:
        screen.phase("measuring what is known", test.steps(sessions))
        findings = test.conduct(sessions=sessions, threads=threads, advance=screen.advance)
    if as_json:
        print_json(found.as_data(findings))
    else:
        print_tables(found.tables(findings))
    raise typer.Exit(1 if findings.faults else 0)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="What the implementation is called.")],
) -> None:
    """Write impls/NAME.py from a template, ready to check."""
    from impls import create  # noqa: PLC0415 - help answers without them
    from reports.printing.console import print_line  # noqa: PLC0415 - likewise

    print_line(f"{create(name)}\ncheck it with: python run_bench.py check {name}")


def main() -> None:
    """Run the command line; a user's mistake is one line and status 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a letter that the locale lacks is spelt out
            stream.reconfigure(errors="backslashreplace")
    arguments = _with_latest(sys.argv[1:])
    try:
        status = typer.main.get_command(app)(arguments, "run_bench.py", standalone_mode=False)
    except ValueError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except COMMAND_LINE_ERROR as error:
        asked = error.ctx.command_path if error.ctx else "run_bench.py"
        _fail(f"{error.format_message()} (python {asked} --help)")
    else:
        sys.exit(status)


def _begin(request: Request, url: str, out: Path | None, *, as_json: bool) -> NoReturn:
    """Plan a run, carry it out, and report it."""
    from suites.conducting import NOT_KEPT, begin  # noqa: PLC0415 - help answers without it

    if url in (NOT_KEPT, f"{NOT_KEPT}/", f"{NOT_KEPT}/:memory:"):
        raise ValueError(f"--store {url!r} keeps no run; expected a file, as {DEFAULT_STORE}")
    _carry_out(partial(begin, request, url, _command()), out, as_json=as_json)


def _resume(name: str, url: str, out: Path | None, *, as_json: bool) -> NoReturn:
    """Carry out the plan of a stored run, minus its records, and report it."""
    from suites.conducting import resume  # noqa: PLC0415 - help answers without it

    _carry_out(partial(resume, name, url), out, as_json=as_json)


def _carry_out(
    conduct: Callable[[Live, Listener | None], Conducted], out: Path | None, *, as_json: bool
) -> NoReturn:
    from reports.folder import RESULTS, expect_folder  # noqa: PLC0415 - help answers without them
    from reports.printing.console import console, print_line  # noqa: PLC0415 - likewise
    from reports.printing.stream import Stream  # noqa: PLC0415 - likewise
    from reports.printing.terminal import Screen  # noqa: PLC0415 - likewise
    from suites.conducting import StoppedError, unstated  # noqa: PLC0415 - likewise

    expect_folder(out or RESULTS)
    lines = Stream(sys.stdout) if as_json else None
    try:
        done = conduct(Screen(console(stderr=True), quiet=as_json), lines)
    except StoppedError as stopped:
        again = "" if out is None else f" --out {shlex.quote(str(out))}"
        print_line(f"{stopped}{again}", stderr=True)
        raise
    from reports.printing import ending  # noqa: PLC0415 - nothing is drawn until all is measured

    ending.report(done.run, done.records, out, as_json=as_json, lines=lines)
    for name, file in unstated(done):
        asked = shlex.join(["python", "run_bench.py", "check", str(file)])
        print_line(f"{name} states no Limits; what it can do is found out by: {asked}", stderr=True)
    raise typer.Exit(ending.exit_status(done.records))


def _expect_no_plan_options(context: typer.Context) -> None:
    given = [
        f"--{name.replace('_', '-').replace('passes', 'pass')}"
        for name in context.params
        if name not in PLAN_FREE and _given(context, name)
    ]
    if given:
        raise ValueError(
            f"--resume executes the stored plan, and {', '.join(given)} would change it; "
            "leave it out or start a new run"
        )


def _given(context: typer.Context, parameter: str) -> bool:
    return getattr(context.get_parameter_source(parameter), "name", "") == "COMMANDLINE"


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
    from reports.words import printable  # noqa: PLC0415 - help answers without it

    sys.stderr.write(f"attnbench: {printable(' '.join(message.split()))}\n")
    sys.exit(2)


if __name__ == "__main__":
    main()
