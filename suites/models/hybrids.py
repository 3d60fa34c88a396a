"""Decoders with layers of attention and of another kind, by their configuration classes."""

from __future__ import annotations

from impls.interface import Problem
from suites.models.built import Built
from suites.models.caches import decoder
from suites.models.configured import grouped, made


def lfm2(problem: Problem) -> Built:
    """A layer of a short convolution, and one of attention."""
    values = {
        **grouped(problem),
        "layer_types": ["conv", "full_attention"],
        "block_auto_adjust_ff_dim": False,
    }
    return decoder(made("Lfm2ForCausalLM", "Lfm2Config", **values), problem, problem.key_length)


def jamba(problem: Problem) -> Built:
    """A recurrent layer, and one of attention; one expert, since rounding can change a choice."""
    values = {
        **grouped(problem),
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
        "num_experts": 1,
        "num_experts_per_tok": 1,
    }
    return decoder(made("JambaForCausalLM", "JambaConfig", **values), problem, problem.key_length)
