"""The problems of a request on the devices of a machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

from impls.interface import Problem
from suites.request.suites import BFLOAT16_FROM, Gpu

if TYPE_CHECKING:
    from suites.request.planning import Request


def problems_of(request: Request, machine: Mapping[str, Any]) -> tuple[Problem, ...]:
    """The requested problems, each once, in order.

    Raises ValueError for a device that the machine lacks, and for one that an option does not fit.
    """
    devices = tuple(each["device"] for each in machine["devices"])
    if request.problems:
        base = [Problem.parse(text, device=devices[0]) for text in request.problems]
    else:
        base = list(request.suite.problems(devices, _gpu(machine)))
    found: dict[Problem, None] = {}
    for problem, values in product(base, product(*request.axes.values())):
        fields = {name: value for each in values for name, value in each.items()}
        if request.key_heads is not None:
            fields["key_heads"] = request.key_heads
        found[replace(problem, **fields)] = None
    if request.settings.get("cuda_device"):
        _expect_cuda(request.settings["cuda_device"], found, devices)
    for problem in found:
        if problem.device not in devices:
            raise ValueError(
                f"--device {problem.device}: this machine has {', '.join(devices)} "
                "(python run_bench.py list machine)"
            )
    if request.settings.get("tail"):
        _expect_single_calls(found)
    if request.settings.get("sustained"):
        _expect_on_gpu(found)
    return tuple(found)


def _expect_cuda(chosen: str, problems: Iterable[Problem], devices: tuple[str, ...]) -> None:
    """Raise ValueError for a chosen NVIDIA device that is not here, or that no problem is for."""
    if "cuda" not in devices:
        raise ValueError(
            f"--device cuda:{chosen}: this machine has no such NVIDIA device "
            "(python run_bench.py list machine)"
        )
    if all(problem.device != "cuda" for problem in problems):
        raise ValueError(
            f"--cuda-device is {chosen!r}, and no problem is on cuda; leave it out, or add "
            "--device cuda"
        )


def _expect_single_calls(problems: Iterable[Problem]) -> None:
    """Raise ValueError for a problem on a device where no single call is timed."""
    for problem in problems:
        if problem.device != "cpu":
            raise ValueError(
                f"--tail on {problem.device}: a sample there is of many calls, so it has no "
                "percentiles; expected problems on the CPU (--device cpu)"
            )


def _expect_on_gpu(problems: Iterable[Problem]) -> None:
    """Raise ValueError for a problem on a CPU, whose rounds are a sustained load already."""
    if any(problem.device == "cpu" for problem in problems):
        raise ValueError(
            "--sustained on cpu: it measures how the clocks of a GPU fall under load; "
            "expected problems on a GPU (--device cuda)"
        )


def _gpu(machine: Mapping[str, Any]) -> Gpu:
    """The NVIDIA device of a machine; a usual one where it has none."""
    here = next((each for each in machine["devices"] if each["device"] == "cuda"), None)
    if here is None:
        return Gpu()
    return Gpu(capability(machine) or BFLOAT16_FROM, here.get("memory_bytes"))


def capability(machine: Mapping[str, Any]) -> tuple[int, int] | None:
    """The compute capability of a machine's NVIDIA device; None without one."""
    found = next((d["capability"] for d in machine["devices"] if "capability" in d), None)
    return None if found is None else (found[0], found[1])
