"""`record` on scripts: their output, status and signals stay theirs, and no call is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from suites.records import workload
from tests.command_line.program import PROGRAM, call, start

CALLS = """
import sys, torch
import torch.nn.functional as F
def attend(times):
    for _ in range(times):
        q = torch.ones(1, 2, 8, 4)
        F.scaled_dot_product_attention(q, q, q)
"""
FILE = "workload.jsonl"


def script(folder: Path, text: str, name: str = "mine.py") -> str:
    (folder / name).write_text(CALLS + text)
    return name


def record(
    folder: Path, *command: str, options: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    return start("record", *options, "--", *command, cwd=folder)


def count(folder: Path, name: str = FILE) -> int:
    return sum(each.count for each in workload.read(folder / name).calls)


def test_a_script_runs_as_it_is_and_leaves_a_workload(tmp_path: Path) -> None:
    text = "attend(3)\nprint(sys.argv, sys.stdin.read())\nprint('mine', file=sys.stderr)\n"
    command = [sys.executable, script(tmp_path, text), "--resume", "-x", "--out"]
    ended = subprocess.run(
        [sys.executable, str(PROGRAM), "record", "--", *command],
        cwd=tmp_path, input="typed", capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (0, "['mine.py', '--resume', '-x', '--out'] typed\n")
    lines = ended.stderr.splitlines()
    assert lines[0] == "mine"
    assert lines[1].startswith("Recorded 3 calls of 1 problem: attention took ")
    assert lines[2] == "Measure them with: python run_bench.py run --workload workload.jsonl"
    found = workload.read(tmp_path / FILE)
    assert found.header.ended == "exit status 0"
    assert found.header.command.endswith("mine.py --resume -x --out")
    assert found.calls[0].place == "mine.py:7 attend"


def test_an_exception_keeps_its_traceback_and_status(tmp_path: Path) -> None:
    name = script(tmp_path, "attend(2)\nraise SystemError('mine')\n")
    plain = subprocess.run(
        [sys.executable, name], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    ended = record(tmp_path, sys.executable, name)
    assert ended.returncode == plain.returncode == 1
    assert ended.stderr.startswith(plain.stderr)
    assert count(tmp_path) == 2
    assert workload.read(tmp_path / FILE).header.ended == "exit status 1"


@pytest.mark.parametrize("ending", ["os._exit(7)", "os.kill(os.getpid(), 9)", "sys.exit(3)"])
def test_no_call_is_lost_however_a_script_ends(tmp_path: Path, ending: str) -> None:
    ended = record(tmp_path, sys.executable, script(tmp_path, f"import os\nattend(5)\n{ending}\n"))
    status = {"os._exit(7)": 7, "os.kill(os.getpid(), 9)": 137, "sys.exit(3)": 3}[ending]
    assert (ended.returncode, count(tmp_path)) == (status, 5)


@pytest.mark.parametrize("whole_group", [False, True])
def test_an_interrupt_reaches_the_script_once(tmp_path: Path, *, whole_group: bool) -> None:
    text = (
        "import time\nattend(4)\n"
        "try:\n    open('ready', 'w').close()\n    time.sleep(60)\n"
        "except KeyboardInterrupt:\n    print('interrupted')\n    sys.exit(5)\n"
    )
    command = [sys.executable, str(PROGRAM), "record", "--", sys.executable, script(tmp_path, text)]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, process_group=0
    )
    while not (tmp_path / "ready").exists():
        assert process.poll() is None
        time.sleep(0.02)
    if whole_group:
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=300)
    assert (process.returncode, out, count(tmp_path)) == (5, "interrupted\n", 4)


SPAWNING = """
import multiprocessing, os, subprocess
if __name__ == "__main__":
    for method in ("fork", "spawn"):  # no call before: OpenMP does not survive a fork
        child = multiprocessing.get_context(method).Process(target=attend, args=(10,))
        child.start()
        child.join()
        assert child.exitcode == 0
    attend(1)
    subprocess.run([sys.executable, "-c", "import mine; mine.attend(100)"], check=True)
