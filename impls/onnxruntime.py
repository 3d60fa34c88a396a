"""ONNX Runtime on a CPU: one graph and one session for each problem.

`operator` names the node that computes attention. `Attention` is ONNX's own, of opset 23; the other
two are of the domain com.microsoft. `MultiHeadAttention` has a kernel that holds no scores, for
full masks in float32. `GroupQueryAttention` is the node of decoders: causal, with windows.

Inputs are read and the output is written in torch's memory. Nodes of com.microsoft take
[B, T, H * D]: a node of the same graph copies another layout. A copy by torch would leave OpenMP's
threads spinning; with them, calls of ONNX Runtime were seen to take 20 ms longer.

Masks are a dense tensor that is added to the scores, except causal ones with Tq = Tk: the alignment
of `is_causal` is top-left. The graph computes a bias. Version 1.32 has no bfloat16, and multiplies
float64 scores by the square of a rounded square root of the scale.

A session keeps the memory of its largest call, which torch's allocator does not see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import torch
from torch import Tensor, unflatten

from impls.interface import AttentionFunction, BiasValues, Library, Limits, Problem, implementation
from impls.interface.bias import bucket
from impls.interface.limits import EVERY_BIAS, EVERY_MASK

if TYPE_CHECKING:
    from onnx import NodeProto
    from onnxruntime import SessionOptions

OPSET: Final = 23
"""The first opset with a node `Attention`."""
IR_VERSION: Final = 10
"""A version of ONNX's file format that every ONNX Runtime with this opset reads."""
CONTRIBUTED: Final = "com.microsoft"
"""The domain of ONNX Runtime's own nodes."""
Tensors: TypeAlias = dict[str, Tensor]
"""Inputs of a graph by name; on the device `meta` for shapes and dtypes alone."""
COMMON: Final[dict[str, Any]] = {
    "devices": ("cpu",),
    "dtypes": ("float32", "float16"),
    "backward": False,
}
LIMITS: Final = {
    "Attention": (
        Limits(
            **COMMON,
            masks=EVERY_MASK,
            biases=EVERY_BIAS,
            own_value_dim=True,
            softcap=True,
        ),
    ),
    "MultiHeadAttention": (
        Limits(
            **COMMON,
            masks=("full", "causal"),
            grouped_heads=False,
            unequal_masks=("full",),
            own_value_dim=True,
        ),
    ),
    "GroupQueryAttention": (
        Limits(
            **COMMON,
            masks=("causal", "window"),
            windows="causal",
            unequal_lengths=False,
            head_dims=range(8, 1025, 8),
            softcap=True,
            sink=True,
        ),
    ),
}
"""The nodes that compute attention, each with its limits."""


def node(problem: Problem, operator: str = "Attention") -> str:
    """A note on the node that computes attention."""
    del problem
    return f"computed by the ONNX node {operator}"


