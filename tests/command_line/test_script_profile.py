"""`profile -- COMMAND` on real scripts: a training script, a decode loop, and mistakes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from suites.records import workload
from tests.command_line.program import call, start
from tests.reports.browser import draw_all, opened

TRAIN = """
import torch
import torch.nn.functional as F
from layers import Layer

torch.manual_seed(0)
model = torch.nn.ModuleList([Layer(), Layer(), torch.nn.Linear(32, 32)])
optimizer = torch.optim.SGD(model.parameters())

def step():
    x = torch.randn(2, 64, 32)
    for layer in model:
        x = layer(x)
    heads = x.view(2, 64, 2, 16).transpose(1, 2)
    loss = F.scaled_dot_product_attention(heads, heads, heads, dropout_p=0.1).square().mean()
    loss.backward()
    optimizer.step()

for _ in range(6):
    step()
print("trained")
"""
LAYERS = """
import torch
import torch.nn.functional as F

class Layer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = torch.nn.Linear(32, 96)

    def forward(self, x):
        q, k, v = self.qkv(x).view(2, 64, 3, 2, 16).permute(2, 0, 3, 1, 4)
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return x + out.transpose(1, 2).flatten(2)
"""
DECODE = """
import sys
import torch
import torch.nn.functional as F

def generate():
    keys = torch.randn(1, 2, 8, 16)
    for _ in range(4):
        keys = torch.cat([keys, torch.randn(1, 2, 1, 16)], 2)
        F.scaled_dot_product_attention(keys[:, :, -1:], keys, keys)

for _ in range(5):
    generate()
sys.exit(7)
"""


def files(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text)


def data(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "profile.json").read_text())
    return found


def shares(found: dict[str, Any]) -> float:
    """Of all lines, set-up and the time outside attention."""
    rest = (found["set_up_ms"] + found["outside_ms"]) / found["unit_ms"]
    return sum(line["share"] for line in found["lines"]) + float(rest)


@pytest.mark.browser
def test_a_training_script_has_its_lines_and_a_page(tmp_path: Path) -> None:
    files(tmp_path, train=TRAIN, layers=LAYERS)
    ended = start("profile", "--out", "out", "--", sys.executable, "train.py", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (0, "trained\n"), ended.stderr
    assert ended.stderr.startswith("Attention takes at least ")
    assert "of a step of " in ended.stderr
    assert "ms, 3 calls from 2 lines." in ended.stderr
    assert "run --workload out/workload.jsonl" in ended.stderr
    assert ended.stderr.splitlines()[-1] == "out/report.html"
    found = data(tmp_path / "out")
    lines = {line["line"]: line for line in found["lines"]}
    assert set(lines) == {"layers.py:12 forward", "train.py:15 step"}
    own, dropout = lines["layers.py:12 forward"], lines["train.py:15 step"]
    assert (own["calls"], own["backward_not_seen"], dropout["calls"]) == (2.0, False, 1.0)
    assert own["backward_ms"] > 0
    assert (dropout["backward_ms"], dropout["backward_not_seen"]) == (None, True)
    assert shares(found) == pytest.approx(1.0)
    assert workload.read(tmp_path / "out" / "workload.jsonl").header.steps == 6
    with opened(tmp_path / "out" / "report.html") as seen:
        draw_all(seen)
        assert seen.complaints == []
        assert seen.view.title() == "Attention in train.py"


def test_one_step_under_the_profiler_says_what_the_rest_is(tmp_path: Path) -> None:
    files(tmp_path, train=TRAIN, layers=LAYERS)
    words = ("--rest", "--out", "out", "--", sys.executable, "train.py")
    ended = start("profile", *words, cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (0, "trained\n"), ended.stderr
    assert "USDT" not in ended.stderr
    assert "One later step under torch's profiler: " in ended.stderr
    found = data(tmp_path / "out")
    step = found["profiled_step"]
    kinds = {each["name"]: each for each in step["kinds"]}
    assert {"attention", "matrix products", "optimizer", "autograd engine"} <= set(kinds)
    assert sum(each["ms"] for each in kinds.values()) == pytest.approx(step["ms"], rel=0.02)
    assert kinds["attention"]["by_phase"].keys() == {"forward", "backward"}
    assert len(found["step_ms"]) == 4  # 6 steps without the first and the profiled one
    assert "What a step spends its time in" in (tmp_path / "out" / "report.html").read_text("utf-8")


OWN_PROFILER = """
import torch.profiler
with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as own:
    import train
