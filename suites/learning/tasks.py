"""The tasks that small models learn, as data: their problems and what is judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

STEPS: Final = 300
"""Steps of a training: all tasks are learnt by then, in about 5 s of CPU time."""
SEED: Final = 0
"""Of examples, weights and the order of batches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningTask:
    """A task.

    says       what is learnt, in a sentence
    problems   of the model's attention, in words; one model is trained for each
    is_judged  whether the gate judges its losses, so that every implementation is trained
    """

    name: str
    says: str
    problems: tuple[str, ...]
    is_judged: bool = True


DIGITS: Final = LearningTask(
    name="digits",
    says="A vision transformer reads handwritten digits: 1,797 images of 8x8 pixels from "
    "scikit-learn, 16 patches each.",
    problems=("b64 h2 t16 d16 full bthd train",),
)
SENTIMENT: Final = LearningTask(
    name="sentiment",
    says="A text classifier reads sentences of a synthetic language: one polar word each, which a "
    "negation may reverse. They have 8 to 32 words, padded to 32 on the right or on the left.",
    problems=("b64 h2 t32 d16 padding:0.75 bthd train",),
)
RECALL: Final = LearningTask(
    name="recall",
    says="A single layer recalls the value of a key that stood some words before; the keys of a "
    "sentence are all different.",
    problems=tuple(
        f"b64 h1 t32 d32 {mask} bthd train" for mask in ("full", "window:16", "window:8")
    ),
    is_judged=False,
)
TASKS: Final = {task.name: task for task in (DIGITS, SENTIMENT, RECALL)}
"""By name, in order."""
