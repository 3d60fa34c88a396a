"""The cases of a request on the devices of a machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

from impls.interface import Problem
from suites.models import kinds, own_file
from suites.models.packages import expect_installed
from suites.records.cases import Case
from suites.records.input_files import InputFile
from suites.request.suites.suite import BFLOAT16_FROM, Gpu, unlabelled

if TYPE_CHECKING:
    from suites.request.planning import Request


def cases_of(request: Request, machine: Mapping[str, Any]) -> tuple[Case, ...]:
    """The requested cases, in order; one that names nothing but its problem comes once.

    Raises ValueError for a device that the machine lacks, and for one that an option does not fit.
    """
    devices = tuple(each["device"] for each in machine["devices"])
    if request.inputs:
        base = tuple(_of_file(file) for file in request.files)
    elif request.problems:
        base = unlabelled(Problem.parse(text, device=devices[0]) for text in request.problems)
    else:
        base = request.suite.cases(devices, _gpu(machine))
    found: dict[Case, None] = {}
    for case, values in product(base, product(*request.axes.values())):
        fields = {name: value for each in values for name, value in each.items()}
        if request.key_heads is not None:
            fields["key_heads"] = request.key_heads
        found[replace(case, problem=replace(case.problem, **fields))] = None
    _expect_possible(request, [case.problem for case in found], devices)
    return tuple(found)


def expect_model_files(texts: Iterable[str]) -> None:
    """Raise ValueError for a problem whose model is of a file that is not there.

    texts  as typed; they are understood
    """
    for text in texts:
        model = Problem.parse(text, device="cpu").model_name
        if kinds.is_file(model):
            own_file.expect_function(model)


def inputs_of(request: Request, cases: Iterable[Case]) -> tuple[InputFile, ...]:
    """The files of a request, once for each problem that its axes make of them.

    Raises ValueError for a training problem of a file without the gradient of the output.
    """
    known = {_of_file(file).source: file for file in request.files}
    found = [(known[case.source], case.problem) for case in cases if case.source in known]
    for file, problem in found:
        if problem.training and not file.problem.training:
            raise ValueError(f"--pass training: {file.path} has no 'grad', the output's gradient")
    return tuple(
        replace(file, problem=problem, changes=_changes(file.problem, problem))
        for file, problem in found
    )


def _changes(own: Problem, problem: Problem) -> tuple[str, ...]:
    """The options that make one problem of another, as typed."""
    values = {
        "--device": (own.device, problem.device),
        "--dtype": (own.dtype, problem.dtype),
        "--mask": (str(own.mask), str(problem.mask)),
        "--pass": tuple("training" if each.training else "forward" for each in (own, problem)),
    }
    return tuple(word for name, (was, now) in values.items() if was != now for word in (name, now))


def _of_file(file: InputFile) -> Case:
    """The case of a file with the user's own tensors."""
    return Case(problem=file.problem, label=file.name, source=file.path)


def _expect_possible(
    request: Request, problems: Sequence[Problem], devices: tuple[str, ...]
) -> None:
    """Raise ValueError for a device that is not here, and for one that an option does not fit."""
    if request.settings.get("cuda_device"):
        _expect_cuda(request.settings["cuda_device"], problems, devices)
    for problem in problems:
        kinds.expect_possible(problem)
        expect_installed(problem)
        if kinds.is_file(problem.model_name):
            own_file.expect_function(problem.model_name)
        if (
            problem.device not in devices
            and request.suite.origin
            and "--device" not in request.axes
        ):
            raise ValueError(
                f"{request.suite.origin} has problems on {problem.device}, this machine has "
                f"{', '.join(devices)}; measure them here with --device {devices[0]}"
            )
        if problem.device not in devices:
            raise ValueError(
                f"--device {problem.device}: this machine has {', '.join(devices)} "
                "(python run_bench.py list machine)"
            )
    if request.settings.get("tail"):
        _expect_single_calls(problems)
    if request.settings.get("sustained"):
        _expect_on_gpu(problems)


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
