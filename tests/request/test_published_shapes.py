"""The cases of an application against the calls that transformers makes for the same model.

A model is made on the meta device from its configuration class, without weights: one forward pass
calls a registered attention function once for each layer, with the real shapes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import pytest
import torch

from impls.interface import CAUSAL, FULL, Mask
from suites.records.cases import Case
from suites.request.suites import SUITES
from suites.request.suites.suite import Gpu

transformers = pytest.importorskip("transformers")

SPY = "attnbench_spy"
WHISPER_HEADS = {"encoder_attention_heads": 20, "decoder_attention_heads": 20, "d_model": 1280}


class Seen(NamedTuple):
    """The fields shared by a call of a model and a case."""

    batch: int
    heads: tuple[int, int]
    lengths: tuple[int, int]
    head_dim: int
    mask: Mask
    softcap: float | None
    sink: bool


Calls = Counter[Seen]
Inputs = Callable[[], dict[str, Any]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """The calls of the registered attention function, while a test runs."""
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS as MASKS
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS as FUNCTIONS

    found: Calls = Counter()

    def spy(
        module: Any, q: Any, k: Any, v: Any, mask: Any, scaling: float, **more: Any
    ) -> tuple[Any, None]:
        assert scaling in (q.shape[3] ** -0.5, 1.0)  # 1.0: Whisper scales its queries before
        window = more.get("sliding_window")
        found[
            Seen(
                q.shape[0],
                (q.shape[1], k.shape[1]),
                (q.shape[2], k.shape[2]),
                q.shape[3],
                band(window, bool(module.is_causal), q.shape[2], k.shape[2]),
                more.get("softcap"),
                more.get("s_aux") is not None,
            )
        ] += 1
        return q.new_empty(q.shape[0], q.shape[2], q.shape[1], v.shape[3]), None

    monkeypatch.setitem(FUNCTIONS, SPY, spy)
    monkeypatch.setitem(MASKS, SPY, lambda *_, **__: None)
    return found


def band(window: int | None, causal: bool, queries: int, keys: int) -> Mask:  # noqa: FBT001
    """The mask of a layer, without parts that hide no key."""
    right = 0 if causal else None if window is None else window - 1
    mask = Mask(left=window, right=right)
    if not mask.hides_a_key(1, queries, keys):
        return FULL
    return CAUSAL if causal and (window is None or window >= keys) else mask


def expected(suite: str, step: str) -> Calls:
    """The calls that the cases of a step state."""
    cases = [case for case in cases_of(suite) if case.step == step]
    assert cases, {case.step for case in cases_of(suite)}
    return Counter({seen(case): int(case.count) for case in cases})


@cache
def cases_of(suite: str) -> tuple[Case, ...]:
    return tuple(SUITES[suite].cases(("cpu",), Gpu()))


def seen(case: Case) -> Seen:
    p = case.problem
    return Seen(
        p.batch,
        (p.query_heads, p.key_heads),
        (p.query_length, p.key_length),
        p.head_dim,
        replace(p.mask, padding=None),
        p.softcap,
        p.sink,
    )


@cache
def model(name: str, **config: int) -> Any:
    """A model on the meta device, which answers with the registered function."""
    return _made(name, config)


def _made(name: str, config: dict[str, Any]) -> Any:
    fields = getattr(transformers, f"{name}Config")(**config)
    kind = getattr(transformers, f"{name}Model")
    with torch.device("meta"), torch.no_grad():
        return kind._from_config(fields, attn_implementation=SPY, dtype=torch.bfloat16).eval()


def ids(batch: int, length: int, name: str = "input_ids") -> dict[str, Any]:
    return {name: torch.zeros(batch, length, dtype=torch.long)}


def image(height: int, width: int) -> dict[str, Any]:
    return {"pixel_values": torch.zeros(1, 3, height, width, dtype=torch.bfloat16)}


def sentences() -> dict[str, Any]:
    return ids(16, 45) | ids(16, 46, "decoder_input_ids")


def speech() -> dict[str, Any]:
    mel = torch.zeros(1, 80, 3000, dtype=torch.bfloat16)
    return {"input_features": mel} | ids(1, 448, "decoder_input_ids")


def transformer(heads: int) -> dict[str, int]:
    """Fields of Marian, which has the layers of the Transformer."""
    both = {f"{side}_layers": 6 for side in ("encoder", "decoder")}
    same = {f"{side}_attention_heads": heads for side in ("encoder", "decoder")}
    return {**both, **same, "d_model": 64 * heads}


PASSES: list[tuple[str, str, str, dict[str, Any], Inputs]] = [
    *(
        ("classification", f"BERT base at 512, one {what}, 2 sequences", "Bert", {}, each)
        for what, each in (
            ("forward pass", lambda: ids(2, 512)),
            ("fine-tuning step", lambda: ids(2, 512)),
        )
    ),
    *(
        (
            "classification",
            f"ModernBERT base, one forward pass over {length} tokens",
            "ModernBert",
            {},
            (lambda length=length: ids(1, length)),
        )
        for length in (1024, 4096)
    ),
    *(
        ("sentiment", f"{named}, one {what}, {size[0]} texts", name, {}, (lambda s=size: ids(*s)))
        for data, size in (("SST-2", (32, 51)), ("IMDb", (8, 512)))
        for named, name in (
            (f"BERT base on {data}", "Bert"),
            (f"DistilBERT on {data}", "DistilBert"),
        )
        for what in ("forward pass", "fine-tuning step")
    ),
    *(
        (
            "translation",
            f"Transformer {size}, one training step, 16 sentences",
            "Marian",
            transformer(heads),
            sentences,
        )
        for size, heads in (("base", 8), ("big", 16))
    ),
    *(
        (
            "vision",
            f"ViT-B/16 at {side} px, forward pass, 1 image",
            "ViT",
            {"image_size": side},
            (lambda side=side: image(side, side)),
        )
        for side in (224, 384)
    ),
    (
        "vision",
        "Swin-T at 224 px, forward pass, 1 image",
        "Swin",
        {},
        lambda: image(224, 224),
    ),
    (
        "speech",
        "Whisper large-v3, forward pass over 30 s and a text of 448 tokens",
        "Whisper",
        {"encoder_layers": 32, "decoder_layers": 32, **WHISPER_HEADS},
        speech,
    ),
    (
        "language",
        "GPT-2, one training step, 1 sequence of 1024 tokens",
        "GPT2",
        {},
        lambda: ids(1, 1024),
    ),
]
"""Suite, step, model, fields of its configuration that differ from the defaults, and inputs."""
GENERATED: list[tuple[str, str, dict[str, int], int, int]] = [
    ("GPT-2, prompt of 1024 tokens", "GPT2", {}, 0, 1024),
    ("GPT-2, one token after 1023", "GPT2", {}, 1023, 1),
    ("Llama 3 8B, prompt of 1024 tokens", "Llama", {"num_key_value_heads": 8}, 0, 1024),
    ("Llama 3 8B, one token after 8191", "Llama", {"num_key_value_heads": 8}, 8191, 1),
    ("Mistral 7B, prompt of 1024 tokens", "Mistral", {}, 0, 1024),
    ("Mistral 7B, one token after 8191", "Mistral", {}, 8191, 1),
    ("Mistral 7B, last 256 tokens of a prompt of 8192", "Mistral", {}, 7936, 256),
    ("Gemma 2 2B, prompt of 1024 tokens", "Gemma2", {}, 0, 1024),
    ("Gemma 2 2B, one token after 8191", "Gemma2", {}, 8191, 1),
    ("GPT-OSS 20B, prompt of 1024 tokens", "GptOss", {"num_hidden_layers": 24}, 0, 1024),
    ("GPT-OSS 20B, one token after 8191", "GptOss", {"num_hidden_layers": 24}, 8191, 1),
    ("GPT-OSS 120B, prompt of 1024 tokens", "GptOss", {}, 0, 1024),
    ("GPT-OSS 120B, one token after 8191", "GptOss", {}, 8191, 1),
]
"""Step, model, fields that differ from the defaults, tokens in the cache, and new tokens."""


@pytest.mark.parametrize(
    ("suite", "step", "name", "config", "inputs"), PASSES, ids=[each[1] for each in PASSES]
)
def test_the_calls_of_a_pass_are_those_of_the_model(
    calls: Calls, suite: str, step: str, name: str, config: dict[str, Any], inputs: Inputs
) -> None:
    made = model(name, **config)
    with torch.device("meta"), torch.no_grad():
        made(**inputs())
    assert calls == expected(suite, step)


@pytest.mark.filterwarnings("ignore:`past_key_values` is deprecated:FutureWarning")
@pytest.mark.parametrize(
    ("step", "name", "config", "before", "new"), GENERATED, ids=[each[0] for each in GENERATED]
)
def test_the_calls_of_a_prompt_and_of_a_token_are_those_of_the_model(
    calls: Calls, step: str, name: str, config: dict[str, int], before: int, new: int
) -> None:
    made = model(name, **config)
    with torch.device("meta"), torch.no_grad():
        cache = transformers.DynamicCache(config=made.config)
        for past, length in ((0, before), (before, new)):
            calls.clear()
            mask = torch.ones(1, past + length, dtype=torch.long)
            if length:
                made(**ids(1, length), attention_mask=mask, past_key_values=cache, use_cache=True)
    assert calls == expected("language", step)


def test_the_calls_of_detr_are_those_of_the_model(calls: Calls) -> None:
    backbone = transformers.ResNetConfig(out_features=["stage4"])
    made = _made("Detr", {"backbone_config": backbone})
    with torch.device("meta"), torch.no_grad():
        made(**image(800, 1066))
    assert calls == expected("vision", "DETR R50, forward pass, 1 image of 640 x 480")


def test_image_gpt_and_vitdet_have_the_fields_of_their_configuration() -> None:
    """Both compute attention without the registered function."""
    config = transformers.ImageGPTConfig()
    (call,) = expected("generation", "ImageGPT small, forward pass over 32 x 32 pixels, 1 image")
    assert call.heads == (config.n_head, config.n_head)
    assert call.head_dim * config.n_head == config.n_embd
    assert call.lengths == (config.n_positions, config.n_positions)
    vitdet = transformers.VitDetConfig()
    step = expected("vision", "ViTDet ViT-B at 1024 px, forward pass, 1 image")
    assert sum(step.values()) == vitdet.num_hidden_layers
    for call in step:
        assert call.heads[0] == vitdet.num_attention_heads
        assert call.heads[0] * call.head_dim == vitdet.hidden_size
