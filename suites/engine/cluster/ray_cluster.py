"""A Ray cluster: connecting, looking at its nodes, and jobs as streaming tasks."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import socket
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from suites.engine.cluster.jobs import Job, decoded, encoded
from suites.engine.cluster.nodes import LABEL, Node, expect_able, kind_of
from suites.engine.cluster.pool import Done, Event, Lost
from suites.engine.cluster.process import ROOT, carry_out, look

VARIABLE: Final = "RAY_ADDRESS"
"""Names a cluster, as Ray reads it."""
CONNECT_S: Final = 10.0
"""Seconds within which a cluster's port answers. Ray itself retries for minutes."""
LOOK_S: Final = 300.0
"""Seconds within which a node answers: its first process imports Ray, on a busy machine too."""
STAGED: Final = ("impls", "suites")
"""Folders of the program that travel to the nodes."""
MOST_SAID: Final = 300
"""Characters of an error of Ray."""
START: Final = "start one with: ray start --head"


@dataclass(slots=True)
class RayCluster:
    """A cluster that is connected. Use it as a context manager; its jobs do not outlive that."""

    _jobs: dict[ray.ObjectRefGenerator, Node] = field(default_factory=dict)

    @classmethod
    def connect(cls, address: str = "") -> Self:
        """The cluster at an address HOST:PORT; "" is that of RAY_ADDRESS, or one that runs here.

        This program's folders are uploaded, so that nodes need its dependencies alone. Raises
        ValueError where there is no cluster.
        """
        named = address or os.environ.get(VARIABLE, "")
        if named and named != "auto":
            _expect_reachable(named)
        staged = Path(tempfile.mkdtemp(prefix="attnbench-staged-"))
        try:
            for room in STAGED:
                ignored = shutil.ignore_patterns("__pycache__", "*.pyc", "conftest.py")
                shutil.copytree(ROOT / room, staged / room, ignore=ignored)
            with _quiet():
                ray.init(
                    address=named or "auto",
                    runtime_env={"working_dir": str(staged)},
                    log_to_driver=False,
                    logging_level=logging.CRITICAL,
                    configure_logging=False,
                )
        except ConnectionError as error:
            where = f"at {named}" if named else "here"
            raise ValueError(f"no Ray cluster {where} ({_line(error)}); {START}") from None
        except (RuntimeError, ValueError) as error:  # other versions of Python or Ray, for example
            said = " ".join(str(error).split())[:MOST_SAID]
            raise ValueError(f"the Ray cluster cannot be used: {said}") from None
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        return cls()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        with _quiet():
            ray.shutdown()

    def nodes(self) -> list[Node]:
        """The places for jobs: every node with CPUs, or each GPU of a node.

        A node that leaves the cluster meanwhile has none. Raises ValueError for one that stays and
        does not answer, and for one that cannot run this program.
        """
        known = [each for each in _listed() if each["Alive"] and each["Resources"].get("CPU")]
        looked = [
            ray.remote(look)
            .options(num_cpus=0, max_retries=0, scheduling_strategy=_on(each["NodeID"]))
            .remote()
            for each in known
        ]
        ray.wait(looked, num_returns=len(looked), timeout=LOOK_S)
        places = []
        for each, facts in zip(known, looked, strict=True):
            try:
                places += _places(each, ray.get(facts, timeout=0))
            except RayError as error:
                if _is_alive(each["NodeID"]):
                    raise ValueError(f"a node does not answer: {_line(error)}") from None
        return places

    def begin(self, node: Node, job: Job) -> Any:
        """Begin a job on a node."""
        task = ray.remote(_carried_out).options(
            num_cpus=node.cpus,
            num_gpus=node.gpus,
            max_retries=0,
            scheduling_strategy=_on(node.key),
        )
        begun = task.remote(encoded(job), node.slots)
        self._jobs[begun] = node
        return begun

    def events(self, within_s: float) -> list[tuple[Any, Event]]:
        """What jobs sent within some seconds, and how jobs ended."""
        if not self._jobs:
            return []
        waiting = list(self._jobs)
        ready, _ = ray.wait(waiting, num_returns=1, timeout=within_s, fetch_local=False)
        return [(job, self._event(job)) for job in ready]

    def stop(self) -> None:
        """End all jobs; each ends the processes of its sessions."""
        for job in self._jobs:
            with contextlib.suppress(RayError, ValueError):
                ray.cancel(job)
        self._jobs.clear()

    def _event(self, job: ray.ObjectRefGenerator) -> Event:
        """The next event of a job that is ready."""
        try:
            return decoded(ray.get(next(job)))
        except StopIteration:
            del self._jobs[job]
            return Done()
        except RayTaskError as error:
            del self._jobs[job]
            return Lost(reason=_line(error.cause or error), gone=False)
        except RayError as error:
            node = self._jobs.pop(job)
            return Lost(reason=_line(error), gone=not _is_alive(node.key))


def _carried_out(job: bytes, slots: int) -> Any:
    """A job on its node, with the GPUs that Ray gave it."""
    gpus = ray.get_runtime_context().get_accelerator_ids().get("GPU", [])
    yield from carry_out(job, slots, tuple(map(str, gpus)))


def _on(key: str) -> NodeAffinitySchedulingStrategy:
    return NodeAffinitySchedulingStrategy(key, soft=False)


def _listed() -> list[dict[str, Any]]:
    """Every node that the cluster has or had."""
    listed: Any = ray.nodes  # Ray states no types
    return list(listed())


def _is_alive(key: str) -> bool:
    return any(each["NodeID"] == key and each["Alive"] for each in _listed())


def _places(node: dict[str, Any], facts: dict[str, Any]) -> list[Node]:
    """The places for jobs of a node."""
    expect_able(facts["host"], facts["python"], facts["torch"])
    cpus, gpus = node["Resources"]["CPU"], int(node["Resources"].get("GPU", 0))
    kind = kind_of(
        facts["cpu"], facts["gpus"] if gpus else (), node.get("Labels", {}).get(LABEL, "")
    )
    slots = max(1, gpus)
    return [
        Node(
            key=node["NodeID"],
            host=facts["host"],
            kind=kind,
            cpus=cpus if slots == 1 else max(1.0, cpus // slots),
            gpus=min(1, gpus),
            slot=slot,
            slots=slots,
        )
        for slot in range(slots)
    ]


def _expect_reachable(address: str) -> None:
    """Raise ValueError for an address where no port answers."""
    host, colon, port = address.rpartition(":")
    if "/" in address or not (colon and host and port.isdecimal()):
        raise ValueError(f"--address is {address!r}; expected HOST:PORT of a cluster's head node")
    try:
        socket.create_connection((host, int(port)), CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise ValueError(f"no Ray cluster at {address}: {error}; {START}") from None


def _line(error: BaseException) -> str:
    """The first line of an error's message that says something, without a final period."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__).rstrip(".")


@contextlib.contextmanager
def _quiet() -> Any:
    """Keep what Ray's core prints to standard error out of this program's output."""
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
