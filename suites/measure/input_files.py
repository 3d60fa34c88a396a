"""The user's own tensors: reads the file of a call, and makes inputs of a problem from it.

A file is a dict that `torch.save` wrote: q, k and v, [B, H, T, D], and perhaps `grad` (of the
output), `bias`, `sink`, and `problem`, words of the grammar like "causal". Sizes and dtype are read
from the tensors. Files are opened with `weights_only=True`, so they cannot run code.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from impls.interface import BiasValues, Problem
from impls.interface.problem import DTYPES, parse_word
from suites.measure.inputs import Inputs, bias_of, dense_bias, laid_out, small_tensor
from suites.records.input_files import FORMAT, VERSION, InputFile, hash_of

_NEEDED: Final = ("q", "k", "v")
_OPTIONAL: Final = ("grad", "bias", "sink")
_WORDS: Final = ("problem", "mask")
"""Keys of words of the grammar; `mask` is a shorter name for one that gives the mask alone."""
_OF_TENSOR: Final = {"training": "grad", "sink": "sink"}
"""Fields of a problem that need a tensor, with its key."""
_NOT_READ: Final = (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError)
"""The exceptions of torch.load for a file that torch.save did not write."""


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """The content of a file: its tensors by name, and its words of the grammar.

    whole  whether the words state a whole problem; False: what they leave out is read from tensors
    """

    tensors: Mapping[str, Tensor]
    words: str
    whole: bool

    def problem(self, device: str) -> Problem:
        """The problem that the tensors are inputs of.

        device  where its words name none

        Raises ValueError for shapes that do not fit each other, or do not fit the words.
        """
        derived = {**_shapes(self.tensors), **_extras(self.tensors)}
        usual = {} if self.whole else {"layout": _layout(self.tensors["q"]), **derived}
        found = Problem(**{"device": device, **usual, **self._named()})
        for field, key in _OF_TENSOR.items():
            if getattr(found, field) and not derived[field]:
                raise ValueError(f"its problem {self.words!r} needs {key!r}, which it lacks")
        for field, value in derived.items():
            if getattr(found, field) != value:
                raise ValueError(
                    f"its problem {self.words!r} has {field} {getattr(found, field)}, its tensors "
                    f"have {value}"
                )
        self._expect_bias(found)
        return found

    def _expect_bias(self, problem: Problem) -> None:
        """Raise ValueError for a bias whose values are missing, or of another shape."""
        kind = problem.bias.kind
        if kind not in ("relative", "dense"):
            return
        if "bias" not in self.tensors:
            raise ValueError(f"its problem {self.words!r} needs 'bias', which it lacks")
        if kind == "dense":
            sizes = problem.query_heads, problem.query_length, problem.key_length
            _expect_shape("bias", self.tensors["bias"], sizes)

    def _named(self) -> dict[str, Any]:
        """The fields that its words set."""
        found: dict[str, Any] = {}
        for word in self.words.split():
            found |= parse_word(word)
        return found

    def inputs(self, problem: Problem) -> Inputs:
        """The tensors as inputs of the problem, on its device and in its layout."""
        of = self.tensors
        q, k, v = (laid_out(of[name], problem) for name in _NEEDED)
        grad = laid_out(of["grad"], problem) if problem.training else None
        sink = small_tensor(of["sink"], problem) if problem.sink else None
        return Inputs(q, k, v, grad, self._bias(problem), sink)

    def _bias(self, problem: Problem) -> BiasValues | None:
        kind = problem.bias.kind
        if kind == "none" or "bias" not in self.tensors:
            return bias_of(problem, torch.Generator())  # slopes of ALiBi: nothing is drawn
        if kind == "dense":
            return dense_bias(self.tensors["bias"], problem)
        return BiasValues(kind, small_tensor(self.tensors["bias"], problem))


def described(path: str, device: str, dtypes: Iterable[str] = ()) -> InputFile:
    """A file as data: its problem and its hash.

    device  of the problem, where the file names none
    dtypes  further ones that its tensors will be converted to

    Raises ValueError with one line for a file that holds no inputs of a call.
    """
    before = hash_of(path)
    try:
        call = _read(path)
        problem = call.problem(device)
        for dtype in (problem.dtype, *dtypes):
            _expect_finite(call.tensors, dtype)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return InputFile(problem=problem, path=path, sha256=before)


def load(file: InputFile, problem: Problem) -> Inputs:
    """The inputs of a problem from a file. Raises ValueError for a file that has changed."""
    return _unchanged(file.path, file.sha256).inputs(problem)


@lru_cache(maxsize=2)
def _unchanged(path: str, hashed: str) -> Call:
    """The content of a file, kept for the next implementation or session of this process."""
    InputFile(problem=Problem(), path=path, sha256=hashed).expect_unchanged()
    return _read(path)


def _read(path: str) -> Call:
    try:
        found: Any = torch.load(Path(path), map_location="cpu", weights_only=True)
    except _NOT_READ as error:
        said = "" if isinstance(error, KeyError) else f" ({str(error).partition(chr(10))[0]})"
        raise ValueError(
            f"cannot be read as tensors{said}; expected a dict with q, k and v from torch.save"
        ) from None
    if not isinstance(found, dict):
        raise ValueError(  # noqa: TRY004 - one error for all
            f"holds {type(found).__name__}, expected a dict with q, k and v"
        )
    _expect_keys(found)
    tensors = {name: found[name] for name in (*_NEEDED, *_OPTIONAL) if found.get(name) is not None}
    for name, value in tensors.items():
        if not isinstance(value, Tensor) or value.layout != torch.strided:
            raise ValueError(f"its {name} is no dense tensor")
    words = " ".join(str(found[name]) for name in _WORDS if found.get(name))
    values = {name: value.detach() for name, value in tensors.items()}
    return Call(values, words, whole="format" in found)


def _expect_keys(found: Mapping[Any, Any]) -> None:
    version = found.get("version", VERSION)
    if found.get("format", FORMAT) != FORMAT or not isinstance(version, int):
        raise ValueError(f"its format is {found.get('format')!r}, expected {FORMAT!r}")
    if version > VERSION:
        raise ValueError(f"has version {version}, this release reads {VERSION}: update attnbench")
    if missing := [name for name in _NEEDED if found.get(name) is None]:
        raise ValueError(f"has no {', '.join(missing)}; expected tensors q, k and v")
    known = {*_NEEDED, *_OPTIONAL, *_WORDS, "format", "version"}
    if unknown := [str(name) for name in found if name not in known]:
        raise ValueError(
            f"has {unknown[0]!r}; expected {', '.join((*_NEEDED, *_OPTIONAL))}, problem"
        )


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """The fields of a problem that q, k and v determine."""
    q, k, v = (tensors[name] for name in _NEEDED)
    for name in _NEEDED:
        if tensors[name].dim() != 4:
            raise ValueError(f"its {name} has shape {list(tensors[name].shape)}, expected 4 sizes")
        if tensors[name].dtype != q.dtype:
            raise ValueError(f"its {name} is {tensors[name].dtype}, and q is {q.dtype}")
    dtype = str(q.dtype).removeprefix("torch.")
    if dtype not in DTYPES:
        raise ValueError(f"its tensors are {dtype}, expected one of {', '.join(DTYPES)}")
    _expect_shape("k", k, (q.shape[0], k.shape[1], k.shape[2], q.shape[3]))
    _expect_shape("v", v, (*k.shape[:3], v.shape[3]))
    return {
        "batch": q.shape[0],
        "query_heads": q.shape[1],
        "key_heads": k.shape[1],
        "query_length": q.shape[2],
        "key_length": k.shape[2],
        "head_dim": q.shape[3],
        "value_dim": None if v.shape[3] == q.shape[3] else v.shape[3],
        "dtype": dtype,
    }


def _extras(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """The fields that the optional tensors determine."""
    q, v = tensors["q"], tensors["v"]
    if "grad" in tensors:
        _expect_shape("grad", tensors["grad"], (*q.shape[:3], v.shape[3]))
        if tensors["grad"].dtype != q.dtype:
            raise ValueError(f"its grad is {tensors['grad'].dtype}, and q is {q.dtype}")
    if "sink" in tensors:
        _expect_shape("sink", tensors["sink"], (q.shape[1],))
    return {"training": "grad" in tensors, "sink": "sink" in tensors}


def _layout(q: Tensor) -> str:
    """The layout: bthd where the heads of a position are adjacent, as after a transposition."""
    return "bthd" if not q.is_contiguous() and q.stride(2) > q.stride(1) else "bhtd"


def _expect_shape(name: str, x: Tensor, shape: tuple[int, ...]) -> None:
    if tuple(x.shape) != shape:
        raise ValueError(f"its {name} has shape {list(x.shape)}, expected {list(shape)}")


def _expect_finite(tensors: Mapping[str, Tensor], dtype: str) -> None:
    """Raise ValueError for a tensor with NaN or inf: there is no reference for such a call."""
    for name, tensor in tensors.items():
        small = name in ("bias", "sink")
        finite = torch.isfinite(tensor if small else tensor.to(getattr(torch, dtype)))
        if not finite.all():
            at = [int(i) for i in (~finite).nonzero()[0]]
            value = float(tensor[tuple(at)])
            where = "" if value != value or abs(value) == float("inf") else f", inf in {dtype}"  # noqa: PLR0124 - NaN
            raise ValueError(f"its {name} is {value:g} at {at}{where}; expected finite numbers")
