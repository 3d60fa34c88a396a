"""Nodes of a cluster, and the kinds of machine among them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

LABEL: Final = "attnbench-kind"
"""The label of a Ray node that names its kind."""
FEWEST_PYTHON: Final = (3, 11)
FEWEST_TORCH: Final = (2, 11)
"""As pyproject.toml requires them."""
_LONGEST: Final = 40
"""Characters of a kind: it is a part of the name of a run."""
_NOISE: Final = re.compile(
    r"\((r|tm|c)\)|\bcpu\b|\bprocessor\b|\b(\d+|dual|quad|six|eight)-core\b|@.*$|\bwith .*$",
    re.IGNORECASE,
)
"""Words of a model's name that say nothing about the kind of machine."""


@dataclass(frozen=True, slots=True)
class Node:
    """A place for one job at a time: a node, or one GPU of a node with its share of the CPUs.

    key    of the node in the cluster
    host   its name
    kind   of machine, as `amd-epyc`
    cpus   that a job reserves
    gpus   that a job reserves: 0 or 1
    slot   which of the places of the node this is
    slots  places of the node
    """

    key: str
    host: str
    kind: str
    cpus: float
    gpus: int = 0
    slot: int = 0
    slots: int = 1


def kind_of(cpu: str, gpus: Sequence[str], label: str = "") -> str:
    """The kind of a machine: its label, or the name of its first GPU or of its CPU.

    Raises ValueError for a label that no run can have in its name.
    """
    if label:
        if not re.fullmatch(rf"[a-z0-9][a-z0-9.-]{{0,{_LONGEST - 1}}}", label):
            raise ValueError(
                f"the label {LABEL} of a node is {label!r}; expected small letters, digits, . and "
                f"-, at most {_LONGEST}"
            )
        return label
    return slug(gpus[0] if gpus else cpu)


def slug(name: str) -> str:
    """The name of a CPU or GPU as a word: `NVIDIA H200` is `nvidia-h200`."""
    words = re.findall(r"[a-z0-9]+", _NOISE.sub(" ", name).lower())
    return "-".join(words)[:_LONGEST].strip("-") or "unknown"


def chosen(nodes: Sequence[Node], on: Sequence[str]) -> dict[str, list[Node]]:
    """The nodes by kind: of the kinds that are named, or of all without a name.

    Raises ValueError for a kind that is not there.
    """
    found: dict[str, list[Node]] = {}
    for node in nodes:
        found.setdefault(node.kind, []).append(node)
    for kind in on:
        if kind not in found:
            raise ValueError(f"--on is {kind!r}; the cluster has {counts(nodes) or 'no nodes'}")
    return {kind: found[kind] for kind in (dict.fromkeys(on) if on else found)}


def counts(nodes: Iterable[Node]) -> str:
    """The kinds with their numbers of nodes: `amd-epyc (3 nodes), nvidia-h200 (1 node)`."""
    keys: dict[str, set[str]] = {}
    for node in nodes:
        keys.setdefault(node.kind, set()).add(node.key)
    return ", ".join(
        f"{kind} ({len(own)} node{'s' * (len(own) > 1)})" for kind, own in keys.items()
    )


def expect_able(host: str, python: str, torch: str) -> None:
    """Raise ValueError for a node whose Python or torch cannot run this program."""
    install = "install this program's requirements there"
    if _version(python) < FEWEST_PYTHON:
        raise ValueError(f"node {host} has Python {python}, expected 3.11 or later; {install}")
    if not torch:
        raise ValueError(f"node {host} has no torch for its Python; {install}")
    if _version(torch) < FEWEST_TORCH:
        raise ValueError(f"node {host} has torch {torch}, expected 2.11 or later; {install}")


def _version(text: str) -> tuple[int, int]:
    numbers = [int(each) for each in re.findall(r"\d+", text)[:2]]
    return (*numbers, 0, 0)[0], (*numbers, 0, 0)[1]
