"""Compilers of implementations: whether one is used, what it has compiled, and its limits."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, Final

from impls.interface import Implementation, Problem
from suites.measure.named_objects import names_in_code, objects_of, root_module

_COMPILED: Final = {
    "OptimizedModule": "torch",
    "PjitFunction": "jax",
    "JITFunction": "triton",
    "Autotuner": "triton",
    "CPUDispatcher": "numba",
}
"""Compilers by the classes of what they return."""
_DECORATORS: Final = {
    ("torch", "compile"): "torch",
    ("jax", "jit"): "jax",
    ("numba", "njit"): "numba",
    ("triton", "jit"): "triton",
}
"""Compilers by a module and a name in it that code uses together."""
_WHOLE_COMPILATION: Final = ("entire_frame_compile", "entire_backward_compile")
"""Phases of torch's compiler that contain all others."""
_FOLDER: Final = "TORCHINDUCTOR_CACHE_DIR"
"""The variable that names the folder of compiled code."""
RECOMPILATIONS: Final = 4096
"""Compilations of one function that torch is permitted. Its own limit is 8: further shapes would
run without the compiler, and no message says so."""

NAMED_KERNELS: Final = "TORCHINDUCTOR_CPP_ENABLE_KERNEL_PROFILE"
"""Read by torch when its compiler is loaded."""


def compilers(implementation: Implementation) -> frozenset[str]:
    """The compilers that an implementation uses: torch, jax, triton, numba; empty for none."""
    objects = objects_of(implementation)
    return frozenset(filter(None, (*map(_compiler, objects), *_by_name(objects))))


def _compiler(each: Any) -> str:
    """The compiler that made an object; empty for none."""
    attributes = getattr(each, "__dict__", {})
    if "_torchdynamo_orig_callable" in attributes and "_torchdynamo_disable" not in attributes:
        return "torch"
    return _COMPILED.get(type(each).__name__, "")


def _by_name(objects: list[Any]) -> list[str]:
    """Compilers that code names, as `torch.compile` in a function that prepares."""
    modules = {root_module(each) for each in objects if isinstance(each, ModuleType)}
    names = {name for each in objects for name in names_in_code(each)}
    return [
        compiler
        for (module, name), compiler in _DECORATORS.items()
        if module in modules | names and name in names
    ]


def torch_compiles(problem: Problem) -> bool:
    """Whether torch itself may compile a kernel of its matrix products for a problem.

    From 2.13 it does on a GPU for products over one number, as with one key
    (torch/_native/ops/bmm_outer_product).
    """
    sizes = (problem.query_length, problem.key_length, problem.head_dim)
    return problem.device != "cpu" and 1 in sizes


def compilations() -> int | None:
    """Graphs that torch has compiled in this process; None where its compiler is not loaded."""
    utils = sys.modules.get("torch._dynamo.utils")
    return None if utils is None else int(utils.counters["stats"]["unique_graphs"])


def compile_ms() -> float:
    """Milliseconds that torch has spent on compiling in this process since `forget`.

    By torch's own clocks, which include loading compiled code from its folder. The names of its
    phases are the same in torch 2.11 to 2.13.
    """
    utils = sys.modules.get("torch._dynamo.utils")
    spent_ns = {} if utils is None else utils.cumulative_time_spent_ns
    return float(sum(spent_ns.get(phase, 0) for phase in _WHOLE_COMPILATION)) / 1e6


@contextmanager
def cold() -> Iterator[None]:
    """Within this, torch's compiler finds no code that was compiled earlier.

    Only where this process has compiled nothing yet: torch reads the variable for each graph.
    """
    before = os.environ.get(_FOLDER)
    with TemporaryDirectory(prefix="attnbench-compiled-") as folder:
        os.environ[_FOLDER] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ[_FOLDER]
            else:
                os.environ[_FOLDER] = before


def raise_limits() -> None:
    """Permit torch's compiler, where it is loaded, to compile for every shape."""
    config: Any = sys.modules.get("torch._dynamo.config")
    if config is not None and config.recompile_limit < RECOMPILATIONS:
        config.recompile_limit = RECOMPILATIONS
        config.accumulated_recompile_limit = max(config.accumulated_recompile_limit, RECOMPILATIONS)


def name_kernels() -> None:
    """Have torch's compiler name the kernels that it generates for a CPU in profiles.

    Only for code that this process compiles from now on. Each kernel then announces its start and
    its end to the profiler, as operators do.
    """
    os.environ[NAMED_KERNELS] = "1"
    config: Any = sys.modules.get("torch._inductor.config")
    if config is not None:
        config.cpp.enable_kernel_profile = True


def forget() -> None:
    """Drop what torch's compiler keeps in this process, so that a problem is compiled for itself.

    Otherwise the second size is compiled for all sizes, which gives slower code. Compiled code
    stays in the folder of the run.
    """
    dynamo: Any = sys.modules.get("torch._dynamo")
    if dynamo is not None and hasattr(dynamo, "reset"):
        dynamo.reset()
