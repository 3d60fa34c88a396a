"""What the textbook formula itself is off by when all of it is computed in half precision.

The rounding bound is first order and wide there: gradients of zero can pass it. An answer may be
off by twice as much as the textbook's, in the mean, and no more.
"""

from __future__ import annotations

import torch

from impls import reference
from impls.interface import Problem
from impls.interface.implementation import from_function
from suites.agreement.expected import Expected
from suites.measure.inputs import Inputs, bind, call_of

_NAMES = ("out", "dq", "dk", "dv")


def beside_textbook(problem: Problem, inputs: Inputs, expected: Expected) -> Expected:
    """What is expected, with what the textbook is off by where the problem is in half precision.

    All rows must be expected: the textbook is dense.
    """
    if problem.dtype not in ("float16", "bfloat16"):
        return expected
    made = call_of(bind(from_function(reference.attention), problem, inputs), inputs)()
    unit = torch.finfo(getattr(torch, problem.dtype)).eps / 2
    for name, tensor in zip(_NAMES, made, strict=False):
        value = expected.values[name]
        off = (tensor.double() - value).square().mean().sqrt()
        allowed = float(off + unit * value.square().mean().sqrt())
        if allowed:  # nothing can be told where it is exactly zero and the textbook hits it
            expected.textbook[name] = allowed
    return expected
