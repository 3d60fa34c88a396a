"""One attention call to be answered, and the short grammar it is printed and typed in."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any, Final, TypeAlias

from impls.interface.bias import Bias
from impls.interface.mask import FULL, Mask
from impls.interface.rows import parse_requests

DTYPES: Final = {"float64": "fp64", "float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}
DTYPE_BYTES: Final = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}
DEVICES: Final = ("cpu", "cuda", "mps")
LAYOUTS: Final = ("bhtd", "bthd")
_BIASES: Final = ("alibi", "relative", "dense")
_MASKS: Final = ("full", "causal", "window", "padding", "documents", "rows")
STEPS: Final = ("prefill", "decode")
"""Steps of a model with a cache of keys and values; without one of them it is a forward pass."""
_EXAMPLE: Final = "b2 h32/8 t4096 d128 causal bf16 train cuda"
_BOTH: Final = {
    "length": ("query_length", "key_length"),
    "heads": ("query_heads", "key_heads"),
}
"""Names that stand for the query field and the key field together."""
_PARSED: Final = 65536
"""Problems kept by `Problem.parse`: a run has thousands, and each is read from many records."""

Fields: TypeAlias = tuple[tuple[str, Any], ...]
"""Fields of a problem by name, in the order of their declaration; hashable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One attention call. Equal problems get equal inputs on every machine.

    query_heads / key_heads    Hq, Hk: query head h reads key head h // (Hq // Hk)
    query_length / key_length  Tq, Tk: the last query lines up with the last key
    mask       with rows, batch is 1 and Tq and Tk are the sums over the rows; there is no bias then
    scale      factor of the scores; None is 1/sqrt(D)
    value_dim  head dimension of v and of the output where it is another; None is head_dim
    softcap    scores become softcap * tanh(score / softcap), before the bias; None leaves them
               (arXiv 2408.00118)
    sink       whether a logit per query head joins the sum of the softmax and carries no value
               (arXiv 2508.10925)
    training   forward and backward (gradients of q, k and v), else forward alone
    layout     bhtd: contiguous [B, H, T, D]; bthd: the strided view that models hand over
    ranks      processes that compute it together, each with a part of the sequence; 1: one process
    model      empty: the call alone. Else the model whose attention layers make this call, as
               `llama`, or with a step of its cache, `llama:prefill` and `llama:decode`: the whole
               step is measured, and the other fields describe its attention

    `str(problem)` and `Problem.parse` are inverses. Raises ValueError for sizes that make no sense.
    """

    batch: int = 1
    query_heads: int = 8
    key_heads: int = 8
    query_length: int = 1024
    key_length: int = 1024
    head_dim: int = 64
    mask: Mask = FULL
    bias: Bias = Bias()
    scale: float | None = None
    dtype: str = "float32"
    device: str = "cpu"
    training: bool = False
    layout: str = "bhtd"
    value_dim: int | None = None
    softcap: float | None = None
    sink: bool = False
    ranks: int = 1
    model: str = ""

    def __post_init__(self) -> None:
        self._check_sizes()
        _refuse_device_index(self.device)
        for value, known, what in (
            (self.dtype, DTYPES, "dtype"),
            (self.device, DEVICES, "device"),
            (self.layout, LAYOUTS, "layout"),
        ):
            if value not in known:
                raise ValueError(f"unknown {what} {value!r}; expected one of {', '.join(known)}")
        for name, number in (("scale", self.scale), ("softcap", self.softcap)):
            if number is not None and not 0 < number < float("inf"):
                raise ValueError(f"{name} is {number:g}, expected more than 0, and finite")
        if self.value_dim is not None and (self.value_dim < 1 or self.value_dim == self.head_dim):
            raise ValueError(
                f"value_dim is {self.value_dim}, expected at least 1 and another than head_dim, "
                f"{self.head_dim}; leave it out where they are the same"
            )
        if self.model_step != "forward" and self.training:
            raise ValueError(f"model:{self.model} with train; a {self.model_step} has no gradients")
        self._check_ranks()

    def _check_sizes(self) -> None:
        sizes = ("batch", "query_heads", "key_heads", "query_length", "key_length", "head_dim")
        for name in sizes:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least 1")
        if self.query_heads % self.key_heads:
            raise ValueError(
                f"{self.query_heads} query heads do not divide by {self.key_heads} key heads; "
                "expected a whole number of query heads for each key head"
            )
        documents, padding = self.mask.documents, self.mask.padding
        if documents and not sum(documents) == self.query_length == self.key_length:
            raise ValueError(
                f"documents of {sum(documents)} in all, with {self.query_length} queries and "
                f"{self.key_length} keys; expected the same three"
            )
        self._check_rows()
        if isinstance(padding, tuple) and (
            len(padding) != self.batch or max(end for _, end in padding) > self.key_length
        ):
            raise ValueError(
                f"padding of {len(padding)} rows up to key {max(end for _, end in padding)}; "
                f"expected {self.batch} rows within {self.key_length} keys"
            )

    def _check_ranks(self) -> None:
        if self.ranks < 1:
            raise ValueError(f"ranks is {self.ranks}, expected at least 1")
        for name in ("query_length", "key_length"):
            if getattr(self, name) % self.ranks:
                raise ValueError(
                    f"{name} {getattr(self, name)} does not divide by {self.ranks} ranks; "
                    f"expected a multiple of {self.ranks}"
                )
        if self.ranks > 1 and self.model:
            raise ValueError(f"model:{self.model} with ranks; a model runs in one process")

    def _check_rows(self) -> None:
        if self.mask.rows is None:
            return
        lengths = self.mask.packed_lengths or (0, 0)
        if lengths != (self.query_length, self.key_length):
            raise ValueError(
                f"rows of {lengths[0]} queries and {lengths[1]} keys in all, with "
                f"{self.query_length} queries and {self.key_length} keys; expected the same: leave "
                "t out, and the rows state it"
            )
        if self.batch > 1:
            raise ValueError(
                f"rows in a batch of {self.batch}, expected b1: the rows of a packed batch lie one "
                "after the other in one batch row"
            )
        if self.bias.kind != "none":
            raise ValueError(f"rows beside the bias {self.bias}, expected no bias")

    @property
    def model_name(self) -> str:
        """The model without its step; empty for a call alone."""
        return self.model.removesuffix(f":{self.model_step}")

    @property
    def model_step(self) -> str:
        """The step of the model that is measured: forward, prefill or decode."""
        return next((step for step in STEPS if self.model.endswith(f":{step}")), "forward")

    @property
    def attention(self) -> Problem:
        """The attention call alone, without a model around it."""
        return replace(self, model="") if self.model else self

    @property
    def softmax_scale(self) -> float:
        """The factor of the scores: `scale`, or 1/sqrt(D)."""
        return self.head_dim**-0.5 if self.scale is None else self.scale

    @property
    def value_size(self) -> int:
        """Head dimension of v and of the output: `value_dim`, or `head_dim`."""
        return self.value_dim or self.head_dim

    @property
    def visible_pairs(self) -> int:
        """Visible (batch row, query, key) triples, exact; times query heads gives score entries."""
        return self.mask.visible_pairs(self.batch, self.query_length, self.key_length)

    @property
    def new_tokens(self) -> int:
        """Tokens that one call computes: the queries of all batch rows."""
        return self.batch * self.query_length

    @property
    def has_older_tokens(self) -> bool:
        """Whether some keys come before the first query, as with a cache of keys and values."""
        rows = self.mask.rows or ((self.query_length, self.key_length),)
        return any(queries < keys for queries, keys in rows)

    @property
    def has_keyless_rows(self) -> bool:
        """Whether some query sees no key, as the first of Tq=129 does with Tk=33 and causal."""
        return self.mask.hides_a_row(self.batch, self.query_length, self.key_length)

    @property
    def flops(self) -> int:
        """Multiplications and additions of the visible area.

        Two matrix products forward, one over D and one over the dimension of v; five more
        backward, three and two of them, of which one repeats the scores: the same count for every
        implementation, whatever it does in fact.
        """
        wide, narrow = (4, 3) if self.training else (1, 1)
        columns = wide * self.head_dim + narrow * self.value_size
        return 2 * self.visible_pairs * self.query_heads * columns

    @property
    def fewest_bytes(self) -> int:
        """Bytes that must move at least: each input read and each output written once."""
        columns = self.head_dim + self.value_size
        queries = self.batch * self.query_heads * self.query_length * columns  # q, out
        keys = self.batch * self.key_heads * self.key_length * columns  # k, v
        # Training adds the gradients of all four, and none of a bias.
        moved = (queries + keys) * (1 + self.training) + self._bias_entries
        return moved * DTYPE_BYTES[self.dtype]

    @property
    def input_bytes(self) -> int:
        """Bytes of q, k, v and a dense bias, and in training of the gradient of the output."""
        values = self.value_size if self.training else 0
        queries = self.batch * self.query_heads * self.query_length * (self.head_dim + values)
        keys = self.batch * self.key_heads * self.key_length * (self.head_dim + self.value_size)
        return (queries + keys + self._bias_entries) * DTYPE_BYTES[self.dtype]

    @property
    def _bias_entries(self) -> int:
        """Entries of a dense bias; the tensors of others are small, and count as none."""
        dense = self.bias.kind == "dense"
        return dense * self.query_heads * self.query_length * self.key_length

    @property
    def projection_flops(self) -> int:
        """Multiplications and additions of the four projections of a layer around the attention.

        Widths are heads times D. Training adds as many for the gradients of the activations; the
        weights have none.
        """
        queries = self.query_length * (self.query_heads * self.head_dim) ** 2
        keys = self.key_length * (self.key_heads * self.head_dim) ** 2
        return (1 + self.training) * 4 * self.batch * (queries + keys)

    @property
    def projection_bytes(self) -> int:
        """Bytes of the weights of these projections."""
        widths = (self.query_heads * self.head_dim, self.key_heads * self.head_dim)
        return 2 * sum(width**2 for width in widths) * DTYPE_BYTES[self.dtype]

    def key(self) -> str:
        """The text that identifies the problem in stores and files: the same as `str(problem)`."""
        return str(self)

    def without(self, *names: str) -> Fields:
        """The other fields with their values: equal for problems that differ in `names` only.

        names  fields; `length` and `heads` stand for the query and the key field together

        Raises ValueError for a name that is no field.
        """
        left_out = {field for name in names for field in _BOTH.get(name, (name,))}
        known = [field.name for field in fields(self)]
        if unknown := left_out.difference(known):
            raise ValueError(f"a problem has no field {', '.join(sorted(unknown))}")
        return tuple((name, getattr(self, name)) for name in known if name not in left_out)

    def fields(self) -> dict[str, str | int | float | bool | None]:
        """Every field by name as plain data: the columns of a table of problems."""
        return {name: _plain(value) for name, value in self.without()}

    def __str__(self) -> str:
        return " ".join(
            (
                f"b{self.batch}",
                f"h{_pair(self.query_heads, self.key_heads)}",
                f"t{_pair(self.query_length, self.key_length)}",
                f"d{self.head_dim}",
                *(() if self.value_dim is None else (f"dv{self.value_dim}",)),
                str(self.mask),
                *(() if self.bias.kind == "none" else (str(self.bias),)),
                *(() if self.scale is None else (f"scale{self.scale!r}",)),
                *(() if self.softcap is None else (f"softcap{self.softcap!r}",)),
                *(("sink",) if self.sink else ()),
                DTYPES[self.dtype],
                *(("train",) if self.training else ()),
                *(() if self.layout == "bhtd" else (self.layout,)),
                *((f"model:{self.model}",) if self.model else ()),
                *((f"ranks{self.ranks}",) if self.ranks > 1 else ()),
                self.device,
            )
        )

    @classmethod
    def parse(cls, text: str, *, device: str = "cpu") -> Problem:
        """Read a problem from its words, in any order; what is left out has its default.

        text    for example "b2 h32/8 t4096 d128 causal bf16 train cuda"; `t128/4096` is Tq/Tk;
                without `t`, rows and documents state the lengths
        device  used when the text names none

        Raises ValueError naming the word that was not understood.
        """
        return _parsed(text, device)


@lru_cache(maxsize=_PARSED)
def _parsed(text: str, device: str) -> Problem:
    found: dict[str, Any] = {"device": device}
    named: set[str] = set()
    for word in text.split():
        try:
            new = parse_word(word)
        except ValueError as error:
            raise ValueError(f"problem {text!r}: {error}") from None
        if named & new.keys():
            raise ValueError(f"problem {text!r}: {word!r} sets a field that is set already")
        named |= new.keys()
        found |= new
    if (mask := found.get("mask")) and mask.packed_lengths and not named & set(_BOTH["length"]):
        found |= zip(_BOTH["length"], mask.packed_lengths, strict=True)
    try:
        return Problem(**found)
    except ValueError as error:
        raise ValueError(f"problem {text!r}: {error}") from None


def _plain(value: Mask | Bias | str | float | None) -> str | int | float | bool | None:
    return str(value) if isinstance(value, (Mask, Bias)) else value


def _pair(queries: int, keys: int) -> str:
    return f"{queries}" if queries == keys else f"{queries}/{keys}"


def parse_dtype(word: str) -> str:
    """The full name of a dtype given in full or short. Raises ValueError for an unknown one."""
    for name, short in DTYPES.items():
        if word in (name, short):
            return name
    raise ValueError(f"unknown dtype {word!r}; expected one of {', '.join(DTYPES)}")


def _refuse_device_index(word: str) -> None:
    """Raise ValueError for `cuda:1`: a problem names a kind of device, not one of several."""
    if found := re.fullmatch(r"cuda:(\d+)", word):
        raise ValueError(
            f"{word!r} has a device index, expected 'cuda': a problem names a kind of device; "
            f"choose the device with --device cuda:{found[1]}"
        )


def parse_word(word: str) -> dict[str, Any]:
    """The fields that one word of the grammar sets. Raises ValueError for an unknown word."""
    if field := _NAMED.get(word):
        return dict([field])
    for pattern, set_fields in _NUMBERED:
        if found := re.fullmatch(pattern, word):
            return set_fields(found)
    if word in DTYPES or word in DTYPES.values():
        return {"dtype": parse_dtype(word)}
    _refuse_device_index(word)
    stem = re.split(r"[:+]", word)[0]
    if stem in _MASKS or parse_requests(word):
        return {"mask": Mask.parse(word)}
    if stem in _BIASES:
        return {"bias": Bias.parse(word)}
    raise ValueError(
        f"{word!r} is not understood; {_near(word)}expected words like those of {_EXAMPLE!r}"
    )


def _near(word: str) -> str:
    """The nearest word of the grammar, as `did you mean 'causal'? `; empty: none is near."""
    stem, colon, rest = word.lower().partition(":")
    known = [*_NAMED, *_MASKS, *_BIASES, *DTYPES.values()]
    found = difflib.get_close_matches(stem, known, n=1, cutoff=0.7)
    if any(re.fullmatch(pattern, word.lower()) for pattern, _ in _NUMBERED):
        found = [stem]
    return f"did you mean {found[0] + colon + rest!r}? " if found else ""


def _lengths(found: re.Match[str]) -> dict[str, Any]:
    axis = {"h": "heads", "t": "length"}[found[1]]
    return {f"query_{axis}": int(found[2]), f"key_{axis}": int(found[3] or found[2])}


_NAMED: Final[dict[str, tuple[str, Any]]] = {
    "train": ("training", True),
    "forward": ("training", False),
    "sink": ("sink", True),
    **{device: ("device", device) for device in DEVICES},
    **{layout: ("layout", layout) for layout in LAYOUTS},
}
"""Words that are names, and the field that each sets."""
_NUMBERED: Final[tuple[tuple[str, Callable[[re.Match[str]], dict[str, Any]]], ...]] = (
    (r"b(\d+)", lambda found: {"batch": int(found[1])}),
    (r"d(\d+)", lambda found: {"head_dim": int(found[1])}),
    (r"ranks(\d+)", lambda found: {"ranks": int(found[1])}),
    (r"dv(\d+)", lambda found: {"value_dim": int(found[1])}),
    (r"([ht])(\d+)(?:/(\d+))?", _lengths),
    (r"model:(\S+)", lambda found: {"model": found[1]}),
    (
        r"(scale|softcap)((?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)",
        lambda found: {found[1]: float(found[2])},
    ),
)
"""Words that hold numbers or a name, and the fields that each sets."""