"""


def test_processes_that_the_script_starts_are_recorded(tmp_path: Path) -> None:
    ended = record(tmp_path, sys.executable, script(tmp_path, SPAWNING))
    assert ended.returncode == 0, ended.stderr
    assert (count(tmp_path), workload.read(tmp_path / FILE).header.processes) == (121, 4)


def test_a_module_is_run_by_its_name(tmp_path: Path) -> None:
    script(tmp_path, "attend(2)\n")
    ended = record(tmp_path, sys.executable, "-m", "mine", options=("--out", "other.jsonl"))
    assert (ended.returncode, count(tmp_path, "other.jsonl")) == (0, 2)
    assert "--workload other.jsonl" in ended.stderr


def test_modules_named_like_ours_are_the_scripts(tmp_path: Path) -> None:
    for name in ("impls", "suites", "reports"):
        (tmp_path / f"{name}.py").write_text("mine = True\n")
    text = "import impls, suites, reports\nassert impls.mine and suites.mine\nattend(1)\n"
    assert record(tmp_path, sys.executable, script(tmp_path, text)).returncode == 0


def test_the_sitecustomize_of_the_environment_still_runs(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import builtins\nbuiltins.mine = 'here'\n")
    text = "attend(1)\nprint(mine)\n"
    command = [sys.executable, str(PROGRAM), "record", "--", sys.executable, script(tmp_path, text)]
    ended = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (0, "here\n")


def test_kept_tensors_lie_beside_the_workload(tmp_path: Path) -> None:
    import torch

    text = (
        "q = torch.arange(64.).reshape(1, 2, 8, 4).requires_grad_()\n"
        "F.scaled_dot_product_attention(q, q + 1, q + 2).sum().backward()\nattend(2)\n"
    )
    name = script(tmp_path, text)
    ended = record(tmp_path, sys.executable, name, options=("--keep-tensors", "5"))
    assert ended.returncode == 0, ended.stderr
    first, second = (torch.load(tmp_path / f"call-{number}.pt") for number in (1, 2))
    assert not (tmp_path / "call-3.pt").exists()
    assert first["problem"] == "b1 h2 t8 d4 full fp32 train cpu"
    assert torch.equal(first["q"].flatten(), torch.arange(64.0))
    assert torch.equal(first["v"], first["q"] + 2)
    assert torch.equal(first["grad"], torch.ones(1, 2, 8, 4))
    assert (second["problem"], second["grad"]) == ("b1 h2 t8 d4 full fp32 cpu", None)


def test_no_tensor_is_kept_unless_wanted(tmp_path: Path) -> None:
    record(tmp_path, sys.executable, script(tmp_path, "attend(1)\n"))
    assert list(tmp_path.glob("*.pt")) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "no command to record; expected one"),
        (("--",), "no command to record; expected one"),
        (("--", "python3", "absent.py"), "the script absent.py does not exist"),
        (("--", "python3", "-X", "dev", "absent.py"), "the script absent.py does not exist"),
        (("--", "absent.py"), "absent.py is no command; expected: record -- python absent.py"),
        (("--", "no-such-program"), "the command 'no-such-program' was not found"),
        (("--out", "no/such/w.jsonl", "--", "python3", "-V"), "its folder does not exist"),
        (("--steps", "0", "--", "python3", "-V"), "Invalid value for '--steps'"),
    ],
)
def test_a_mistake_is_one_line_and_runs_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    message: str,
) -> None:
    ended = call("record", *words, monkeypatch=monkeypatch, capsys=capsys, cwd=tmp_path)
    assert ended.status == 2
    assert message in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("true",), "true started no Python process that could be recorded"),
        ((sys.executable, "-c", "print()"), "the script made no attention call"),
        ((sys.executable, "-I", "-c", "print()"), "without -I, -E and -S"),
    ],
)
def test_nothing_recorded_is_one_line_and_leaves_the_old_file(
    tmp_path: Path, command: tuple[str, ...], message: str
) -> None:
    (tmp_path / FILE).write_text("old")
    ended = record(tmp_path, *command)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert (tmp_path / FILE).read_text() == "old"
