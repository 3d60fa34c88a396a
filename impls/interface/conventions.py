"""Conventions of attention functions that people have: how each of them is called.

A callable that does not follow the contract is called by the names of its parameters. Where these
leave open what a mask means, or in which layout tensors are, there are several readings. Trials on
small inputs choose among them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from impls.interface.call_forms import by_position, first_of, in_layout, in_order, layer_of
from impls.interface.dense_mask import dense_mask
from impls.interface.limits import EVERY_MASK, Limits
from impls.interface.problem import DTYPE_BYTES
from impls.interface.ranks import GROUP
from impls.interface.reading import LAYOUTS, MASK_DIMS, MEANINGS, NATIVE, Reading
from impls.interface.signatures import IN_ORDER, LAYER, Signature, is_apply, signature_of

if TYPE_CHECKING:
    from torch import Tensor

    from impls.interface.problem import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Convention:
    """How a callable of another convention than the contract's is called.

    reading  the way that is used; trials replace it
    """

    signature: Signature
    reading: Reading
    by_position: bool = False

    @property
    def fixed(self) -> frozenset[str]:
        """Which of `mask` and `scale` the callable has no parameter for."""
        reading = self.reading
        takes_mask = self.signature.having("causal") or reading.window or reading.meaning
        takes_scale = self.signature.having("scale")
        both = {"mask": takes_mask, "scale": takes_scale}
        return frozenset(name for name, taken in both.items() if not taken)

    @property
    def dense(self) -> str:
        """The parameter that takes a dense mask; "" for none."""
        return self.signature.having("mask") or self.signature.having("added")

    @property
    def limits(self) -> Limits:
        """The problems that its parameters permit."""
        having = self.signature.having
        if self.dense or "mask" in self.fixed:
            masks = EVERY_MASK
        else:
            masks = tuple(
                {"full": None}
                | ({"causal": None} if having("causal") or having("window") else {})
                | ({"window": None} if having("window") else {})
            )
        softcap = bool(having("softcap"))
        return Limits(masks=masks, own_value_dim=True, softcap=softcap)

    def readings(self) -> Iterator[Reading]:
        """Every way to call it, the likely ones first."""
        for layout, (dims, meaning), window in product(
            LAYOUTS, self._meanings(), _windows(self.signature)
        ):
            yield Reading(meaning, layout, dims, window)

    def uses_dense(self, problem: Problem) -> bool:
        """Whether it gets a dense mask on this problem: one that no other parameter states."""
        if not self.reading.meaning or (problem.mask.is_full and not self._needs_mask):
            return False
        return not (self._is_causal(problem) or self._is_window(problem))

    def prepared(self, function: Callable[..., Any], problem: Problem) -> Callable[..., Tensor]:
        """The function of q, k and v for a problem; a dense mask is made here.

        Raises ValueError for a mask or a softcap that no parameter states: it is never dropped.
        """
        self._expect_stated(problem)
        arguments = self._arguments(problem)
        layer = [layer_of(problem)] if self.signature.takes_layer else []
        if self.by_position:
            call = by_position(function, self.signature, arguments)
        else:
            call = partial(function, *layer, **arguments)
        call = in_order(call, self.signature.order)
        if self.reading.first:
            call = first_of(call)
        return in_layout(call, self.reading.layout)

    def said(self, problem: Problem) -> list[str]:
        """How it is called on a problem, as `called with is_causal=True`."""
        found = []
        if self._is_causal(problem) and problem.mask.kind == "causal":
            found.append(f"called with {self.signature.having('causal')}=True")
        elif self._is_window(problem):
            found.append(f"called with {self.signature.having('window')}")
        elif self.uses_dense(problem):
            meaning = MEANINGS.get(self.reading.meaning, self.reading.meaning)
            kib = (self.mask_bytes(problem) or 0) / 1024
            found.append(
                f"called with a dense mask ({self.dense}: {meaning}; {kib:.3g} KiB, made before)"
            )
        taken = {
            self.dense: self.reading.meaning,
            self.signature.having("window"): self.reading.window,
        }
        if left_out := [name for name, reading in taken.items() if name and not reading]:
            found.append(f"called without {' and '.join(left_out)}")
        if self.signature.takes_layer:
            found.append(f"called with a stand-in for {LAYER}")
        if self.signature.order != IN_ORDER:
            order = ", ".join("qkv"[index] for index in self.signature.order)
            found.append(f"called with ({order})")
        if layout := LAYOUTS[self.reading.layout]:
            found.append(f"called with {layout}")
        if self.reading.first:
            found.append("the first of its outputs is used")
        return found

    def mask_bytes(self, problem: Problem) -> int | None:
        """Bytes of the dense mask that is made outside of the timed call; None without one."""
        if not self.uses_dense(problem):
            return None
        rows = problem.batch if problem.mask.padding is not None else 1
        entries = rows * problem.query_length * problem.key_length
        if self.reading.layout == "folded" and rows > 1:
            entries *= problem.query_heads
        wide = self.reading.meaning in ("numbers", "added")
        return entries * (DTYPE_BYTES[problem.dtype] if wide else 1)

    def _meanings(self) -> list[tuple[int, str]]:
        """Meanings of the mask parameter, each after the dimensions of the mask."""
        if not self.dense:
            return [(4, "")]
        left_out = [] if self.dense in self.signature.required else [(4, "")]
        if self.signature.roles[self.dense] == "added":
            return [*product(MASK_DIMS, ("added",)), *left_out]
        dense = [*product(MASK_DIMS, MEANINGS)]
        if "Tensor" in self.signature.annotated.get(self.dense, ""):
            return [*dense, *left_out]
        native = (4, NATIVE)
        by_keyword = self.dense in self.signature.keyword_only
        return [native, *dense, *left_out] if by_keyword else [*dense, native, *left_out]

    @property
    def _needs_mask(self) -> bool:
        """Whether its dense mask cannot be left out, not even as None."""
        text = self.signature.annotated.get(self.dense, "")
        return self.dense in self.signature.required and not re.search(r"\b(None|Optional)\b", text)

    def _expect_stated(self, problem: Problem) -> None:
        """Raise ValueError for a mask or a softcap that no parameter states."""
        if problem.softcap is not None and not self.signature.having("softcap"):
            raise ValueError("no parameter of the function states a softcap")
        stated = (
            problem.mask.is_full
            or "mask" in self.fixed
            or self._is_causal(problem)
            or self._is_window(problem)
            or self.uses_dense(problem)
        )
        if not stated:
            raise ValueError(f"no parameter of the function states the mask {problem.mask.kind}")

    def _is_causal(self, problem: Problem) -> bool:
        """Whether its flag alone states the mask: causal, with Tq == Tk where it has a choice."""
        if not self.signature.having("causal") or problem.mask.kind != "causal":
            return False
        return problem.query_length == problem.key_length or not self.dense

    def _is_window(self, problem: Problem) -> bool:
        return bool(self.reading.window) and problem.mask.kind == "window"

    def _arguments(self, problem: Problem) -> dict[str, Any]:
        """The arguments beside q, k and v, by parameter."""
        values: dict[str, Any] = {
            "scale": problem.softmax_scale,
            "grouped": problem.query_heads != problem.key_heads,
            "dropout": 0.0,
            "training": problem.training,
            "head_dim": problem.head_dim,
            "causal": self._is_causal(problem)
            or (self._is_window(problem) and problem.mask.right == 0),
        }
        if problem.softcap is not None:
            values["softcap"] = problem.softcap
        if self._is_window(problem):
            values["window"] = _WINDOWS[self.reading.window](problem.mask)
        if self.uses_dense(problem):
            values[self.signature.roles[self.dense]] = self._mask(problem)
        return {
            name: values.get(role)
            for name, role in self.signature.roles.items()
            if (role in values and self._is_taken(name, role)) or name in self.signature.required
        }

    def _is_taken(self, name: str, role: str) -> bool:
        """Whether a value is passed; a dropout whose default is no number is a module."""
        return role != "dropout" or isinstance(self.signature.defaults.get(name, 0.0), (int, float))

    def _mask(self, problem: Problem) -> Any:
        """The mask as the reading has it."""
        mask = problem.mask.resolved(problem.batch, problem.key_length)
        if self.reading.meaning == NATIVE:
            return mask
        return dense_mask(self.reading, problem)


def convention_of(function: Callable[..., Any], *, decorated: bool = False) -> Convention | None:
    """The convention of a callable; None where it follows the contract.

    decorated  an author who uses the decorator knows the contract: `mask` is a `Mask`

    Raises ValueError for a required parameter that no argument fills.
    """
    signature = signature_of(function)
    if signature is None or _is_native(signature, decorated=decorated):
        return None
    if signature.unfilled:
        names = ", ".join(map(repr, signature.unfilled))
        raise ValueError(
            f"nothing fills its required parameter {names}; expected (q, k, v) and parameters with "
            f"defaults: give a default, or add a function of (q, k, v) that calls it with a value"
        )
    made = Convention(signature=signature, reading=Reading(), by_position=is_apply(function))
    return Convention(
        signature=signature, reading=next(made.readings()), by_position=made.by_position
    )


def _is_native(signature: Signature, *, decorated: bool) -> bool:
    """Whether it is a function of the contract: it takes a `Mask`, or anything."""
    if {"inner", "bias", "sink", GROUP} & set(signature.names):
        return True
    annotation = signature.annotated.get("mask", "")
    if annotation.rpartition(".")[2].split(" ")[0] == "Mask":
        return True
    if decorated:
        foreign = set(signature.roles) - {"mask", "scale", "softcap"}
        return not foreign and "Tensor" not in annotation
    foreign = set(signature.roles.values()) - {"scale", "softcap"}
    usual = signature.order == IN_ORDER and not signature.takes_layer
    return signature.takes_any and usual and not foreign


_WINDOWS: Final[dict[str, Callable[[Any], Any]]] = {
    "pair": lambda mask: (-1 if mask.left is None else mask.left - 1, _right(mask)),
    "keys": lambda mask: mask.left,
    "keys before": lambda mask: None if mask.left is None else mask.left - 1,
}
"""Values of a window parameter: (keys before, keys after) as in flash-attn, where -1 is unlimited;
the number of visible keys, the query's own included; or without it."""


def _right(mask: Any) -> int:
    return -1 if mask.right is None else int(mask.right)


def _windows(signature: Signature) -> tuple[str, ...]:
    name = signature.having("window")
    if not name:
        return ("",)
    if isinstance(signature.defaults.get(name), (tuple, list)):
        found: tuple[str, ...] = ("pair",)
    else:
        found = tuple(_WINDOWS) if name == "window_size" else ("keys", "keys before", "pair")
    return found if name in signature.required else (*found, "")
