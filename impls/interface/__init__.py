"""The contract: what is asked (Problem, Mask, Bias), who answers (Implementation, within Limits).

Nothing here imports torch, so that plans, stores and pages can speak of problems without it.
"""

from impls.interface.bias import Bias, BiasValues
from impls.interface.implementation import (
    AttentionFunction,
    Implementation,
    Missing,
    Projections,
    implementation,
)
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
    "Limits",
    "Mask",
    "Missing",
    "Problem",
    "Projections",
    "implementation",
]
