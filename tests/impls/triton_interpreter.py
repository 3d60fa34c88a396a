"""A program that checks `triton_flash` with Triton's interpreter: problems to findings, as JSON.

A case is a problem, with settings in brackets before it: `[block_m=32] t65 causal`. The argument
`hard` adds hard inputs to the cases after it. A process of its own: Triton reads TRITON_INTERPRET
at its import.

The interpreter has no arithmetic of bfloat16: its products multiply the bit patterns, and its
conversions truncate. Both are replaced here by what a GPU does: products of the values with float32
sums, and rounding to nearest.
"""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import torch

import impls
from impls.interface import Implementation, Problem
from suites.agreement.checker import Checker

MODULE = "triton.runtime.interpreter"


def main(cases: list[str]) -> None:
    """Print the reason of each case: empty where it agrees."""
    give_bfloat16()
    labels: tuple[str, ...] | None = ()
    found = {}
    for case in cases:
        if case == "hard":
            labels = None
            continue
        settings, _, text = case.rpartition("] ")
        checker = Checker(Problem.parse(text), seed=3, labels=labels)
        found[case] = checker.check(triton_flash(settings)).reason
    sys.stdout.write(json.dumps(found))


def triton_flash(settings: str) -> Implementation:
    """The implementation with settings as `[block_m=32`, permitted on a CPU."""
    known = impls.load([impls.FOLDER / "triton_flash.py"])
    (each,) = impls.select([f"triton_flash{settings}]" if settings else "triton_flash"], known)
    limits = tuple(replace(one, devices=("cpu",)) for one in each.limits)
    return replace(each, limits=limits)


def give_bfloat16() -> None:
    """Replace the interpreter's products and conversions of bfloat16."""
    interpreter: Any = importlib.import_module(MODULE)
    tl: Any = importlib.import_module("triton.language")
    builder, handle = interpreter.InterpreterBuilder, interpreter.TensorHandle
    convert, multiply = builder.cast_impl, builder.create_dot

    def cast_impl(self: Any, source: Any, kind: Any) -> Any:
        scalars = source.dtype.scalar, kind.scalar
        if scalars == (tl.float32, tl.bfloat16):
            rounded = torch.from_numpy(np.ascontiguousarray(source.data)).bfloat16()
            return handle(rounded.view(torch.uint16).numpy(), tl.bfloat16)
        if scalars == (tl.bfloat16, tl.float32):
            bits = torch.from_numpy(np.ascontiguousarray(source.data))
            return handle(bits.view(torch.bfloat16).float().numpy(), tl.float32)
        return convert(self, source, kind)

    def create_dot(self: Any, left: Any, right: Any, *others: Any) -> Any:
        if left.dtype.scalar == tl.bfloat16:
            left, right = (cast_impl(self, each, tl.float32) for each in (left, right))
        return multiply(self, left, right, *others)

    builder.cast_impl, builder.create_dot = cast_impl, create_dot


if __name__ == "__main__":
    main(sys.argv[1:])
