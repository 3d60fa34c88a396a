"""From a script to its workload, to a run, to the mix inside the script."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.command_line.program import ROOT, run_here, start

SCRIPT = """
import torch
from torch.nn.functional import scaled_dot_product_attention

torch.manual_seed(0)
q, k, v = (torch.randn(1, 2, 64, 16) for _ in range(3))

def step():
    with torch.no_grad():
        first = scaled_dot_product_attention(q, k, v, is_causal=True)
        return scaled_dot_product_attention(first, k, v)

if __name__ == "__main__":
    for _ in range(5):
        step()
"""
WITH_MIX = """
import sys

import script
from run_bench import substituted

expected = script.step()
with substituted("dispatch.json") as found:
    out = script.step()
import torch
torch.testing.assert_close(out, expected)
print(sum(found.replaced.values()), sum(found.left.values()))
"""


def test_a_script_is_recorded_measured_and_given_the_mix(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    recorded = start("record", "--steps", "5", "--", sys.executable, "script.py", cwd=tmp_path)
    assert recorded.returncode == 0, recorded.stderr

    words = ("--workload", "workload.jsonl", "--impl", "naive", "--sessions", "2")
    ran = run_here("run", *words, "--out", "page", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "step of script.py: attention takes" in ran.stdout
    exported = run_here("export", "--format", "dispatch", "--to", "dispatch.json", cwd=tmp_path)
    assert exported.returncode == 0, exported.stderr
    table = json.loads((tmp_path / "dispatch.json").read_text())
    (step,) = table["steps"]
    assert {each["implementation"] for each in step["changes"]} == {"naive"}
    assert sum(each["calls"] for each in step["changes"]) == 2

    table["mix"] = [  # whichever is faster here
        {"problem": each["problems"][0], "implementation": "naive"} for each in step["changes"]
    ]
    (tmp_path / "dispatch.json").write_text(json.dumps(table))
    (tmp_path / "with_mix.py").write_text(WITH_MIX)
    done = subprocess.run(
        [sys.executable, "with_mix.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["2", "0"]
    assert "attnbench: 2 attention calls replaced, 0 not" in done.stderr
