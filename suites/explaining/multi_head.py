"""Multi-head attention as a layer: the shape of every intermediate result (arXiv 1706.03762)."""

from __future__ import annotations

from impls.interface import Problem
from suites.explaining.steps import Layer, LayerStep


def walk(problem: Problem) -> Layer:
    """The steps from activations to activations; a product of m x n and n x k has 2mnk FLOPs."""
    b, tq, tk = problem.batch, problem.query_length, problem.key_length
    hq, hk, d, dv = problem.query_heads, problem.key_heads, problem.head_dim, problem.value_size
    e = hq * d
    pairs = b * hq * tq * tk

    def projected(name: str, formula: str, rows: int, from_: int, to: int) -> LayerStep:
        flops = 2 * b * rows * from_ * to
        return LayerStep(
            name=name, formula=formula, shape=(b, rows, to), parameters=from_ * to, flops=flops
        )

    steps = (
        LayerStep(name="activations", formula="x", shape=(b, tq, e)),
        projected("queries", "x Wq", tq, e, hq * d),
        projected("keys", "x Wk", tk, e, hk * d),
        projected("values", "x Wv", tk, e, hk * dv),
        LayerStep(name="split queries", formula="q as heads", shape=(b, hq, tq, d)),
        LayerStep(name="split keys", formula="k as heads", shape=(b, hk, tk, d)),
        LayerStep(name="split values", formula="v as heads", shape=(b, hk, tk, dv)),
        LayerStep(
            name="scores", formula="q k^T / sqrt(D)", shape=(b, hq, tq, tk), flops=2 * pairs * d
        ),
        LayerStep(name="weights", formula="softmax(scores)", shape=(b, hq, tq, tk)),
        LayerStep(name="heads", formula="weights v", shape=(b, hq, tq, dv), flops=2 * pairs * dv),
        LayerStep(name="merge", formula="heads side by side", shape=(b, tq, hq * dv)),
        projected("output", "merged Wo", tq, hq * dv, e),
    )
    return Layer(problem=problem, steps=steps)
