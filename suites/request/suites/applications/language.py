"""Language models that generate text: a prompt, and one token after a long context.

| model | source | layers | heads | D | more |
|---|---|---|---|---|---|
| Llama 3 8B | arXiv 2407.21783, table 3 | 32 | 32/8 | 128 | |
| Mistral 7B | arXiv 2310.06825, table 1 | 32 | 32/8 | 128 | window 4096 |
| Gemma 2 2B | arXiv 2408.00118, table 1 | 26 | 8/4 | 256 | softcap 50; window 4096 in 13 layers |
| GPT-OSS 20B | arXiv 2508.10925 | 24 | 64/8 | 64 | sinks; window 128 in 12 layers |
| GPT-OSS 120B | arXiv 2508.10925 | 36 | 64/8 | 64 | sinks; window 128 in 18 layers |
| GPT-2 | openai-community/gpt2 | 12 | 12 | 64 | |

Gemma 2 2B scales by query_pre_attn_scalar ** -0.5 with 256, which is 1/sqrt(D). A prompt that is
not longer than the window is causal in every layer. Layers with a window keep its keys only: one
token reads 4096 keys, or 128, and a mask hides none of them. A chunk of 256 tokens late in a prompt
reads the 4095 kept keys and its own: transformers keeps window - 1 of them.

Only naive, chunked, onnxruntime, flex and compiled support softcap, and only naive, chunked and
compiled support sinks; local_window supports both for windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from suites.request.suites.model_steps import Call, ModelStep, cases_of, counted, part
from suites.request.suites.suite import Suite

CONTEXT: Final = 8192
"""Keys before a decoded token: max_position_embeddings of Llama 3 8B and of Gemma 2."""
FIELDS: Final = "num_hidden_layers, num_attention_heads, num_key_value_heads, head_dim"
GPT2_BATCH: Final = 12
"""Sequences of a micro-batch of 1024 tokens on one GPU (karpathy/nanoGPT config/train_gpt2.py)."""


def _steps(*, on_gpu: bool) -> Iterator[ModelStep]:
    prompt = 8192 if on_gpu else 1024
    yield from _llama_3(prompt)
    yield from _gpt_2(GPT2_BATCH if on_gpu else 1)
    yield from _gpt_oss("20b", 24, prompt)
    yield from _gemma_2(prompt)
    yield from _mistral(prompt)
    yield from _gpt_oss("120b", 36, prompt)


def _llama_3(prompt: int) -> Iterator[ModelStep]:
    source = (
        "arXiv 2407.21783, table 3; meta-llama/Meta-Llama-3-8B config.json: num_hidden_layers, "
        "num_attention_heads, num_key_value_heads, hidden_size"
    )
    yield ModelStep(
        f"Llama 3 8B, prompt of {prompt} tokens",
        source,
        (Call("Llama 3 8B prefill", f"h32/8 t{prompt} d128 causal", 32),),
    )
    yield ModelStep(
        f"Llama 3 8B, one token after {CONTEXT - 1}",
        source,
        (Call("Llama 3 8B decode", f"h32/8 t1/{CONTEXT} d128 full", 32),),
    )


def _gpt_oss(size: str, layers: int, prompt: int) -> Iterator[ModelStep]:
    source = (
        f"arXiv 2508.10925; openai/gpt-oss-{size} config.json: {FIELDS}, sliding_window, "
        "layer_types"
    )
    name = f"GPT-OSS {size.upper()}"
    yield ModelStep(
        f"{name}, prompt of {prompt} tokens",
        source,
        (
            Call(
                f"{name} prefill, window layers", _sinks(f"t{prompt} d64 window:128"), layers // 2
            ),
            Call(f"{name} prefill, full layers", _sinks(f"t{prompt} d64 causal"), layers // 2),
        ),
    )
    yield ModelStep(
        f"{name}, one token after {CONTEXT - 1}",
        source,
        (
            Call(f"{name} decode, window layers", _sinks("t1/128 d64 full"), layers // 2),
            Call(f"{name} decode, full layers", _sinks(f"t1/{CONTEXT} d64 full"), layers // 2),
        ),
    )


def _sinks(words: str) -> str:
    return f"h64/8 {words} sink"


def _gemma_2(prompt: int) -> Iterator[ModelStep]:
    source = (
        f"arXiv 2408.00118, table 1; google/gemma-2-2b config.json: {FIELDS}, sliding_window, "
        "attn_logit_softcapping, query_pre_attn_scalar"
    )
    yield ModelStep(
        f"Gemma 2 2B, prompt of {prompt} tokens",
        source,
        tuple(_gemma_2_prefill(prompt)),
    )
    yield ModelStep(
        f"Gemma 2 2B, one token after {CONTEXT - 1}",
        source,
        (
            Call("Gemma 2 2B decode, window layers", _capped("t1/4096 d256 full"), 13),
            Call("Gemma 2 2B decode, full layers", _capped(f"t1/{CONTEXT} d256 full"), 13),
        ),
    )


def _gemma_2_prefill(prompt: int) -> Iterator[Call]:
    if prompt <= 4096:
        yield Call("Gemma 2 2B prefill, all layers", _capped(f"t{prompt} d256 causal"), 26)
        return
    yield Call("Gemma 2 2B prefill, window layers", _capped(f"t{prompt} d256 window:4096"), 13)
    yield Call("Gemma 2 2B prefill, full layers", _capped(f"t{prompt} d256 causal"), 13)


def _capped(words: str) -> str:
    return f"h8/4 {words} softcap50"


def _mistral(prompt: int) -> Iterator[ModelStep]:
    source = (
        "arXiv 2310.06825, table 1 and section 2; mistralai/Mistral-7B-v0.1 config.json: "
        "num_hidden_layers, num_attention_heads, num_key_value_heads, hidden_size, sliding_window"
    )
    mask = "causal" if prompt <= 4096 else "window:4096"
    yield ModelStep(
        f"Mistral 7B, prompt of {prompt} tokens",
        source,
        (Call("Mistral 7B prefill", f"h32/8 t{prompt} d128 {mask}", 32),),
    )
    yield ModelStep(
        f"Mistral 7B, one token after {CONTEXT - 1}",
        source,
        (Call("Mistral 7B decode", "h32/8 t1/4096 d128 full", 32),),
    )
    yield ModelStep(
        f"Mistral 7B, last 256 tokens of a prompt of {CONTEXT}",
        source,
        (Call("Mistral 7B prefill of a chunk", "h32/8 t256/4351 d128 window:4096", 32),),
    )


def _gpt_2(rows: int) -> Iterator[ModelStep]:
    source = "openai-community/gpt2 config.json: n_layer, n_head, n_embd, n_positions"
    yield ModelStep(
        "GPT-2, prompt of 1024 tokens",
        source,
        (Call("GPT-2 prefill", "h12 t1024 d64 causal", 12),),
    )
    yield ModelStep(
        "GPT-2, one token after 1023",
        source,
        (Call("GPT-2 decode", "h12 t1/1024 d64 full", 12),),
    )
    yield ModelStep(
        f"GPT-2, one training step, {counted(rows, 'sequence')} of 1024 tokens",
        f"{source}; karpathy/nanoGPT config/train_gpt2.py: batch_size",
        (Call("GPT-2 training", f"b{rows} h12 t1024 d64 causal train", 12),),
        part(rows, GPT2_BATCH),
    )


SUITE: Final = Suite(
    name="language",
    asks="What does attention cost in Llama 3, GPT-OSS, Gemma 2, Mistral and GPT-2?",
    description="prompts of 1024 tokens and one token after 8191 with the heads, windows, softcap "
    "and sinks of the models; a training step of GPT-2; float32 on a CPU; on a GPU prompts of 8192 "
    "tokens, 1024 for GPT-2, in 16 bits",
    cases=cases_of(_steps),
    minutes=8.0,
    budget_s=7 * 60.0,
    panels=("attention",),
    left_out=(
        (
            "prompts of 8192 tokens on a CPU: a call of Llama 3 8B is 550 GFLOP; for this call: "
            'run --problem "h32/8 t8192 d128 causal"'
        ),
        "batches of several requests with lengths of their own: the suite serving",
    ),
)
