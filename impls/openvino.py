"""OpenVINO on a CPU: one compiled model for each problem.

The model is one node ScaledDotProductAttention of opset 13, which the CPU plugin compiles to code
for this CPU. Inputs are read and the output is written in torch's memory. The plugin's default
precision is bfloat16 on CPUs that have it, so that the precision is set to the problem's; products
of float16 numbers are computed in float32.

Masks are a constant that is added to the scores, except causal ones with Tq = Tk: the alignment of
`causal` is top-left. The model computes a bias, copies the layout bthd, and sets rows of the output
without a visible key to zero: they are NaN without that. Fewer key heads than query heads are
refused by OpenVINO.

Memory of the model is not seen by torch's allocator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import torch
from torch import Tensor

from impls.interface import AttentionFunction, BiasValues, Library, Limits, Problem, implementation
from impls.interface.bias import bucket
from impls.interface.limits import EVERY_BIAS, EVERY_MASK

if TYPE_CHECKING:
    import openvino as ov

Node: TypeAlias = Any
"""A node of a model: OpenVINO's functions for nodes have no types."""

TYPES: Final = {"float32": "f32", "float16": "f16", "bfloat16": "bf16"}
"""OpenVINO's names of dtypes."""
PRECISIONS: Final = {"float32": "f32", "float16": "f32", "bfloat16": "bf16"}
"""The dtype that products are computed in."""


@implementation(
    Limits(
        devices=("cpu",),
        dtypes=tuple(TYPES),
        masks=EVERY_MASK,
        biases=EVERY_BIAS,
        grouped_heads=False,
        backward=False,
        own_value_dim=True,
    ),
    library=Library(distribution="openvino", module="openvino", extra="peers"),
    slow_start=True,
)
def openvino(problem: Problem) -> AttentionFunction:
    """Attention by OpenVINO's node, forward only.

    q       [B, H, Tq, D]
    k       [B, H, Tk, D]
    v       [B, H, Tk, Dv]
    out     [B, H, Tq, Dv] in q's dtype
    """
    import openvino as ov  # noqa: PLC0415 - importing takes seconds

    compiled = ov.Core().compile_model(_model(problem), "CPU", settings(problem))
    request = compiled.create_infer_request()
    shape = problem.batch, problem.query_heads, problem.query_length, problem.value_size

    def call(q: Tensor, k: Tensor, v: Tensor, *, bias: BiasValues | None = None) -> Tensor:
        given = [q, k, v]
        if problem.layout == "bthd":
            given = [x.transpose(1, 2) for x in given]
        if bias is not None:
            given.append(bias.values.to(q.dtype) if bias.kind == "dense" else bias.values)
        given = [x.contiguous() for x in given]  # copies neither layout
        for place, x in enumerate(given):
            request.set_input_tensor(place, _shared(x))
        out = q.new_empty(shape)
        request.set_output_tensor(0, _shared(out))
        request.infer()
        return out

    return call


def settings(problem: Problem) -> dict[str, Any]:
    """As many threads as torch's, on any of its CPUs, and the precision of the problem.

    Pinned, a thread of OpenVINO was seen on the one CPU that OpenMP binds the main thread to.
    """
    return {
        "INFERENCE_PRECISION_HINT": PRECISIONS[problem.dtype],
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,
    }


def _shared(x: Tensor) -> ov.Tensor:
    """A contiguous tensor's memory as a tensor of OpenVINO."""
    import openvino as ov  # noqa: PLC0415 - importing takes seconds

    name = str(x.dtype).removeprefix("torch.")
    # numpy has no bfloat16: OpenVINO reads the bits.
    memory = x.detach().view(torch.int16) if x.dtype == torch.bfloat16 else x.detach()
    return ov.Tensor(memory.numpy(), ov.Shape(list(x.shape)), getattr(ov.Type, TYPES[name]))


def _model(problem: Problem) -> ov.Model:
    """The graph from q, k, v and the values of a bias to the output."""
    import openvino as ov  # noqa: PLC0415 - importing takes seconds
    from openvino import opset13 as nodes  # noqa: PLC0415 - as above

    number_type = getattr(ov.Type, TYPES[problem.dtype])
    inputs = [nodes.parameter(shape, number_type) for shape in _shapes(problem)]
    tensors: list[Node] = [*inputs]
    if problem.layout == "bthd":
        tensors = [nodes.transpose(x, [0, 2, 1, 3]) for x in inputs]
    added, seen = None, _seen(problem)
    if problem.bias.kind != "none":
        wide = number_type if problem.bias.kind == "dense" else ov.Type.f32
        inputs.append(nodes.parameter(_bias_shape(problem), wide))
        added = nodes.convert(_bias(problem, inputs[-1]), number_type)
    if seen is not None:
        term = torch.zeros(seen.shape).masked_fill_(~seen, float("-inf"))
        hidden = nodes.constant(term.numpy(), number_type)
        added = hidden if added is None else nodes.add(added, hidden)
    scale = nodes.constant(problem.softmax_scale, number_type)
    out = nodes.scaled_dot_product_attention(*tensors, added, scale, causal=_is_causal(problem))
    if seen is not None and problem.has_keyless_rows:
        sees = nodes.constant(seen.any(-1, keepdim=True).numpy())
        out = nodes.select(sees, out, nodes.constant(0.0, number_type))
    return ov.Model([out], inputs, "attention")


def _shapes(problem: Problem) -> list[list[int]]:
    """The shapes of q, k and v in the order of their memory."""
    p = problem
    columns = (
        (p.query_length, p.head_dim),
        (p.key_length, p.head_dim),
        (p.key_length, p.value_size),
    )
    if p.layout == "bthd":
        return [[p.batch, length, p.query_heads, each] for length, each in columns]
    return [[p.batch, p.query_heads, length, each] for length, each in columns]


def _bias_shape(problem: Problem) -> list[int]:
    """The shape of the values of a bias."""
    of_a_head = {
        "alibi": [],
        "relative": [problem.bias.buckets],
        "dense": [problem.query_length, problem.key_length],
    }
    return [problem.query_heads, *of_a_head[problem.bias.kind]]


def _bias(problem: Problem, values: Node) -> Node:
    """The bias of all pairs, [1, H, Tq, Tk]."""
    from openvino import opset13 as nodes  # noqa: PLC0415 - importing takes seconds

    if problem.bias.kind == "dense":
        return nodes.unsqueeze(values, [0])
    positions = torch.arange(problem.key_length - problem.query_length, problem.key_length)
    distances = positions[:, None] - torch.arange(problem.key_length)
    if problem.bias.kind == "alibi":
        by_head = nodes.unsqueeze(values, [0, 2, 3])
        return nodes.multiply(by_head, nodes.constant((-distances.abs()).float().numpy()))
    rows = nodes.constant(bucket(distances, problem.bias.buckets).numpy())
    return nodes.unsqueeze(nodes.gather(values, rows, nodes.constant(1)), [0])


def _seen(problem: Problem) -> Tensor | None:
    """The visible pairs, [Tq, Tk] or [B, 1, Tq, Tk]; None where the model needs no mask tensor."""
    p = problem
    if _is_causal(p) or not p.mask.hides_a_key(p.batch, p.query_length, p.key_length):
        return None
    mask = p.mask.resolved(p.batch, p.key_length)
    return mask.dense(p.batch, p.query_length, p.key_length, torch.device("cpu"))


def _is_causal(problem: Problem) -> bool:
    """Whether the node's own causal mask is the mask; the node ignores it beside a mask tensor."""
    square = problem.query_length == problem.key_length
    return problem.mask.kind == "causal" and square and problem.bias.kind == "none"