@implementation(
    *LIMITS["Attention"],
    choices={"operator": LIMITS},
    remark=node,
    library=Library(
        distribution="onnxruntime", module="onnxruntime", extra="peers", beside=("onnx",)
    ),
    slow_start=True,
)
def onnxruntime(problem: Problem, operator: str = "Attention") -> AttentionFunction:
    """Attention by one node of ONNX Runtime, forward only.

    q       [B, Hq, Tq, D]
    k       [B, Hk, Tk, D]
    v       [B, Hk, Tk, Dv]
    out     [B, Hq, Tq, Dv] in q's dtype
    """
    import onnxruntime as ort  # noqa: PLC0415 - importing takes seconds

    constants, packed = _constants(problem, operator), _is_packed(problem, operator)
    model = _model(problem, operator, constants)
    session = ort.InferenceSession(model, _options(), providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    heads = problem.query_heads
    shape = _shape(problem, heads, problem.query_length, problem.value_size, packed=packed)

    def call(
        q: Tensor,
        k: Tensor,
        v: Tensor,
        *,
        bias: BiasValues | None = None,
        sink: Tensor | None = None,
    ) -> Tensor:
        given = {"q": q, "k": k, "v": v}
        if problem.layout == "bthd":
            given = {name: x.transpose(1, 2).flatten(2) for name, x in given.items()}
        if bias is not None:
            given["bias"] = _bound_bias(bias, q.dtype)
        if sink is not None:
            given["sink"] = sink.to(q.dtype)
        given = {name: x.contiguous() for name, x in given.items()}  # copies neither layout
        for name, x in (given | constants).items():
            _bind(binding.bind_input, name, x)
        out = q.new_empty(shape)
        _bind(binding.bind_output, "out", out)
        session.run_with_iobinding(binding)
        return unflatten(out, 2, (heads, -1)).transpose(1, 2) if packed else out

    return call


def _options() -> SessionOptions:
    """As many threads as torch's, which wait for the next call without spinning.

    With spinning threads, a small SDPA call after a call of ONNX Runtime took 6.3 times as long.
    """
    import onnxruntime as ort  # noqa: PLC0415 - importing takes seconds

    options = ort.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _bound_bias(bias: BiasValues, dtype: torch.dtype) -> Tensor:
    """The values of a bias in the shape and dtype of `_inputs`."""
    if bias.kind == "dense":
        return bias.values.to(dtype)
    return bias.values if bias.kind == "relative" else bias.values[:, None, None]


def _bind(bind: Any, name: str, x: Tensor) -> None:
    """Bind an input or output to the memory of a contiguous tensor, which has to stay alive."""
    bind(name, "cpu", 0, _number_type(x).type, tuple(x.shape), x.data_ptr())


def _number_type(x: Tensor) -> Any:
    """The numpy dtype of a tensor's elements."""
    return torch.empty(0, dtype=x.dtype).numpy().dtype


def _is_packed(problem: Problem, operator: str) -> bool:
    """Whether the node takes and returns [B, T, H * D] instead of [B, H, T, D]."""
    return operator != "Attention" or problem.layout == "bthd"


def _shape(
    problem: Problem, heads: int, length: int, columns: int, *, packed: bool
) -> tuple[int, ...]:
    if packed:
        return problem.batch, length, heads * columns
    return problem.batch, heads, length, columns


def _inputs(problem: Problem) -> Tensors:
    """Shapes and dtypes of the tensors of a call."""
    p, dtype = problem, getattr(torch, problem.dtype)
    shapes = {
        "q": (p.query_heads, p.query_length, p.head_dim),
        "k": (p.key_heads, p.key_length, p.head_dim),
        "v": (p.key_heads, p.key_length, p.value_size),
    }
    packed = p.layout == "bthd"
    inputs = {
        name: torch.empty(_shape(p, *shape, packed=packed), dtype=dtype, device="meta")
        for name, shape in shapes.items()
    }
    if p.bias.kind == "dense":
        sizes = p.query_heads, p.query_length, p.key_length
        inputs["bias"] = torch.empty(sizes, dtype=dtype, device="meta")
    elif p.bias.kind != "none":
        shape = (p.bias.buckets,) if p.bias.kind == "relative" else (1, 1)
        wide = torch.promote_types(dtype, torch.float32)
        inputs["bias"] = torch.empty((p.query_heads, *shape), dtype=wide, device="meta")
    if p.sink:
        inputs["sink"] = torch.empty(p.query_heads, dtype=dtype, device="meta")
    return inputs


def _constants(problem: Problem, operator: str) -> Tensors:
    """Inputs that depend on the problem only, among them the mask and the places of a bias."""
    p = problem
    if operator == "GroupQueryAttention":
        last = torch.full((p.batch,), p.key_length - 1, dtype=torch.int32)
        return {"last": last, "total": torch.tensor([p.key_length], dtype=torch.int32)}
    constants: Tensors = {}
    dtype, device = getattr(torch, p.dtype), torch.device("cpu")
    if _is_masked(p) and not _is_causal(p, operator):
        mask = p.mask.resolved(p.batch, p.key_length)
        hidden = ~mask.dense(p.batch, p.query_length, p.key_length, device)
        zeros = torch.zeros(hidden.shape, dtype=dtype)
        constants["hidden"] = zeros.masked_fill_(hidden, float("-inf"))
    positions = torch.arange(p.key_length - p.query_length, p.key_length)
    distances = positions[:, None] - torch.arange(p.key_length)
    if p.bias.kind == "alibi":
        constants["places"] = -distances.abs().to(torch.promote_types(dtype, torch.float32))
    elif p.bias.kind == "relative":
        constants["places"] = bucket(distances, p.bias.buckets)
    return constants


def _is_masked(problem: Problem) -> bool:
    """Whether the mask hides a key; a causal one hides none from a single query."""
    return problem.mask.hides_a_key(problem.batch, problem.query_length, problem.key_length)


def _is_causal(problem: Problem, operator: str) -> bool:
    """Whether the node's own causal mask is the mask.

    Attention would write a bias and its causal mask into a copy, so that a bias gets a dense mask.
    """
    square = problem.query_length == problem.key_length
    alone = problem.bias.kind == "none" or operator != "Attention"
    return problem.mask.kind == "causal" and square and alone


def _model(problem: Problem, operator: str, constants: Tensors) -> bytes:
    """The graph from the tensors of a call and the constants to `out`, serialized."""
    from onnx import helper  # noqa: PLC0415 - needed with ONNX Runtime only

    inputs = _inputs(problem)

    def described(name: str, x: Tensor, shape: tuple[int, ...] | None) -> Any:
        number_type = helper.np_dtype_to_tensor_dtype(_number_type(x))
        return helper.make_tensor_value_info(name, number_type, shape)

    graph = helper.make_graph(
        [*_nodes(problem, operator, constants)],
        "attention",
        [described(name, x, tuple(x.shape)) for name, x in (inputs | constants).items()],
        [described("out", inputs["q"], None)],
    )
    domains = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIBUTED, 1)]
    model = helper.make_model(graph, opset_imports=domains, ir_version=IR_VERSION)
    serialized: bytes = model.SerializeToString()
    return serialized


