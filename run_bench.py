"""The command line of attnbench: every command is a short table of contents."""

from __future__ import annotations

import json
import shlex
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, cast

import typer

from suites.catalogue import SUITES, named
from suites.records.address import DEFAULT_STORE, without_password

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from reports.judging.compare import Comparison
    from reports.printing.stream import Stream
    from reports.printing.terminal import Screen
    from suites.engine.processes import Processes
    from suites.probing import Probed
    from suites.records.record import Record
    from suites.records.store import Run, Store
    from suites.request import Request

RESULTS = Path("results")
NOT_KEPT = "sqlite://"
"""The store of a check: nothing of it is kept."""
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
        from suites.request import Request  # noqa: PLC0415 - help answers without it

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
        int | None, typer.Option(metavar="N", help="Fresh processes that time every problem.")
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
    from suites.request import Request  # noqa: PLC0415 - help answers without it

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
    from reports.analysis import Analysis  # noqa: PLC0415 - likewise
    from reports.printing import plain, probed, terminal  # noqa: PLC0415 - help answers without them
    from suites.records.store import Run, Store, now  # noqa: PLC0415 - likewise
    from suites.request import Request, prepare, processes_for  # noqa: PLC0415 - likewise

    request = Request(
        suite=named("agreement"),
        specs=tuple(names) if names else None,
        time_limit_s=time_limit,
        memory_limit_gib=memory_limit,
        threads=threads,
    )
    with processes_for(request) as processes:
        plan, machine = prepare(request, processes)
        kept = Store.open(NOT_KEPT)
        stored = Run(name="check", started=now(), command=_command(), plan=plan, machine=machine)
        kept.begin(stored)
        records = _conduct(stored, kept, processes, _screen(quiet=as_json))
        found = _probe(stored, records, kept, processes, quiet=as_json)
    analysis = Analysis(stored, records)
    if as_json:
        data = {"probed": [probed.as_data(each) for each in found]} if found else {}
        _print_json({**plain.as_data(analysis), **data})
    else:
        probes = (line for each in found for line in probed.tables(each))
        _console().print(*terminal.check_tables(analysis), *probes, sep="\n")
    falls_short = any(each.falls_short for each in found)
    raise typer.Exit(1 if falls_short else _exit_status(records, strict=True))


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
    from suites.records.store import Store  # noqa: PLC0415 - help answers without it

    if last and names:
        raise ValueError(f"--last {last} beside {names[0]}; expected one or the other")
    kept = Store.open(store, create=False)
    wanted = kept.newest(last) if last else names or ["latest"]
    if len(wanted) == 1:
        stored = kept.run(wanted[0])
        _report(stored, kept.records(stored.name), _folder(out, stored), as_json=as_json)
        return
    sides = [(each, kept.records(each.name)) for each in map(kept.run, wanted)]
    _history(sides, out, anyway=anyway, as_json=as_json)


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
        typer.Option(metavar="PART", help="Exit 1 when NEW is slower by more than this, as 3%."),
    ] = None,
    anyway: Anyway = False,
    store: StoreUrl = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Compare two runs, or two implementations of one run: ratio, interval, verdict."""
    from reports.judging import compare as compared  # noqa: PLC0415 - help answers without them
    from reports.judging.verdict_tables import compare_tables  # noqa: PLC0415 - likewise
    from reports.printing import plain  # noqa: PLC0415 - likewise
    from suites.records.store import Store  # noqa: PLC0415 - likewise
    from suites.request import fraction  # noqa: PLC0415 - likewise

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
    _expect_comparable(found, anyway=anyway)
    if as_json:
        _print_json(plain.compared(found))
    else:
        _console().print(*compare_tables(found), sep="\n")
    slower = limit is not None and len(compared.slower_beyond(found.table, limit)) > 0
    raise typer.Exit(1 if slower else 0)


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
    from suites.records.store import Store  # noqa: PLC0415 - likewise

    kept = Store.open(store, create=False)
    stored = kept.run(run)
    target = to or RESULTS / stored.name / f"{form}.{EXTENSIONS.get(form, 'json')}"
    _print_paths(map(str, from_store(kept, stored, form, target)))


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
    from suites import listing  # noqa: PLC0415 - help answers without it

    data = listing.of(what, store)
    if as_json:
        _print_json(data)
        return
    from reports.printing import terminal  # noqa: PLC0415 - programs need no tables

    _console().print(terminal.listed(what, data))


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
    from reports.printing.terminal import Screen  # noqa: PLC0415 - likewise
    from suites import selftest as test  # noqa: PLC0415 - likewise

    with Screen(_console(stderr=True), quiet=as_json) as screen:
        screen.phase("measuring what is known", test.steps(sessions))
        findings = test.conduct(sessions=sessions, threads=threads, advance=screen.advance)
    if as_json:
        _print_json(found.as_data(findings))
    else:
        _console().print(*found.tables(findings), sep="\n")
    raise typer.Exit(1 if findings.faults else 0)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="What the implementation is called.")],
) -> None:
    """Write impls/NAME.py from a template, ready to check."""
    from impls import create  # noqa: PLC0415 - help answers without it

    path = create(name)
    _console().print(f"{path}\ncheck it with: python run_bench.py check {name}", highlight=False)


def main() -> None:
    """Run the command line; a user's mistake is one line and status 2."""
    arguments = _with_latest(sys.argv[1:])
    try:
        status = typer.main.get_command(app)(arguments, "run_bench.py", standalone_mode=False)
    except ValueError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except COMMAND_LINE_ERROR as error:
        _fail(f"{error.format_message()} (python run_bench.py --help)")
    else:
        sys.exit(status)


