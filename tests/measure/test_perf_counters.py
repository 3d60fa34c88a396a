"""Counters of a call, by perf itself and by programs that act like it."""

from __future__ import annotations

import mmap
import os
import shutil
import sys
import threading
from pathlib import Path

import psutil
import pytest

from suites.measure import perf_counters
from suites.measure.perf_counters import NOT_INSTALLED, NOT_LINUX, read
from suites.measure.perf_output import EVENTS, NO_LINE, NOT_COUNTED, NOT_SUPPORTED, counts
from suites.records.codec import from_json, to_json
from suites.records.perf_counters import PerfCounters

FAKE = """#!{python} -IS
import os, signal, sys

control = next(word for word in sys.argv if word.startswith("--control=fd:"))
socket = int(control.rpartition(",")[2])


def asked(expected, answer="ack\\n\\0"):
    assert os.read(socket, 64).decode() == expected + "\\n"
    os.write(socket, answer.encode())


def printed(text):
    sys.stderr.write(text)
    sys.stderr.flush()


def until_interrupted():
    signal.sigwait([signal.SIGINT])


signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
"""
HARDWARE = "".join(
    f"{800 * at},,{event},1000,100.00,,\n" for at, event in enumerate(list(EVENTS)[:6], 1)
)
SOFTWARE = (
    "23.2,msec,task-clock,2320,100.00,0.6,CPUs utilized\n"
    "6000,,page-faults,2320,100.00,259.5,K/sec\n"
    "16,,context-switches,2320,100.00,821.6,/sec\n"
    "0,,cpu-migrations,2320,100.00,0.000,/sec\n"
)
ABSENT = "".join(f"<not supported>,,{event},0,100.00,,\n" for event in list(EVENTS)[:6])
DENIED = """Error:
Access to performance monitoring and observability operations is limited.
Consider adjusting /proc/sys/kernel/perf_event_paranoid setting to open access
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of a perf that comes first on PATH; tests write its script."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return tmp_path / "perf"


def acts(fake: Path, *lines: str) -> None:
    """Write the script of a fake perf, after its functions."""
    fake.write_text(FAKE.format(python=sys.executable) + "\n".join(lines) + "\n")
    fake.chmod(0o755)


def prints(fake: Path, text: str) -> None:
    """A fake perf that does as it is asked and then prints this."""
    acts(fake, 'asked("enable")', 'asked("disable")', "until_interrupted()", f"printed({text!r})")


def nothing() -> None:
    pass


def denied_at(setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake: Path) -> str:
    """The reason after a perf without permission, at this level of perf_event_paranoid."""
    (tmp_path / "level").write_text(setting)
    monkeypatch.setattr(perf_counters.kernel_setting, "__defaults__", (tmp_path / "level",))
    acts(fake, f"printed({DENIED!r})", "sys.exit(255)")
    found = read(nothing, 1)
    assert not found.values
    return found.reason


def test_counts_are_those_of_one_call(fake: Path) -> None:
    made: list[int] = []
    prints(fake, "Events disabled\nEvents enabled\n" + HARDWARE + SOFTWARE)
    assert read(lambda: made.append(1), 8) == PerfCounters(
        values={
            "instructions": 100.0,
            "cycles": 200.0,
            "cache_references": 300.0,
            "cache_misses": 400.0,
            "dtlb_load_misses": 500.0,
            "itlb_load_misses": 600.0,
            "task_clock_ms": 2.9,
            "page_faults": 750.0,
            "context_switches": 2.0,
            "cpu_migrations": 0.0,
        },
        least_counted=1.0,
    )
    assert len(made) == 8


def test_the_value_is_stored_and_read_back() -> None:
    found = counts(ABSENT + SOFTWARE, 4, 2)
    assert from_json(PerfCounters, to_json(found)) == found


def test_perf_that_is_not_installed_has_its_own_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert read(nothing, 1) == PerfCounters(reason=NOT_INSTALLED)
    assert "perf is not installed; install the package" in NOT_INSTALLED


def test_other_systems_than_linux_have_their_own_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert read(nothing, 1) == PerfCounters(reason=NOT_LINUX)


def test_counters_that_the_machine_lacks_are_named_and_the_others_counted(fake: Path) -> None:
    prints(fake, ABSENT + SOFTWARE)
    found = read(nothing, 8)
    assert found.values == {
        "task_clock_ms": 2.9,
        "page_faults": 750.0,
        "context_switches": 2.0,
        "cpu_migrations": 0.0,
    }
    assert found.absent == dict.fromkeys(list(EVENTS.values())[:6], NOT_SUPPORTED)
    assert NOT_SUPPORTED.startswith("not supported on this machine: ")
    assert found.reason == ""


def test_a_missing_permission_names_the_setting_and_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake: Path
) -> None:
    reason = denied_at("4\n", tmp_path, monkeypatch, fake)
    assert "not permitted; kernel.perf_event_paranoid is 4;" in reason
    assert reason.endswith("permit it with: sudo sysctl kernel.perf_event_paranoid=1")


@pytest.mark.parametrize("setting", ["2\n", "-1\n"])
def test_a_sandbox_that_forbids_what_the_setting_permits_is_named(
    setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake: Path
) -> None:
    reason = denied_at(setting, tmp_path, monkeypatch, fake)
    assert f"kernel.perf_event_paranoid is {setting.strip()}, which permits it" in reason
    assert reason.endswith("docker run --cap-add PERFMON")


def test_a_setting_that_cannot_be_read_is_not_invented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake: Path
) -> None:
    reason = denied_at("high", tmp_path, monkeypatch, fake)
    assert "not permitted; kernel.perf_event_paranoid cannot be read;" in reason


def test_in_user_space_only_events_of_the_kernel_are_not_zero_but_absent() -> None:
    lines = SOFTWARE.replace(",2320", ":u,2320")
    found = counts(HARDWARE.replace(",1000", ":u,1000") + lines, 8, 2)
    assert found.user_only
    assert found.values["instructions"] == 100.0
    assert list(found.absent) == ["context_switches", "cpu_migrations"]
    (reason,) = set(found.absent.values())
    assert reason.startswith("not permitted: perf counts user space only, because kernel.perf_")
    assert reason.endswith("_event_paranoid is 2; 1 permits more")
    assert not counts(HARDWARE.replace(",1000", ":ukH,1000"), 8, 1).user_only


def test_the_cores_of_a_hybrid_processor_are_summed() -> None:
    lines = "70,,cpu_core/cycles/,900,90.00,,\n10,,cpu_atom/cycles/,100,10.00,,\n"
    found = counts(lines, 8, 1)
    assert found.values == {"cycles": 10.0}
    assert found.absent["instructions"] == NO_LINE
    lines = "80,,cpu_core/cycles/u,900,100.00,,\n<not counted>,,cpu_atom/cycles/u,0,0.00,,\n"
    assert counts(lines, 8, 1).values == {"cycles": 10.0}


def test_counters_that_share_the_processors_few_are_seen() -> None:
    assert counts(HARDWARE.replace("100.00", "62.50", 1), 8, 1).least_counted == 0.625
    assert counts(HARDWARE.replace("100.00", ""), 8, 1).least_counted is None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("<not counted>,,cycles,0,0.00,,", NOT_COUNTED),
        ("many,,cycles,1000,100.00,,", "perf printed 'many', expected a number"),
        ("nan,,cycles,1000,100.00,,", "perf printed 'nan', expected a number"),
        ("-8,,cycles,1000,100.00,,", "perf printed '-8', expected a number"),
    ],
)
def test_a_count_that_is_no_number_is_absent(line: str, reason: str) -> None:
    found = counts(f"{line}\n", 8, 1)
    assert found.absent["cycles"] == reason
    assert found.reason == f"{NO_LINE}; {reason}"


@pytest.mark.parametrize(("unit", "ms"), [("msec", 3.0), ("nsec", 3e-6)])
def test_the_task_clock_is_in_milliseconds(unit: str, ms: float) -> None:
    found = counts(f"24,{unit},task-clock,2320,100.00,,\n", 8, 1)
    assert found.values == {"task_clock_ms": pytest.approx(ms)}


def test_a_task_clock_in_an_unknown_unit_is_absent() -> None:
    found = counts("24,days,task-clock,2320,100.00,,\n", 8, 1)
    assert found.absent["task_clock_ms"] == "perf printed it in 'days', expected msec"


@pytest.mark.parametrize(("text", "said"), [("Events disabled\n", ""), ("\nhello\n", "hello")])
def test_output_without_any_count_is_quoted(fake: Path, text: str, said: str) -> None:
    prints(fake, text)
    reason = f"hardware counters were not read: perf printed {said!r}, expected counts"
    assert read(nothing, 1) == PerfCounters(reason=reason)


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ((), "confirm 'enable'"),
        (('asked("enable")',), "confirm 'disable'"),
        (('asked("enable")', 'asked("disable")'), "print its counts"),
    ],
)
def test_a_perf_that_hangs_is_stopped(fake: Path, lines: tuple[str, ...], wanted: str) -> None:
    acts(fake, *lines, "signal.sigwait([signal.SIGTERM])")
    before = psutil.Process().children()
    reason = f"hardware counters were not read: perf did not {wanted} within 2 s and was stopped"
    assert read(nothing, 1, limit_s=2) == PerfCounters(reason=reason)
    assert psutil.Process().children() == before


@pytest.mark.parametrize("before", [(), ('asked("enable")',)])
def test_a_perf_that_ends_early_is_quoted(fake: Path, before: tuple[str, ...]) -> None:
    acts(fake, *before, 'printed("Error:\\nUnknown option `control\'\\n")', "sys.exit(129)")
    assert read(nothing, 1).reason == (
        "hardware counters were not read: perf ended before it counted and printed "
        '"Unknown option `control\'"'
    )


def test_an_answer_that_is_no_confirmation_is_quoted(fake: Path) -> None:
    acts(fake, 'asked("enable", "what?")', "until_interrupted()")
    found = "perf answered b'what?' to 'enable', expected 'ack'"
    assert read(nothing, 1).reason == f"hardware counters were not read: {found}"


def test_a_perf_that_cannot_be_started_is_named(fake: Path) -> None:
    fake.write_bytes(b"\x7fELF of another processor")
    fake.chmod(0o755)
    reason = read(nothing, 1).reason
    assert reason.startswith(f"hardware counters were not read: {fake} cannot be started: ")


def test_an_error_of_the_call_is_raised_and_perf_ends(fake: Path) -> None:
    acts(fake, 'asked("enable")', "until_interrupted()")
    before = psutil.Process().children()
    with pytest.raises(ZeroDivisionError):
        read(lambda: 1 / 0, 1)
    assert psutil.Process().children() == before


def installed() -> None:
    """Skip a test without perf, or fail it where perf is required."""
    lacking = "" if shutil.which("perf") else "perf is not installed"
    if lacking and "perf" in os.environ.get("ATTNBENCH_REQUIRE", ""):
        pytest.fail(f"ATTNBENCH_REQUIRE names perf: {lacking}")
    if lacking:
        pytest.skip(lacking)


def test_a_perf_that_is_required_and_not_there_is_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setenv("ATTNBENCH_REQUIRE", "chromium,perf")
    with pytest.raises(pytest.fail.Exception, match="REQUIRE names perf: perf is not installed"):
        installed()
    monkeypatch.setenv("ATTNBENCH_REQUIRE", "")
    with pytest.raises(pytest.skip.Exception, match="perf is not installed"):
        installed()


def touch(pages: int) -> None:
    """Fault this many new pages."""
    with mmap.mmap(-1, pages * mmap.PAGESIZE) as memory:
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        for page in range(pages):
            memory[page * mmap.PAGESIZE] = 1


def test_perf_counts_all_threads_of_the_process_and_only_the_calls() -> None:
    installed()
    begin, ended = threading.Semaphore(0), threading.Semaphore(0)

    def early() -> None:
        for _ in range(2):
            begin.acquire()
            touch(2000)
            ended.release()

    waiting = threading.Thread(target=early)
    waiting.start()

    def call() -> None:
        begin.release()
        ended.acquire()
        later = threading.Thread(target=touch, args=(3000,))
        later.start()
        later.join()
        touch(1000)

    try:
        found = read(call, 2)
    finally:
        begin.release(2)
        waiting.join()
    if "page_faults" not in found.values:
        pytest.skip(f"perf does not count here: {found.reason or found.absent}")
    assert 6000 <= found.values["page_faults"] < 7000
    assert found.values["task_clock_ms"] > 0
    assert set(found.values) | set(found.absent) == set(EVENTS.values())