assert any(each.key == "aten::mm" for each in own.key_averages())
"""


def test_the_profiler_of_a_script_is_left_alone(tmp_path: Path) -> None:
    files(tmp_path, train=TRAIN, layers=LAYERS, mine=OWN_PROFILER)
    words = ("--rest", "--out", "out", "--", sys.executable, "mine.py")
    ended = start("profile", *words, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "no step was profiled: the script uses a profiler of its own" in ended.stderr
    assert data(tmp_path / "out")["profiled_step"] is None


def test_a_decode_loop_keeps_its_status_and_is_of_the_whole_script(tmp_path: Path) -> None:
    files(tmp_path, decode=DECODE)
    ended = start("profile", "--json", "--", sys.executable, "decode.py", cwd=tmp_path)
    assert ended.returncode == 7, ended.stderr
    assert ended.stderr == ""
    found = json.loads(ended.stdout.splitlines()[-1])
    (folder,) = (tmp_path / "results").iterdir()
    assert folder.name.startswith("decode-2")
    assert data(folder) == found
    assert set(found["files"].values()) == {
        f"results/{folder.name}/{name}"
        for name in ("workload.jsonl", "profile.json", "attention_by_line.png", "report.html")
    }
    (line,) = found["lines"]
    assert (found["unit"], line["line"], line["calls"]) == ("script", "decode.py:10 generate", 20)
    assert len(line["problems"]) == 4
    assert all(each["first_call_ms"] > 0 for each in line["problems"])
    assert shares(found) == pytest.approx(1.0)


def test_steps_that_are_stated_are_the_unit(tmp_path: Path) -> None:
    files(tmp_path, decode=DECODE)
    words = ("--rest", "--steps", "5", "--out", "out", "--", sys.executable, "decode.py")
    ended = start("profile", *words, cwd=tmp_path)
    assert ended.returncode == 7, ended.stderr
    assert "expected a script with 4 steps of an optimizer or more" in ended.stderr
    found = data(tmp_path / "out")
    assert (found["unit"], found["steps"], found["lines"][0]["calls"]) == ("step", 5, 4.0)


def test_a_script_without_attention_is_one_line_and_leaves_no_folder(tmp_path: Path) -> None:
    ended = start("profile", "--", sys.executable, "-c", "print('mine')", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "mine\n")
    assert ended.stderr.count("\n") == 1
    assert "the script made no attention call that is recorded" in ended.stderr
    assert list(tmp_path.glob("results/*")) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--",), "no command to profile; expected one, as: profile -- python my_script.py"),
        (("--", "a.py"), "a.py is no command; expected: profile -- python a.py"),
        (("--", "python3", "absent.py"), "the script absent.py does not exist; nothing was run"),
        (("--", "no-such-program"), "the command 'no-such-program' was not found"),
        (("sdpa", "--", "python3", "-V"), "sdpa beside a script; expected -- COMMAND"),
        (("--seq", "64", "--", "python3", "-V"), "--seq beside a script; expected -- COMMAND"),
        (("--save", "a", "--", "python3", "-V"), "--save beside a script; expected -- COMMAND"),
        (("sdpa", "--steps", "3"), "--steps 3 beside sdpa; only a script has steps"),
        (("sdpa", "--rest"), "--rest without a script; expected profile --rest -- python"),
        (("--out", "file/in", "--", "python3", "-V"), "file/in"),
    ],
)
def test_a_mistake_is_one_line_and_runs_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    message: str,
) -> None:
    (tmp_path / "file").write_text("")
    ended = call("profile", *words, monkeypatch=monkeypatch, capsys=capsys, cwd=tmp_path)
    assert ended.status == 2
    assert message in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
