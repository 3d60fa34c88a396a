"""Models of a user's function in the check: what its layers make, and mistakes of the file."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from impls.interface import Problem
from tests.engine.test_models import LLAMA, checked

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
FILE = """
import torch
import transformers


def make(problem):
    config = transformers.Qwen2Config(
        vocab_size=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, intermediate_size=32, max_position_embeddings=64,
    )
    model = transformers.Qwen2ForCausalLM._from_config(config, attn_implementation="eager")
    words = torch.randint(1, 64, (2, 16))
    kept = torch.ones_like(words)
    kept[0, :5] = 0
    return model, {"input_ids": words, "attention_mask": kept, "use_cache": False}


def without_batch(problem):
    return make(problem)[0]


def broken(problem):
    return transformers.NoSuchModel


def of_another_name(problem):
    return make(problem)[0], {"words": torch.ones(1)}
"""
PADDED = "b2 h4/2 t16 d8 causal+padding:5-16/0-16"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (path := tmp_path / "my_model.py").write_text(FILE)
    return path


@pytest.mark.parametrize("step", ["", " train"])
def test_a_model_padded_on_the_left_keeps_its_answers(file: Path, step: str) -> None:
    record = checked(Problem.parse(f"{PADDED} model:{file}:make{step}"), "naive")["naive"]
    assert record.status == "ok", record.reason


def test_a_problem_that_no_layer_makes_is_answered_with_those_that_they_make(file: Path) -> None:
    record = checked(Problem.parse(f"b2 h4/2 t16 d8 causal model:{file}:make"), "naive")["naive"]
    assert (record.status, record.cause) == ("failed", "exception")
    assert record.reason.endswith(f":make: its layers make {PADDED} fp32 cpu; state one of these")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("without_batch", "it returned Qwen2ForCausalLM; expected a model and its batch"),
        ("broken", "AttributeError: module transformers has no attribute NoSuchModel"),
        ("of_another_name", "You must specify exactly one of input_ids or inputs_embeds"),
    ],
)
def test_a_mistake_of_the_file_is_a_line_of_the_record(file: Path, name: str, said: str) -> None:
    record = checked(Problem.parse(f"{PADDED} model:{file}:{name}"), "naive")["naive"]
    assert (record.status, record.cause) == ("failed", "exception")
    assert said in record.reason
    assert f"model:{file}:{name}: " in record.reason
    assert record.reason.isprintable()


def test_a_library_without_the_interface_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", ModuleType("transformers"))
    record = checked(LLAMA, "naive")["naive"]
    assert (record.status, record.cause) == ("missing", "not_importable")
    assert record.reason.endswith("pip install attnbench[models]")
