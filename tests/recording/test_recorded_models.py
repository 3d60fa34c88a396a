"""Models of transformers, with random weights: every call of attention is recorded once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from suites.recording.in_process import recorded
from suites.records import workload
from suites.records.workload import Workload
from tests.recording.counting import counts

transformers = pytest.importorskip("transformers")
SMALL = {"vocab_size": 50, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2,
         "num_attention_heads": 4}  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "workload.jsonl"


def calls_of(function: Any, file: Path) -> Workload:
    torch.manual_seed(0)
    with recorded(file):
        function()
    return workload.read(file)


def ids(batch: int, length: int) -> torch.Tensor:
    return torch.randint(3, 50, (batch, length))


def test_bert_with_and_without_padding(file: Path) -> None:
    model = transformers.BertModel(transformers.BertConfig(**SMALL)).eval()
    attended = torch.ones(2, 12, dtype=torch.long)
    attended[0, 9:] = 0

    def forward() -> None:
        with torch.no_grad():
            model(ids(2, 12))
            model(ids(2, 12), attention_mask=attended)

    assert counts(calls_of(forward, file)) == {
        "b2 h4 t12 d8 full fp32 bthd cpu": 2,
        "b2 h4 t12 d8 padding:0-9/0-12 fp32 bthd cpu": 2,
    }


def test_bert_with_dropout_is_named(file: Path) -> None:
    model = transformers.BertModel(transformers.BertConfig(**SMALL)).train()
    assert counts(calls_of(lambda: model(ids(2, 12)), file)) == {"dropout 0.1": 2}


def llama() -> Any:
    config = transformers.LlamaConfig(**SMALL, num_key_value_heads=2)
    return transformers.LlamaForCausalLM(config).eval()


def test_llama_in_training(file: Path) -> None:
    model, tokens = llama(), ids(2, 12)

    def step() -> None:
        model(input_ids=tokens, labels=tokens).loss.backward()

    found = calls_of(step, file)
    assert counts(found) == {"b2 h4/2 t12 d8 causal fp32 train bthd cpu": 2}
    (call,) = found.calls
    assert call.backward_ms is not None
    library, script = call.place.split(" < ")
    assert library.startswith("transformers/models/llama/modeling_llama.py:")
    assert script.endswith(" step")


@pytest.mark.filterwarnings("ignore")
def test_grouped_queries_that_generate_folds_are_unfolded(file: Path) -> None:
    model, tokens = llama(), ids(2, 12)
    attended = torch.ones_like(tokens)
    attended[0, :5] = 0

    def generate() -> None:
        model.generate(tokens, attention_mask=attended, max_new_tokens=3, do_sample=False,
                       eos_token_id=None, pad_token_id=0)  # fmt: skip

    assert counts(calls_of(generate, file)) == {
        "b2 h4 t12 d8 causal+padding:5-12/0-12 fp32 bthd cpu": 2,
        "b2 h4/2 t1/13 d8 padding:5-13/0-13 fp32 cpu": 2,
        "b2 h4/2 t1/14 d8 padding:5-14/0-14 fp32 cpu": 2,
    }


def test_windows_of_mistral(file: Path) -> None:
    config = transformers.MistralConfig(**SMALL, num_key_value_heads=2, sliding_window=5)
    model = transformers.MistralForCausalLM(config).eval()

    def forward() -> None:
        with torch.no_grad():
            model(ids(1, 12))

    assert {str(c.problem.mask) for c in calls_of(forward, file).calls} == {"window:5"}


@pytest.mark.filterwarnings("ignore")
def test_whisper_forward_and_generate(file: Path) -> None:
    config = transformers.WhisperConfig(
        vocab_size=50, d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=32, decoder_ffn_dim=32, num_mel_bins=8,
        max_source_positions=20, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        decoder_start_token_id=1, suppress_tokens=None, begin_suppress_tokens=None,
    )  # fmt: skip
    model = transformers.WhisperForConditionalGeneration(config).eval()
    sound = torch.randn(2, 8, 40)

    def both() -> None:
        with torch.no_grad():
            model(sound, decoder_input_ids=ids(2, 6))
        model.generate(sound, max_new_tokens=2, min_new_tokens=2, do_sample=False)

    found = counts(calls_of(both, file))
    assert found["b2 h4 t20 d8 full scale1.0 fp32 cpu"] == 4
    assert found["b2 h4 t6 d8 causal scale1.0 fp32 cpu"] == 2
    assert found["b2 h4 t6/20 d8 full scale1.0 fp32 cpu"] == 2
    assert found["b2 h4 t1/20 d8 full scale1.0 fp32 cpu"] == 4