def _begin(request: Request, url: str, out: Path | None, *, as_json: bool) -> None:
    """Plan a run, store the plan, and carry it out."""
    from reports.folder import expect_folder  # noqa: PLC0415 - help answers without them
    from reports.printing.stream import Stream  # noqa: PLC0415 - likewise
    from suites.records.store import Run, Store, now  # noqa: PLC0415 - likewise
    from suites.request import prepare, processes_for  # noqa: PLC0415 - likewise

    expect_folder(out or RESULTS)
    lines = Stream(sys.stdout) if as_json else None
    with processes_for(request) as processes:
        plan, machine = prepare(request, processes)
        kept = Store.open(url)
        name = kept.unused_name(plan.suite)
        stored = Run(name=name, started=now(), command=_command(), plan=plan, machine=machine)
        kept.begin(stored)
        records = _conduct(stored, kept, processes, _screen(quiet=as_json), lines)
    _end(stored, kept, records, out, lines)


def _resume(name: str, url: str, out: Path | None, *, as_json: bool) -> None:
    """Carry out the plan of a stored run, minus its records."""
    from reports.folder import expect_folder  # noqa: PLC0415 - help answers without them
    from reports.printing.stream import Stream  # noqa: PLC0415 - likewise
    from suites.records.store import Store  # noqa: PLC0415 - likewise
    from suites.request import expect_unchanged, processes_of  # noqa: PLC0415 - likewise

    kept = Store.open(url, create=False)
    stored = kept.run(name)
    expect_unchanged(stored)
    expect_folder(out or RESULTS)
    lines = Stream(sys.stdout) if as_json else None
    with processes_of(stored.plan) as processes:
        records = _conduct(stored, kept, processes, _screen(quiet=as_json), lines)
    _end(stored, kept, records, out, lines)


def _end(
    stored: Run, kept: Store, records: list[Record], out: Path | None, lines: Stream | None
) -> None:
    """The report of a run that is done."""
    folder = _folder(out, stored)
    _report(kept.run(stored.name), records, folder, as_json=lines is not None, lines=lines)
    raise typer.Exit(_exit_status(records))


def _screen(*, quiet: bool) -> Screen:
    from reports.printing.terminal import Screen  # noqa: PLC0415 - help answers without it

    return Screen(_console(stderr=True), quiet=quiet)


def _conduct(
    stored: Run, kept: Store, processes: Processes, screen: Screen, lines: Stream | None = None
) -> list[Record]:
    """The records of a run that is carried out; stopped by hand, it says how to finish it.

    lines  hears of the records in place of the screen
    """
    from suites.engine.run import Conductor  # noqa: PLC0415 - help answers without it

    try:
        with screen:
            return Conductor(
                run=stored,
                store=kept,
                listener=lines or screen,
                processes=processes,
                begins=screen.problem,
            ).conduct()
    except KeyboardInterrupt:
        if kept.url == NOT_KEPT:
            raise
        url = "" if kept.url == DEFAULT_STORE else f" --store {shlex.quote(kept.shown)}"
        _console(stderr=True).print(
            f"stopped; {len(kept.records(stored.name))} records are stored; finish with: "
            f"python run_bench.py run --resume {stored.name}{url}",
            highlight=False,
            soft_wrap=True,
        )
        raise


