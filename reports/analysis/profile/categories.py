"""The kind of work that an operator or a kernel does, by its name."""

from __future__ import annotations

import re
from typing import Final

ATTENTION: Final = "fused attention"
COMPILED: Final = "compiled graph"
PRODUCTS: Final = "matrix products"
SOFTMAX: Final = "exp and softmax"
REDUCTIONS: Final = "max and sum"
MASKS: Final = "masks and indexing"
ELEMENTWISE: Final = "elementwise"
COPIES: Final = "copies and fills"
VIEWS: Final = "views and allocation"
DISPATCH: Final = "compiler's dispatch"
AUTOGRAD: Final = "autograd"
PYTHON: Final = "Python"
OTHER: Final = "other"

CATEGORIES: Final = (
    ATTENTION,
    COMPILED,
    PRODUCTS,
    SOFTMAX,
    REDUCTIONS,
    MASKS,
    ELEMENTWISE,
    COPIES,
    VIEWS,
    DISPATCH,
    AUTOGRAD,
    PYTHON,
    OTHER,
)
"""Every category, in the order of charts and tables."""
WHOLE: Final = frozenset((ATTENTION, COMPILED))
"""Categories of kernels that contain the matrix products together with other work."""

_GRAPH: Final = re.compile(r"^## Call CompiledFxGraph \w+ ##$")
_NAMES: Final = (
    (PYTHON, r"Python"),
    (ATTENTION, r"_?(scaled_dot_product|flash_attention|efficient_attention|cudnn_attention)\w*"),
    (ATTENTION, r".*(flash_?(fwd|bwd|attn|attention)|fmha|flex_attention|cudnn.*sdpa).*"),
    (COMPILED, r"compiled graph|triton_.*|.*cpp_fused.*"),
    (PRODUCTS, r"(\w+_)?(b?mm|addb?mm|baddbmm|matmul|linear|einsum|dot|mv|addmv|bilinear)"),
    (PRODUCTS, r".*(gemm|cutlass|gemv|cublas|nvjet|xmma|splitk).*"),
    (SOFTMAX, r"(_?(log_?)?(masked_)?softmax\w*|exp2?|expm1|log|log2|log1p|logsumexp|logaddexp2?)"),
    (SOFTMAX, r".*(softmax|exp_kernel).*"),
    (REDUCTIONS, r"(amax|amin|aminmax|max|min|sum|mean|prod|cumsum|norm|linalg_\w*norm|all|any)"),
    (REDUCTIONS, r".*reduce_kernel.*"),
    (
        MASKS,
        (
            r"(masked_\w+|where|tril|triu|arange|index\w*|gather|scatter\w*|take\w*|embedding\w*|"
            r"eq|ne|lt|le|gt|ge|__i?(and|or|xor)__|(logical|bitwise)_\w+|isinf|isnan|searchsorted|bucketize|nonzero)"
        ),
    ),
    (COPIES, r"(copy|clone|contiguous|cat|stack|to|_to_copy|fill|zero|zeros\w*|ones\w*|full\w*)"),
    (COPIES, r"(new_(zeros|ones|full)|repeat\w*|pad|constant_pad_nd|reflection_pad\w*|roll|flip)"),
    (COPIES, r"(Memcpy|Memset|mem(cpy|set)).*|.*(copy_kernel|FillFunctor|CatArray).*"),
    (
        VIEWS,
        (
            r"(empty\w*|new_empty\w*|as_strided|view\w*|_unsafe_view|reshape|_reshape_alias|expand\w*|"
            r"transpose|t|mT|mH|permute|movedim|slice\w*|select|narrow|split\w*|chunk|unbind|squeeze|"
            r"unsqueeze|flatten|unflatten|unfold|unsafe_\w+|detach\w*|alias|resolve_\w+|resize|set|"
            r"lift_fresh|diagonal|numpy_T|broadcast\w*|item|_local_scalar_dense|result_type)"
        ),
    ),
    (DISPATCH, r"TorchDynamo .*|Torch-Compiled Region.*|Pregraph bytecode|AOTDispatcher .*"),
    (DISPATCH, r"CompiledFunction(Backward)?"),
    (AUTOGRAD, r"autograd engine|.*Backward\d*|torch::autograd::.*"),
    (
        ELEMENTWISE,
        (
            r"_?(add|sub|rsub|mul|div|neg|abs|sqrt|rsqrt|square|pow|reciprocal|sigmoid|tanh|gelu|relu|"
            r"clamp\w*|maximum|minimum|fmax|fmin|lerp|addcmul|addcdiv|sin|cos|erf|sign|floor|ceil|"
            r"round|remainder|fmod|floor_divide|true_divide|softplus|threshold|silu|copysign|"
            r"tanh_backward|bernoulli|native_dropout\w*|dropout|nan_to_num|xlogy)"
        ),
    ),
    (ELEMENTWISE, r".*elementwise_kernel.*"),
)
"""Categories with patterns of names without `aten::` and without the `_` of in-place operators.

The first that matches the whole name decides.
"""
_PATTERNS: Final = tuple((name, re.compile(pattern)) for name, pattern in _NAMES)


def short(name: str) -> str:
    """The name as it is shown: without `aten::`, and without the hash of a compiled graph."""
    return COMPILED if _GRAPH.match(name) else name.removeprefix("aten::")


def operator(name: str) -> str:
    """The name that operators are matched by: in place or not, it is one operator."""
    plain = short(name)
    in_place = plain.endswith("_") and not plain.endswith("__") and name.startswith("aten::")
    return plain[:-1] if in_place else plain


def category(name: str) -> str:
    """The category of an operator, a kernel, or Python; OTHER for a name that is not known."""
    own = operator(name)
    return next((found for found, pattern in _PATTERNS if pattern.fullmatch(own)), OTHER)
