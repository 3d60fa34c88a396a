"""The recipes of CONTRIBUTING.md: each is a file that the program accepts and finds right."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

import impls
from impls.interface import Implementation, Problem
from suites.agreement.checker import Checker
from suites.engine.messages import ReadingsChosen
from suites.engine.protocol import ChooseReadings
from suites.engine.readings import choose_readings

ROOT: Final = Path(__file__).parents[1]
TEXT: Final = (ROOT / "CONTRIBUTING.md").read_text()
RECIPES: Final = re.findall(
    r"\n```python\n(.*?)\n```", TEXT.split("## Bring a function")[1], re.DOTALL
)
PROBLEMS: Final = tuple(
    Problem.parse(text)
    for text in ("b2 h4 t65 d32", "b2 h4 t65 d32 causal", "b2 h4 t65 d32 window:9")
)


def read(each: Implementation) -> Implementation:
    """The implementation as trials chose to call it."""
    made: list[object] = []

    class Sender:
        send = staticmethod(made.append)

    task = ChooseReadings(
        implementation=each.name, files={each.name: each.file}, problems=PROBLEMS, seed=3
    )
    choose_readings(task, Sender())  # type: ignore[arg-type] # it sends
    chosen = made[-1]
    assert isinstance(chosen, ReadingsChosen)
    assert chosen.doubt == ""
    return each.reading(chosen.readings.get(each.name))


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("index", range(len(RECIPES)))
def test_a_recipe_is_a_file_whose_functions_agree(index: int, tmp_path: Path) -> None:
    source = RECIPES[index]
    if "onnxruntime" in source:
        pytest.importorskip("onnxruntime")
        pytest.importorskip("onnx")
    if "torch.compile" in source:
        source = source.replace("torch.compile(flex_attention, fullgraph=True)", "flex_attention")
    path = tmp_path / f"recipe_{index}.py"
    path.write_text(source)
    found = impls.load_file(path)
    assert found
    for each in map(read, found):
        able = [p for p in PROBLEMS if not each.refusals(p) and _is_asked(each, p)]
        assert able
        for problem in able[:2]:
            assert Checker(problem, 7).check(each).fault == ""


def _is_asked(each: Implementation, problem: Problem) -> bool:
    """Without a mask parameter a function computes one mask; ONNX's has full and causal only."""
    if each.name == "causal":
        return problem.mask.kind == "causal"
    narrow = each.fixed >= {"mask"} or each.prepares
    return problem.mask.is_full if narrow else True


def test_there_is_a_recipe_for_every_convention() -> None:
    text = "\n".join(RECIPES)
    for word in ("reference=", "approximates=", "choices=", "def prepare(", "layout=", "partial("):
        assert word in text
    assert "projections=" in TEXT
