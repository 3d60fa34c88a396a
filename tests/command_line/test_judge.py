"""`judge` on files of honest people and of cheats, each measured in real processes."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.command_line.program import run_here
from tests.judging import cheats

HONEST = """
import time
from torch.nn.functional import scaled_dot_product_attention

def equal(q, k, v):
    return scaled_dot_product_attention(q, k, v, enable_gqa=True)

def slow(q, k, v):
    time.sleep(0.005)
    return equal(q, k, v)
"""
APPROXIMATES = """
from impls.interface import Limits, implementation

@implementation(Limits(masks=("full",), grouped_heads=False), approximates=True)
def approximates(q, k, v, **_):
    return v.mean(2, keepdim=True).expand(-1, -1, q.shape[2], -1).contiguous()
"""
FORGED = '{"kind":"candidate","candidate":"forged","verdict":"faster","score":1.0}'
FILES = {
    "_ignored.py": "raise RuntimeError",
    "approximates.py": APPROXIMATES,
    "broken.py": "def f(:\n",
    "deletes_itself.py": HONEST + "import os; os.remove(__file__)",
    "empty.py": "x = 1\n",
    "exits.py": f"import os\nprint('{FORGED}', flush=True)\nos._exit(0)\n",
    "honest.py": HONEST,
    "patches_a_clock.py": HONEST + "time.perf_counter_ns = lambda: 0\n",
}
MISSING = {
    "broken": "broken.py does not import: SyntaxError",
    "deletes_itself": "no file ",
    "empty": "empty.py has no attention function; expected one of (q, k, v, ...), it has x",
    "exits": "exits.py cannot be imported: the process ended with status 0",
    "patches_a_clock": "importing it replaced time.perf_counter_ns",
}
CHEATS = {
    "caches_by_shape": ("wrong", "wrong_output", ""),
    "caches_by_address": ("wrong", "wrong_output", ""),
    "skips_keys_while_timed": ("wrong", "wrong_when_timed", "agrees in the check, but not while"),
    "stops_the_clock": ("failed", "process_state", "replaced time.perf_counter_ns"),
    "shortens_events": ("failed", "process_state", "replaced torch.cuda.Event.elapsed_time"),
    "computes_when_compared": ("failed", "exception", "may compute lazily"),
    "computes_after_it_returned": ("wrong", "wrong_output", ""),
    "knows_one_shape": ("wrong", "wrong_output", ""),
    "remembers_one_output": ("wrong", "wrong_output", ""),
    "zeroes_its_inputs": ("wrong", "wrong_output", "its input q was changed in place"),
    "returns_fresh_memory": ("wrong", "wrong_output", ""),
    "finds_the_reference": ("wrong", "wrong_output", ""),
    "finds_the_exact_reference": ("wrong", "wrong_output", ""),
    "ends_with_a_forged_record": ("crashed", "pipe_overwritten", "wrote to the session's pipe"),
    "raises_a_forged_line": ("failed", "exception", "ValueError: no"),
}
KEPT = ("candidates/cheats.py", "candidates/honest.py", "candidates/broken.py")
WORDS = ("--problem", "b1 h2 t128 d16", "--sessions", "2", "--threads", "1")

Line = dict[str, Any]


class Judgement(NamedTuple):
    """The lines of the first command, and of another one with some of its files."""

    first: list[Line]
    again: list[Line]

    def of(self, implementation: str) -> Line:
        """The line of an implementation."""
        (found,) = [each for each in self.first[:-1] if each["implementation"] == implementation]
        return found


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judgement:
    folder = tmp_path_factory.mktemp("judge")
    (folder / "candidates").mkdir()
    shutil.copy(cheats.__file__, folder / "candidates" / "cheats.py")
    for name, text in FILES.items():
        (folder / "candidates" / name).write_text(text)
    return Judgement(_lines(folder, "candidates"), _lines(folder, *KEPT))


def _lines(folder: Path, *files: str) -> list[Line]:
    ended = run_here("judge", *files, *WORDS, "--json", cwd=folder)
    assert (ended.returncode, ended.stderr) == (0, "")
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_every_candidate_has_one_line_in_order_and_the_last_line_is_the_score(
    judged: Judgement,
) -> None:
    names = [each["implementation"] for each in judged.first[:-1]]
    assert names == ["approximates", "broken", *CHEATS, "deletes_itself", "empty", "exits",
                     "equal", "slow", "patches_a_clock"]  # fmt: skip
    assert [each["kind"] for each in judged.first] == ["candidate"] * len(names) + ["score"]


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_of_kernel_contests_gets_no_time(judged: Judgement, name: str) -> None:
    verdict, cause, reason = CHEATS[name]
    line = judged.of(name)
    (found,) = line["problems"]
    assert (line["verdict"], found["cause"]) == (verdict, cause), found
    assert reason in found["reason"]
    assert (found["right"], found["ratio"], line["score"]) == (False, None, 0.0)


@pytest.mark.parametrize("name", MISSING)
def test_a_file_that_cannot_be_imported_is_missing_with_its_reason(
    judged: Judgement, name: str
) -> None:
    line = judged.of(name)
    assert line["verdict"] == "missing"
    assert MISSING[name] in line["problems"][0]["reason"]


def test_an_approximation_has_a_ratio_and_no_score(judged: Judgement) -> None:
    line = judged.of("approximates")
    (found,) = line["problems"]
    assert (line["verdict"], line["score"], found["right"]) == ("another function", 0.0, False)
    assert found["ratio"] > 0
    assert found["reason"].startswith("computes another function, RMS error ")


def test_honest_neighbours_of_cheats_are_right(judged: Judgement) -> None:
    equal, slow = judged.of("equal"), judged.of("slow")
    assert equal["verdict"] in ("faster", "slower", "same", "inconclusive", "same kernel")
    assert slow["verdict"] == "slower"
    for each in (equal, slow):
        (found,) = each["problems"]
        assert found["right"]
        assert found["low"] <= found["ratio"] <= found["high"]


def test_the_score_counts_all_candidates(judged: Judgement) -> None:
    score = judged.first[-1]
    assert (score["right"], score["answers"]) == (2, len(CHEATS) + len(MISSING) + 3)
    assert score["score"] == score["faster"] / score["answers"]
    assert [each["implementation"] for each in score["candidates"]] == [
        each["implementation"] for each in judged.first[:-1]
    ]


def test_a_command_again_measures_nothing_anew(judged: Judgement) -> None:
    kept = [each for each in judged.first[1:] if each.get("sha256")]
    assert len(kept) == len(CHEATS) + 2
    assert judged.again[:-2] == kept
    assert judged.again[-2] == judged.of("broken")


def test_people_see_a_line_for_each_candidate_and_a_score(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(FILES["broken.py"])
    ended = run_here("judge", "broken.py", "--problem", "t64", "--threads", "1", cwd=tmp_path)
    assert ended.returncode == 1
    head, line, score = ended.stdout.splitlines()
    assert head.startswith("candidate  verdict ")
    assert re.match(r"broken.py  missing +broken.py does not import: SyntaxError", line)
    assert score == "1 candidate: 0 right, 0 right and faster than sdpa_flash: score 0.00."
    assert ended.stderr == "no candidate could be judged; the reasons are above\n"
