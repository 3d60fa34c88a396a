"""Encoders that classify texts.

| model | source | layers | heads | D | attention |
|---|---|---|---|---|---|
| BERT base | arXiv 1810.04805, section 3 | 12 | 12 | 64 | full, 512 tokens at most |
| ModernBERT base | arXiv 2412.13663, section 2.1 | 22 | 12 | 64 | full in 8, a window in 14 |

The window of ModernBERT is local_attention 128: 64 keys on each side and the own one. Texts have
their full length here, so that nothing is padded; the suite sentiment has padded batches.
ModernBERT takes 8192 tokens at most. A CPU measures 1024, the length of its pretraining, and 4096.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from suites.request.suites.model_steps import Call, ModelStep, cases_of, counted, part
from suites.request.suites.suite import Suite

BERT_BATCH: Final = 32
"""Sequences of a fine-tuning step (arXiv 1810.04805, A.3: 16 or 32)."""
WINDOW: Final = "window:65:64"
"""64 keys on each side; the left reach counts the own key."""


def _steps(*, on_gpu: bool) -> Iterator[ModelStep]:
    rows = BERT_BATCH if on_gpu else 2
    yield _bert("forward pass", "", rows)
    yield _bert("fine-tuning step", " train", rows)
    for length in (1024, 8192) if on_gpu else (1024, 4096):
        yield _modern_bert(length)


def _bert(what: str, training: str, rows: int) -> ModelStep:
    return ModelStep(
        f"BERT base at 512, one {what}, {counted(rows, 'sequence')}",
        "arXiv 1810.04805, section 3 and A.3; google-bert/bert-base-uncased config.json: "
        "num_hidden_layers, num_attention_heads, hidden_size, max_position_embeddings",
        (Call(f"BERT base at 512, {what}", f"b{rows} h12 t512 d64 full{training}", 12),),
        part(rows, BERT_BATCH),
    )


def _modern_bert(length: int) -> ModelStep:
    return ModelStep(
        f"ModernBERT base, one forward pass over {length} tokens",
        "arXiv 2412.13663, section 2.1; answerdotai/ModernBERT-base config.json: "
        "num_hidden_layers, num_attention_heads, hidden_size, local_attention, "
        "global_attn_every_n_layers",
        (
            Call(f"ModernBERT base at {length}, window layers", f"h12 t{length} d64 {WINDOW}", 14),
            Call(f"ModernBERT base at {length}, full layers", f"h12 t{length} d64 full", 8),
        ),
    )


SUITE: Final = Suite(
    name="classification",
    asks="What does attention cost in BERT and ModernBERT, which alternates windows and full?",
    description="BERT base at 512 tokens, forward and fine-tuning, 2 of 32 sequences; ModernBERT "
    "base at 1024 and 4096 tokens, window and full layers; float32 on a CPU; on a GPU 32 sequences "
    "and 8192 tokens in 16 bits",
    cases=cases_of(_steps),
    minutes=8.0,
    budget_s=7 * 60.0,
    panels=("attention",),
    left_out=(
        (
            "ModernBERT base at 8192 tokens on a CPU: a full layer is 206 GFLOP a call, and naive "
            "takes 3 GiB for its scores; for these layers: run --problem "
            f'"h12 t8192 d64 full" --problem "h12 t8192 d64 {WINDOW}"'
        ),
    ),
)
