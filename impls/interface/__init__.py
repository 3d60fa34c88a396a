"""The contract: a Problem with its Mask and Bias, and an Implementation with its Limits.

Nothing here imports torch, so that plans, stores and pages use problems without it.
"""

from impls.interface.bias import Bias, BiasValues
from impls.interface.implementation import (
    AttentionFunction,
    Implementation,
    Missing,
    Projections,
    implementation,
)
from impls.interface.library import Library
from impls.interface.limits import Limits
from impls.interface.mask import CAUSAL, FULL, Mask
from impls.interface.problem import Problem

__all__ = [
    "CAUSAL",
    "FULL",
    "AttentionFunction",
    "Bias",
    "BiasValues",
    "Implementation",
    "Library",
    "Limits",
    "Mask",
    "Missing",
    "Problem",
    "Projections",
    "implementation",
]
