"""Libraries whose memory torch's allocator does not see."""

from __future__ import annotations

from typing import Final

from impls.interface import Implementation
from suites.measure.named_objects import names_in_code, objects_of, root_module

LIBRARIES: Final = (
    "cupy", "jax", "jaxlib", "mlx", "numba", "onnxruntime", "openvino", "tensorflow",
)  # fmt: skip
"""Top modules of libraries with an allocator of their own."""
_EXCHANGES: Final = (
    ({"numpy", "from_numpy"}, "numpy"),
    ({"from_dlpack"}, "another library"),
)
"""Names that code uses together where another library computes a tensor."""


def unseen(implementation: Implementation) -> str:
    """Why requested bytes of its calls are not known; empty where torch allocates them."""
    library = _library(implementation)
    return f"memory of {library} is not seen by torch's allocator" if library else ""


def _library(implementation: Implementation) -> str:
    """The first such library that the implementation's code uses; empty for none."""
    objects = objects_of(implementation)
    names = {name for each in objects for name in names_in_code(each)}
    used = {root_module(each) for each in objects} | {name.partition(".")[0] for name in names}
    exchanged = [library for needed, library in _EXCHANGES if needed <= names]
    return next((each for each in (*sorted(used & {*LIBRARIES}), *exchanged)), "")
