"""Options and bad input of a run on a cluster, without a cluster."""

from __future__ import annotations

import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from suites import on_cluster
from suites.engine.cluster.jobs import Job, MakePlan, Planned
from suites.engine.cluster.nodes import Node
from suites.engine.cluster.pool import Done, Event, Lost
from suites.on_cluster import OnRay, engine_of
from suites.records.reading import NO_PLAN
from suites.request.planning import requested
from suites.request.suites import named
from tests.command_line.program import call


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("foo", "", ""), "--engine is 'foo'; expected local or ray"),
        (("local", "", "amd-epyc"), "--on without --engine ray"),
        (("local", "a:1", ""), "--address without --engine ray"),
    ],
)
def test_options_that_make_no_sense_are_refused(words: tuple[str, str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        engine_of(*words)


def test_the_engine_is_this_machine_unless_ray_is_named() -> None:
    assert engine_of("local", "", "") is None
    assert engine_of("ray", "a:1", "big, small") == OnRay("a:1", ("big", "small"))
    assert engine_of("ray", "", "") == OnRay()


def test_without_ray_one_line_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "suites.engine.cluster.ray_cluster", raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)
    ended = call("run", "--engine", "ray", monkeypatch=monkeypatch, capsys=capsys, cwd=tmp_path)
    assert ended.status == 2
    assert ended.stderr == (
        "attnbench: --engine ray without Ray; install it with: "
        'python -m pip install -c constraints.txt -e ".[cluster]"\n'
    )
    assert not (tmp_path / "results" / "bench.db").exists()


@pytest.mark.parametrize("address", ["nowhere", "ray://a:1", "a:b", ":1"])
def test_an_address_of_another_form_is_one_line(address: str) -> None:
    pytest.importorskip("ray")
    with pytest.raises(ValueError, match="expected HOST:PORT of a cluster's head node"):
        OnRay(address).connected()


def test_an_address_without_a_cluster_is_one_line() -> None:
    pytest.importorskip("ray")
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(ValueError, match=rf"no Ray cluster at 127.0.0.1:{port}: .*; start one"):
        OnRay(f"127.0.0.1:{port}").connected()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"--device": "cuda:1"}, "--cuda-device beside --engine ray"),
        ({"--impl": ["naive"], "--python": [f"naive={sys.executable}"]}, "--python beside"),
    ],
)
def test_what_does_not_travel_is_refused(given: dict[str, str | list[str]], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        on_cluster._expect_travelling(requested(named("quick"), given))


def test_the_kind_of_a_run_is_that_of_its_name_or_of_its_machine() -> None:
    from suites.records.store import Run

    run = Run(name="r@big.one", started="", command="", plan=NO_PLAN, machine={"cpu": "AMD EPYC"})
    assert on_cluster._kind_of(run) == "big.one"
    assert on_cluster._kind_of(replace(run, name="r")) == "amd-epyc"
    gpu = {"devices": [{"device": "cuda", "name": "NVIDIA H200", "uuid": "x"}]}
    assert on_cluster._kind_of(replace(run, name="r", machine=gpu)) == "nvidia-h200"


class Planning:
    """A stand-in for a cluster whose nodes make a plan, or are lost meanwhile.

    lost  the nodes that are lost
    """

    def __init__(self, *lost: str) -> None:
        self.lost = lost
        self.asked: list[str] = []

    def begin(self, node: Node, job: Job) -> str:
        assert isinstance(job.work, MakePlan)
        self.asked.append(node.key)
        return node.key

    def events(self, within_s: float) -> list[tuple[str, Event]]:
        assert within_s > 0
        key = self.asked[-1]
        if key in self.lost:
            return [(key, Lost(reason="the node died", gone=True))]
        return [(key, Planned(plan=NO_PLAN, machine={"cpu": key})), (key, Done())]

    def stop(self) -> None:
        raise AssertionError("nothing is stopped")


def planned_by(cluster: Planning, kinds: dict[str, list[Node]]) -> dict[str, Planned]:
    job = Job(work=MakePlan(request=requested(named("quick"), {})), files={})
    return on_cluster._answers(job, kinds, cluster)


def test_a_node_that_is_lost_while_it_plans_is_replaced_by_the_next_of_its_kind() -> None:
    nodes = [Node(key=key, host=f"host-{key}", kind="big", cpus=1) for key in "abc"]
    kinds, cluster = {"big": list(nodes)}, Planning("a")
    assert planned_by(cluster, kinds)["big"].machine == {"cpu": "b"}
    assert (cluster.asked, kinds["big"]) == (["a", "b"], nodes[1:])


def test_a_kind_whose_nodes_are_all_lost_while_they_plan_is_one_line() -> None:
    kinds = {"big": [Node(key=key, host=f"host-{key}", kind="big", cpus=1) for key in "ab"]}
    with pytest.raises(ValueError, match=r"the node died \(on host-b, big\); no node is left"):
        planned_by(Planning("a", "b"), kinds)
