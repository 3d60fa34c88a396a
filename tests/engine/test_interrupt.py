"""A run that is stopped by hand, in real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from suites.records.record import Record
from suites.records.store import Store, StoreError

PROGRAM = Path(__file__).parents[2] / "run_bench.py"
HANGS = """
from torch.nn.functional import scaled_dot_product_attention

def hangs(q, k, v):
    if q.shape[2] != 32:  # trials are on another length
        return scaled_dot_product_attention(q, k, v)
    open("hangs.now", "w").close()
    while True:
        pass
"""


def kept(folder: Path) -> list[Record]:
    """The records in the store of a program that was started in a folder; none before it begins."""
    with suppress(StoreError):
        store = Store.open(f"sqlite:///{folder}/results/bench.db", create=False)
        return store.records(store.run("latest").name)
    return []


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="signals go to process groups")
def test_ctrl_c_in_a_call_that_hangs_keeps_the_records_and_names_the_command_to_finish(
    tmp_path: Path,
) -> None:
    (tmp_path / "hangs.py").write_text(HANGS)
    problem = ["--problem", "b1 h2 t32 d16 full"]
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), "run", "--impl", "naive", "--impl", "hangs.py", *problem],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        while process.poll() is None and not ((tmp_path / "hangs.now").exists() and kept(tmp_path)):
            time.sleep(0.05)
        sessions = psutil.Process(process.pid).children(recursive=True)
        assert sessions
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "1 records are stored; finish with: python run_bench.py run --resume" in said
    assert "Traceback" not in said
    [record] = kept(tmp_path)
    assert (record.implementation, record.status) == ("naive", "ok")
    assert [each for each in sessions if each.is_running()] == []
