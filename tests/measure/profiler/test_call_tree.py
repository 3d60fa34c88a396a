"""The call tree, from events made up by hand."""

from __future__ import annotations

from suites.measure.profiler.call_tree import PYTHON, CallTree
from suites.measure.profiler.events import ENGINE, Event, Input
from suites.measure.profiler.placing import Placed, operators
from suites.measure.profiler.source_lines import Stack
from suites.measure.profiler.work import Work
from suites.records.operator_kinds import ENGINE_NAME
from suites.records.profile import ROOT, UNPLACED, Node

FIRST, SECOND, INNER = "a.py:1 f", "a.py:2 f", "a.py:9 g"


def operator(name: str, start: int, end: int, *within: Event, thread: int = 0) -> Event:
    return Event("operator", name, start, end, thread=thread, within=list(within))


def called(start: int, end: int, *within: Event) -> Event:
    return Event("annotation", "call", start, end, within=list(within))


def tree(root: Event, *stacks: Stack) -> tuple[CallTree, tuple[Node, ...]]:
    """The tree of a call, with the stack of each operator in its order."""
    placed = [Placed(each, own) for each, own in zip(operators(root), stacks, strict=True)]
    built = CallTree(placed, lambda placed, event: Work(2.0, 8))
    return built, built.build(root)


def times(nodes: tuple[Node, ...]) -> dict[str, tuple[int, int, int]]:
    """By path: total, self and calls."""
    return {path(nodes, place): (n.total_ns, n.self_ns, n.calls) for place, n in enumerate(nodes)}


def path(nodes: tuple[Node, ...], place: int) -> str:
    node = nodes[place]
    return node.name if node.parent == UNPLACED else f"{path(nodes, node.parent)}/{node.name}"


def test_time_before_an_operator_is_python_of_its_line() -> None:
    root = called(0, 100, operator("aten::exp", 10, 30), operator("aten::sin", 40, 90))
    _, nodes = tree(root, (FIRST,), (SECOND,))
    assert times(nodes) == {
        "call": (100, 0, 1),
        f"call/{FIRST}": (30, 0, 0),
        f"call/{FIRST}/{PYTHON}": (10, 10, 1),
        f"call/{FIRST}/aten::exp": (20, 20, 1),
        f"call/{SECOND}": (70, 0, 0),
        f"call/{SECOND}/{PYTHON}": (20, 20, 2),
        f"call/{SECOND}/aten::sin": (50, 50, 1),
    }
    assert sum(node.self_ns for node in nodes) == nodes[ROOT].total_ns


def test_calls_by_the_same_path_are_one_node() -> None:
    twice = called(0, 50, operator("aten::exp", 0, 20), operator("aten::exp", 20, 50))
    _, nodes = tree(twice, (FIRST,), (FIRST,))
    assert times(nodes) == {
        "call": (50, 0, 1),
        f"call/{FIRST}": (50, 0, 0),
        f"call/{FIRST}/aten::exp": (50, 50, 2),
    }
    assert (nodes[2].flops, nodes[2].bytes) == (4.0, 16)


def test_an_operator_within_another_has_its_own_time() -> None:
    root = called(0, 50, operator("aten::matmul", 0, 50, operator("aten::mm", 10, 40)))
    _, nodes = tree(root, (FIRST,), (FIRST,))
    assert times(nodes)[f"call/{FIRST}/aten::matmul"] == (50, 20, 1)
    assert times(nodes)[f"call/{FIRST}/aten::matmul/aten::mm"] == (30, 30, 1)


def test_a_line_within_an_operator_is_below_it_without_the_lines_above() -> None:
    inner = operator("aten::mul", 20, 40)
    root = called(0, 50, operator("OwnBackward", 0, 50, inner))
    built, nodes = tree(root, (FIRST,), (FIRST, INNER))
    assert times(nodes) == {
        "call": (50, 0, 1),
        f"call/{FIRST}": (50, 0, 0),
        f"call/{FIRST}/OwnBackward": (50, 30, 1),
        f"call/{FIRST}/OwnBackward/{INNER}": (20, 0, 0),
        f"call/{FIRST}/OwnBackward/{INNER}/aten::mul": (20, 20, 1),
    }
    assert [nodes[place].name for place in built.line_of] == [FIRST, INNER]
    assert [nodes[place].name for place in built.node_of] == ["OwnBackward", "aten::mul"]


def test_another_line_within_an_operator_has_its_whole_stack() -> None:
    root = called(0, 50, operator("OwnBackward", 0, 50, operator("aten::mul", 20, 40)))
    built, nodes = tree(root, (FIRST,), (INNER,))
    assert f"call/{FIRST}/OwnBackward/{INNER}/aten::mul" in times(nodes)
    assert len(nodes) == 5
    assert nodes[built.line_of[1]].name == INNER


def test_an_operator_without_a_line_is_below_the_call() -> None:
    built, nodes = tree(called(0, 50, operator("aten::exp", 10, 50)), ())
    assert times(nodes)["call/aten::exp"] == (40, 40, 1)
    assert times(nodes)[f"call/{PYTHON}"] == (10, 10, 1)
    assert built.line_of == [UNPLACED]


def test_operators_of_two_threads_at_once_leave_no_negative_time_of_python() -> None:
    root = called(0, 50, operator("aten::exp", 0, 40), operator("aten::sin", 10, 30, thread=2))
    _, nodes = tree(root, (FIRST,), (FIRST,))
    assert times(nodes)[f"call/{FIRST}/{PYTHON}"] == (10, 10, 1)
    assert min(node.self_ns for node in nodes) == 0


def test_a_call_without_operators_is_python() -> None:
    _, nodes = tree(called(5, 50))
    assert times(nodes) == {"call": (45, 0, 1), f"call/{PYTHON}": (45, 45, 1)}


def test_autograd_around_backward_operators_has_one_name() -> None:
    root = called(0, 9, operator(f"{ENGINE}MulBackward0", 0, 9, operator("MulBackward0", 1, 9)))
    _, nodes = tree(root, (FIRST,), (FIRST,))
    assert [node.name for node in nodes[2:]] == [ENGINE_NAME, "MulBackward0"]


def test_shapes_of_the_first_call_are_kept() -> None:
    root = called(0, 9, operator("aten::exp", 0, 4), operator("aten::exp", 4, 9))
    inputs = [(Input((2, 3), (3, 1), "float32", 4), None), (Input((9,), (1,), "float32", 4),)]
    placed = [
        Placed(each, (FIRST,), own) for each, own in zip(operators(root), inputs, strict=True)
    ]
    nodes = CallTree(placed, lambda placed, event: Work()).build(root)
    assert (nodes[2].shapes, nodes[2].flops, nodes[2].bytes) == ("2x3 float32", None, None)


def test_a_line_is_known_where_the_tree_has_its_whole_stack() -> None:
    built, nodes = tree(called(0, 9, operator("aten::exp", 0, 9)), (FIRST, INNER))
    assert built.known_line((FIRST, INNER)) == [node.name for node in nodes].index(INNER)
    assert built.known_line((FIRST, SECOND)) is None
    assert built.known_line((INNER,)) is None
    assert built.known_line(()) is None
