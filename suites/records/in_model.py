"""Times of attention within a step of a model, by layer."""

from __future__ import annotations

from suites.records.codec import Count, Milliseconds, message


@message
class LayerTime:
    """The attention of one layer in a step.

    layer        its name in the model, as "model.layers.0.self_attn"
    calls        in one step
    forward_ms   median of the steps
    backward_ms  the same of its gradients; None without training
    """

    layer: str
    calls: Count
    forward_ms: Milliseconds
    backward_ms: Milliseconds | None = None

    @property
    def total_ms(self) -> float:
        """Forward and backward."""
        return self.forward_ms + (self.backward_ms or 0.0)


@message
class InModel:
    """Steps of a model with clocks at the ends of every attention call.

    step_ms       a whole step, median
    attention_ms  its attention, median: of all layers, forward and backward
    layers        in the order of their first calls
    """

    step_ms: Milliseconds
    attention_ms: Milliseconds
    layers: tuple[LayerTime, ...]

    @property
    def share(self) -> float:
        """The part of a step that is attention."""
        return self.attention_ms / self.step_ms if self.step_ms else 0.0