def _nodes(problem: Problem, operator: str, constants: Tensors) -> list[NodeProto]:
    """Copies to another layout, the term that is added to the scores, and attention."""
    from onnx.helper import make_node  # noqa: PLC0415 - needed with ONNX Runtime only

    names = ["q", "k", "v"]
    nodes: list[NodeProto] = []
    if operator != "Attention" and problem.layout == "bhtd":
        nodes.append(make_node("Constant", [], ["packed"], value_ints=[0, 0, -1]))
        for name in names:
            nodes.append(make_node("Transpose", [name], [f"{name}_bthd"], perm=[0, 2, 1, 3]))
            nodes.append(make_node("Reshape", [f"{name}_bthd", "packed"], [f"{name}_packed"]))
        names = [f"{name}_packed" for name in names]
    if problem.bias.kind != "none":
        nodes += _bias(problem, masked="hidden" in constants)
        names.append("added")
    elif "hidden" in constants:
        names.append("hidden")
    if operator == "GroupQueryAttention":
        names += ["", "", "last", "total"]
    if problem.sink:
        names += ["", "", "", "", "sink"]
    domain = "" if operator == "Attention" else CONTRIBUTED
    attributes = _attributes(problem, operator)
    return [*nodes, make_node(operator, names, ["out"], domain=domain, **attributes)]


def _bias(problem: Problem, *, masked: bool) -> list[NodeProto]:
    """The bias of all pairs, [Hq, Tq, Tk], in the dtype of q; with the mask where there is one."""
    from onnx.helper import make_node, np_dtype_to_tensor_dtype  # noqa: PLC0415 - as above

    if problem.bias.kind == "dense":
        if masked:
            return [make_node("Add", ["bias", "hidden"], ["added"])]
        return [make_node("Identity", ["bias"], ["added"])]
    if problem.bias.kind == "alibi":
        found = make_node("Mul", ["bias", "places"], ["found"])
    else:
        found = make_node("Gather", ["bias", "places"], ["found"], axis=1)
    number_type = np_dtype_to_tensor_dtype(_number_type(_inputs(problem)["q"]))
    cast = make_node("Cast", ["found"], ["cast" if masked else "added"], to=number_type)
    return [found, cast, *([make_node("Add", ["cast", "hidden"], ["added"])] if masked else [])]


def _attributes(problem: Problem, operator: str) -> dict[str, Any]:
    p = problem
    causal = int(_is_masked(p) and _is_causal(p, operator))
    if operator == "MultiHeadAttention":
        return {"num_heads": p.query_heads, "scale": p.softmax_scale, "unidirectional": causal}
    attributes = {"scale": p.softmax_scale, "softcap": p.softcap or 0.0}
    if operator == "GroupQueryAttention":
        reach = -1 if p.mask.left is None else p.mask.left  # counts the own key, as in Mask
        heads = {"num_heads": p.query_heads, "kv_num_heads": p.key_heads}
        return {**attributes, **heads, "local_window_size": reach}
    heads = {"q_num_heads": p.query_heads, "kv_num_heads": p.key_heads}
    return {**attributes, "is_causal": causal, **(heads if _is_packed(p, operator) else {})}
