"""Which CPU tensors an operator takes beside tensors of the device, by torch's own rules.

The rules are in torch's operator list, native_functions.yaml. An operator that checks devices takes
tensors of one device only. An operator marked `device_check: NoCheck` leaves that to
TensorIterator, which takes one CPU tensor without dimensions that is not written to
(aten/src/ATen/TensorIterator.cpp, `compute_types`).
"""

from __future__ import annotations

import functools
import warnings
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar

import torch
import torchgen  # type: ignore[import-untyped]

from tests.stand_in.trees import leaves

OPERATORS: Final = Path(torchgen.__path__[0], "packaged/ATen/native/native_functions.yaml")
COPIES: Final = ("aten::copy_", "aten::_to_copy", "aten::_local_scalar_dense")
"""Operators between devices, or to the host."""
INDEXING: Final = ("aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_")
"""Operators that take indices on the CPU beside a tensor of the device."""
SEVERAL: Final = (
    *("aten::where", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_"),
    "aten::_efficient_attention_backward",
)
"""Operators that take any number of such tensors: TensorCompare.cpp, `where_self_out`;
TensorAdvancedIndexing.cpp; attention_backward.cu, whose random state is on the CPU."""
RANDOM_STATE: Final = ("philox_seed", "philox_offset")
"""Arguments that may be on the CPU, and empty where there is no dropout: attention_backward.cu."""
UNORDERED: Final = (
    *("aten::mm", "aten::bmm", "aten::addmm", "aten::baddbmm", "aten::dot", "aten::mv"),
    *("aten::cumsum", "aten::scatter_add", "aten::scatter_add_", "aten::index_add"),
    *("aten::index_add_", "aten::put_", "aten::histc", "aten::_embedding_bag"),
)
"""Operators that warn in deterministic mode: those of cuBLAS without CUBLAS_WORKSPACE_CONFIG
(Context.cpp, `alertCuBLASConfigNotDeterministic`), and those that add atomically."""
PLACES: Final = ("mask", "index")
"""Arguments that must be on the device, with dimensions or without: cuda/Indexing.cu,
`masked_fill__cuda`."""

Kind = TypeVar("Kind", bound=torch.Tensor)


def check(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], kind: type[Kind]) -> None:
    """Raise RuntimeError, as torch does, where devices mix in a call of an operator.

    kind  class of the tensors of the device
    """
    name = func._schema.name
    check_generator(kwargs, on_device=True)
    if name in COPIES or not tensors((args, kwargs), kind):
        return
    on_cpu = [(each, x) for each, x in _by_argument(func, args, kwargs) if type(x) is not kind]
    on_cpu = [(each, x) for each, x in on_cpu if each.name not in RANDOM_STATE]
    if name in INDEXING and isinstance(args[0], kind):
        on_cpu = [(each, x) for each, x in on_cpu if each.name != "indices"]
    numbers = [x for each, x in on_cpu if not x.dim() and _takes_number(func, each)]
    if len(numbers) < len(on_cpu):
        raise RuntimeError(
            "Expected all tensors to be on the same device, but found at least two devices, "
            f"cuda:0 and cpu! ({name})"
        )
    if len(numbers) > 1 and name not in SEVERAL:
        raise RuntimeError(f"Trying to pass too many CPU scalars to non-CPU kernel! ({name})")


class Generator(torch.Generator):
    """torch.Generator: one of the device is a generator of the CPU that is kept apart."""

    of_device: ClassVar[set[int]] = set()
    """Addresses of those of the device: torch hands on another Python object."""

    def __new__(cls, device: Any = "cpu") -> Any:
        if torch.device(device).type == "cpu":
            return torch._C.Generator(device)
        made = super().__new__(cls)
        address: int = made._cdata  # type: ignore[attr-defined] # missing in torch's stubs
        cls.of_device.add(address)
        weakref.finalize(made, cls.of_device.discard, address)
        return made

    def __init__(self, device: Any = "cpu") -> None:
        super().__init__()

    def manual_seed(self, seed: int) -> Generator:
        super().manual_seed(seed)
        return self


def check_generator(kwargs: dict[str, Any], *, on_device: bool) -> None:
    """Raise RuntimeError where random numbers are drawn by a generator of the other device."""
    generator = kwargs.get("generator")
    if generator is not None and (generator._cdata in Generator.of_device) != on_device:
        wanted, found = ("cuda", "cpu") if on_device else ("cpu", "cuda")
        raise RuntimeError(f"Expected a '{wanted}' device type for generator but found '{found}'")


def warn_of_order(operator: str) -> None:
    """In torch's deterministic mode, warn of an operator whose order of sums may vary."""
    mode = torch.get_deterministic_debug_mode()
    message = f"{operator} does not have a deterministic implementation"
    if mode == 2:
        raise RuntimeError(message)
    if mode:
        warnings.warn(message, UserWarning, stacklevel=2)


def tensors(tree: Any, kind: type[Kind]) -> list[Kind]:
    """The tensors of a class among the arguments of a call."""
    return [x for x in leaves(tree) if isinstance(x, kind)]


def _by_argument(
    func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Iterator[tuple[Any, torch.Tensor]]:
    """Every tensor of a call, with its argument in the operator's schema."""
    by_name = {each.name: each for each in func._schema.arguments}
    given = [
        *zip(func._schema.arguments, args, strict=False),
        *((by_name[name], value) for name, value in kwargs.items()),
    ]
    for each, value in given:
        yield from ((each, x) for x in leaves(value) if isinstance(x, torch.Tensor))


def _takes_number(func: Any, argument: Any) -> bool:
    """Whether this argument may be a CPU tensor without dimensions."""
    written = argument.alias_info is not None and argument.alias_info.is_write
    schema = func._schema
    full = f"{schema.name}.{schema.overload_name}".removesuffix(".").removeprefix("aten::")
    return full in _unchecked() and not written and argument.name not in PLACES


@functools.cache
def _unchecked() -> frozenset[str]:
    """Names of the operators that leave the check of devices to TensorIterator."""
    entries = OPERATORS.read_text().split("\n- func: ")[1:]
    return frozenset(x.partition("(")[0] for x in entries if "device_check: NoCheck" in x)
