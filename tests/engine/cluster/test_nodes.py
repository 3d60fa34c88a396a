from __future__ import annotations

import pytest

from suites.engine.cluster.nodes import Node, chosen, counts, expect_able, kind_of, slug


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("AMD EPYC", "amd-epyc"),
        ("AMD EPYC 9654 96-Core Processor", "amd-epyc-9654"),
        ("Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz", "intel-xeon-platinum-8481c"),
        ("AMD Ryzen 7 7840U w/ Radeon 780M Graphics", "amd-ryzen-7-7840u-w-radeon-780m-graphics"),
        ("NVIDIA H200", "nvidia-h200"),
        ("NVIDIA A100-SXM4-80GB", "nvidia-a100-sxm4-80gb"),
        ("", "unknown"),
    ],
)
def test_a_model_becomes_a_word(name: str, word: str) -> None:
    assert slug(name) == word


def test_a_label_names_the_kind_then_the_gpu_then_the_cpu() -> None:
    assert kind_of("AMD EPYC", ["NVIDIA H200"], "big") == "big"
    assert kind_of("AMD EPYC", ["NVIDIA H200"]) == "nvidia-h200"
    assert kind_of("AMD EPYC", []) == "amd-epyc"


@pytest.mark.parametrize("label", ["Big", "a/b", "-a", "a@b", "a" * 41])
def test_a_label_that_no_run_can_be_named_after_is_refused(label: str) -> None:
    with pytest.raises(ValueError, match=r"attnbench-kind of a node is .*; expected small letters"):
        kind_of("AMD EPYC", [], label)


NODES = [
    Node(key="a", host="one", kind="big", cpus=2),
    Node(key="b", host="two", kind="small", cpus=2, gpus=1, slot=0, slots=2),
    Node(key="b", host="two", kind="small", cpus=2, gpus=1, slot=1, slots=2),
    Node(key="c", host="three", kind="big", cpus=2),
]


def test_nodes_are_counted_once_however_many_gpus_they_have() -> None:
    assert counts(NODES) == "big (2 nodes), small (1 node)"


def test_all_kinds_are_chosen_unless_some_are_named() -> None:
    assert list(chosen(NODES, ())) == ["big", "small"]
    assert chosen(NODES, ("small", "small")) == {"small": NODES[1:3]}


def test_a_kind_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(ValueError, match=r"--on is 'x'; the cluster has big \(2 nodes\), small"):
        chosen(NODES, ("big", "x"))


@pytest.mark.parametrize(
    ("python", "torch", "said"),
    [
        ("3.10.4", "2.13.0", "node one has Python 3.10.4, expected 3.11 or later"),
        ("3.12.1", "", "node one has no torch"),
        ("3.12.1", "2.9.1+cpu", "node one has torch 2.9.1.cpu, expected 2.11 or later"),
    ],
)
def test_a_node_that_cannot_run_the_program_is_named(python: str, torch: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        expect_able("one", python, torch)


def test_a_node_as_new_as_required_is_able() -> None:
    expect_able("one", "3.11.0", "2.11.0+cu128")
