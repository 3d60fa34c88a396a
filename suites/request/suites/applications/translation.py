"""The Transformer for translation (arXiv 1706.03762): base and big, encoder and decoder.

Both have 6 + 6 layers (table 3): base has 8 heads and d_model 512, big has 16 and 1024; D is 64.
The decoder has causal self-attention and cross-attention over the encoder's output.

Sentence lengths are those of 10,000 sentence pairs, English to German: data/src-train.txt and
data/tgt-train.txt of OpenNMT/OpenNMT-py, in words and punctuation marks, counted for this suite.
They are close to those of newstest2014, the test set of the paper (English: mean 22.4, median 21).

| | mean | median | 95 % | longest |
|---|---|---|---|---|
| English | 22.5 | 21 | 42 | 50 |
| German | 21.4 | 20 | 40 | 50 |

The 37,000 byte pairs of the paper split words further: its lengths are somewhat greater. A batch
has the pairs at the middles of 16 equal parts, sorted by length, with a token for the end of a
sentence, padded on the right. The paper batches sentences of similar length, which pads less.

Positions are sinusoidal. They are added to the embeddings before the first layer (section 3.5), so
that the attention calls are the same without them. Layers that add them take part beside layers
that do not: multi_head with sdpa_flash, and with local_window for windows.

Windowed self-attention is no part of the paper. The step with it shows both combined: 8 words on
each side in the encoder and 8 before in the decoder, with cross-attention over all words.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from suites.request.suites.model_steps import Call, ModelStep, cases_of, padded
from suites.request.suites.suite import Suite

PAIRS: Final = (
    *((7, 9), (10, 10), (12, 11), (14, 12), (15, 21), (17, 17), (19, 14), (20, 22)),
    *((22, 21), (24, 21), (26, 22), (28, 26), (30, 37), (34, 27), (38, 35), (44, 45)),
)
"""Words of a sentence and of its translation."""
COPIES_ON_GPU: Final = 8
"""Batches on a GPU: 128 pairs have 25,000 / 8 words, the part of one of the 8 GPUs of the paper."""
SOURCE: Final = "arXiv 1706.03762, table 3; lengths: OpenNMT/OpenNMT-py data/src-train.txt"
LAYERS: Final = 6
"""In the encoder and in the decoder."""
TOKENS: Final = 22
"""Tokens of a German sentence with its end, the mean rounded."""
REACH: Final = 8
"""Words that a window shows on one side."""


def _steps(*, on_gpu: bool) -> Iterator[ModelStep]:
    pairs = [pair for pair in PAIRS for _ in range(COPIES_ON_GPU if on_gpu else 1)]
    scaled = "" if on_gpu else f"{len(PAIRS)} of {len(PAIRS) * COPIES_ON_GPU} sentences"
    english, german = ([words + 1 for words in side] for side in zip(*pairs, strict=True))
    source, target = f"t{max(english)} d64", f"t{max(german)} d64"
    hidden = padded(english), padded(german)
    across = f"t{max(german)}/{max(english)} d64 {hidden[0]} train"
    rows = f"b{len(pairs)}"

    def step(what: str, *calls: tuple[str, str]) -> ModelStep:
        made = tuple(
            Call(f"Transformer {label}", f"{rows} {words}", LAYERS) for label, words in calls
        )
        return ModelStep(f"Transformer {what}, {len(pairs)} sentences", SOURCE, made, scaled)

    for size, heads in (("base", "h8"), ("big", "h16")):
        yield step(
            f"{size}, one training step",
            (f"{size} encoder", f"{heads} {source} {hidden[0]} train"),
            (f"{size} decoder", f"{heads} {target} causal+{hidden[1]} train"),
            (f"{size} cross-attention", f"{heads} {across}"),
        )
    yield step(
        f"base, one token after {TOKENS - 1}",
        ("base decoder, one token", f"h8 t1/{TOKENS} d64 full"),
        ("base cross-attention, one token", f"h8 t1/{max(english)} d64 {hidden[0]}"),
    )
    both, before = f"window:{REACH + 1}:{REACH}", f"window:{REACH + 1}"
    yield step(
        "base with windowed self-attention, one training step",
        ("base encoder, window", f"h8 {source} {both}+{hidden[0]} train"),
        ("base decoder, window", f"h8 {target} {before}+{hidden[1]} train"),
        ("base cross-attention", f"h8 {across}"),
    )


SUITE: Final = Suite(
    name="translation",
    asks="What does attention cost in the Transformer base and big, for sentences of WMT?",
    description="encoder, decoder and cross-attention of a training step over 16 sentence pairs "
    "with their real lengths, one decoded token, and a training step with windowed self-attention; "
    "the same in layers, with sinusoidal positions and without; float32 on a CPU; on a GPU 128 "
    "pairs in 16 bits",
    cases=cases_of(_steps),
    minutes=6.0,
    budget_s=5 * 60.0,
    panels=("attention", "layers"),
    variants=(
        "multi_head[positions=sinusoidal](sdpa_flash)",
        "multi_head[positions=sinusoidal](local_window)",
    ),
    left_out=("beam search: four rows of one query instead of one for each sentence",),
)