def _probe(
    stored: Run, records: list[Record], kept: Store, processes: Processes, *, quiet: bool
) -> list[Probed]:
    """What each plain function of a check can do, asked in the check's own processes."""
    from reports.printing.probed import ProbeScreen  # noqa: PLC0415 - help answers without them
    from suites.engine.run import Conductor  # noqa: PLC0415 - likewise
    from suites.probing import is_plain, probe  # noqa: PLC0415 - likewise

    def conduct(further: Run) -> list[Record]:
        kept.begin(further)
        return Conductor(run=further, store=kept, listener=screen, processes=processes).conduct()

    with ProbeScreen(_console(stderr=True), quiet=quiet) as screen:
        plain = [entry for entry in stored.plan.entries if is_plain(entry)]
        return [probe(entry, stored, records, conduct) for entry in plain]


def _report(
    stored: Run,
    records: list[Record],
    folder: Path,
    *,
    as_json: bool,
    lines: Stream | None = None,
) -> None:
    """Write page and charts, and print the table or JSON, then the paths."""
    from reports import write  # noqa: PLC0415 - help answers without them
    from reports.analysis import Analysis  # noqa: PLC0415 - likewise
    from reports.printing import plain, terminal  # noqa: PLC0415 - help answers without them

    analysis = Analysis(stored, records)
    made = write(analysis, folder)
    paths = [str(path) for path in (made.page, *made.charts)]
    if as_json:
        data = {**plain.as_data(analysis), "page": paths[0], "charts": paths[1:]}
        if lines:
            lines.run(data)
        else:
            _print_json(data)
        return
    _console().print(*terminal.summary(analysis), sep="\n")
    _print_paths(paths)


def _history(
    sides: list[tuple[Run, list[Record]]], out: Path | None, *, anyway: bool, as_json: bool
) -> None:
    """Write the page of the newest run with the history of all, and print what changed."""
    from reports import history  # noqa: PLC0415 - help answers without them
    from reports.printing.histories import history_tables  # noqa: PLC0415 - likewise

    found = history.history(sides)
    for change in found.changes:
        _expect_comparable(change, anyway=anyway)
    newest, section = found.analyses[-1].run, history.section(found)
    made = history.write(found, section, out or RESULTS / f"{newest.name}-history")
    paths = [str(path) for path in (made.page, *made.charts)]
    if as_json:
        _print_json({**history.as_data(found), "page": paths[0], "charts": paths[1:]})
        return
    _console().print(*history_tables(found), sep="\n")
    _print_paths(paths)


def _expect_comparable(found: Comparison, *, anyway: bool) -> None:
    if found.differences and not anyway:
        raise ValueError(
            f"{found.base} and {found.new} are not comparable: {'; '.join(found.differences)}; "
            "--anyway compares them all the same, marked"
        )


def _print_paths(paths: Iterable[str]) -> None:
    for path in paths:
        _console().print(path, highlight=False, markup=False, soft_wrap=True)


def _exit_status(records: list[Record], *, strict: bool = False) -> int:
    """0 when every record is an answer and one at least is ok; strict: when all asked agree."""
    from suites.records.record import ANSWERS  # noqa: PLC0415 - help answers without it

    fine = ("ok", "refused", "missing") if strict else ANSWERS
    if any(record.status not in fine for record in records):
        return 1
    if not any(record.status == "ok" for record in records):
        _console(stderr=True).print(
            f"nothing was measured: {_counted(records)}; the reasons stand above "
            "(python run_bench.py list implementations)",
            soft_wrap=True,
        )
        return 1
    return 0


def _counted(records: list[Record]) -> str:
    found = Counter(record.status.replace("_", " ") for record in records)
    return ", ".join(f"{count} {status}" for status, count in found.items())


def _folder(out: Path | None, stored: Run) -> Path:
    return out or RESULTS / stored.name


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


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console  # noqa: PLC0415 - help answers without it

    return Console(stderr=stderr)


def _print_json(data: Any) -> None:
    sys.stdout.write(json.dumps(data, indent=1) + "\n")


def _fail(message: str) -> NoReturn:
    from reports.words import printable  # noqa: PLC0415 - help answers without it

    sys.stderr.write(f"attnbench: {printable(' '.join(message.split()))}\n")
    sys.exit(2)


if __name__ == "__main__":
    main()
