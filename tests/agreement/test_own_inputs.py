"""Agreement on the user's own inputs: errors beside random ones, and faults on them alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention as sdpa

import impls
from impls.interface.implementation import from_function
from suites.agreement.cases import Cases
from suites.agreement.checker import Checker, Finding
from suites.agreement.gate import naive_fault
from suites.agreement.own_inputs import CANCELLED
from suites.measure import input_files
from suites.measure.inputs import bind, call_of
from suites.records.input_files import InputFile

SIZES: Final = (1, 2, 96, 16)


def file_of(folder: Path, **content: Any) -> InputFile:
    path = folder / "call.pt"
    torch.save(content, path)
    return input_files.described(str(path), "cpu")


def drawn(dtype: torch.dtype = torch.float32, *, training: bool = False) -> dict[str, Tensor]:
    """Tensors as of a trained model: channels with a large mean, a first key that most rows see."""
    generator = torch.Generator().manual_seed(3)
    q, k, v, grad = (torch.randn(SIZES, generator=generator) for _ in range(4))
    q[..., 3] += 8
    k[..., 3] += 4
    k[:, :, 0] = 0
    k[:, :, 0, 3] = 9
    v[:, :, 0] *= 0.01
    v[:, :, 5::31] *= 30
    made = {"q": q, "k": k, "v": v, **({"grad": grad} if training else {})}
    return {name: x.to(dtype) for name, x in made.items()}


def checked(candidate: Any, *files: InputFile) -> Finding:
    known = impls.load()
    each = (
        impls.select([candidate], known)[0]
        if isinstance(candidate, str)
        else from_function(candidate)
    )
    return Checker(files[0].problem, seed=7, files=files).check(each)


def test_the_errors_of_each_file_stand_beside_those_on_random_inputs(tmp_path: Path) -> None:
    found = checked("naive", file_of(tmp_path, **drawn(training=True), mask="causal"))
    assert found.fault == ""
    (own,) = found.agreement.on_inputs
    assert own.file == "call.pt"
    names = [each.tensor for each in own.tensors]
    assert names == [each.tensor for each in found.agreement.tensors] == ["out", "dq", "dk", "dv"]
    for real, random in zip(own.tensors, found.agreement.tensors, strict=True):
        assert 0 < real.relative_rms < 1e-5
        assert real.relative_rms != random.relative_rms


def without_maximum(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Right up to scores of 88; a softmax that subtracts no maximum overflows beyond."""
    scores = (q @ k.mT * q.shape[-1] ** -0.5).clamp(max=60.0)
    weights = scores.exp()
    return weights / weights.sum(-1, keepdim=True) @ v


def test_a_fault_on_these_inputs_alone_names_their_file(tmp_path: Path) -> None:
    tensors = drawn()
    tensors["q"] *= 30
    finding = checked(without_maximum, file_of(tmp_path, **tensors))
    assert finding.fault.startswith("on your inputs (call.pt), out is wrong: RMS error ")
    assert finding.agreement.on_inputs[0].tensors[0].relative_rms > 0.01
    assert checked("sdpa_math", file_of(tmp_path, **tensors)).fault == ""


def test_writing_to_these_inputs_is_a_fault(tmp_path: Path) -> None:
    def writes(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        out = sdpa(q, k, v)
        if q.abs().max() > 6:  # no random number of this problem is so large
            q.mul_(1.0)
        return out

    finding = checked(writes, file_of(tmp_path, **drawn()))
    assert finding.fault == "on your inputs (call.pt), its input q was written to, and restored"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["naive", "chunked", "sdpa_flash"])
def test_honest_implementations_agree_on_inputs_with_outliers(
    tmp_path: Path, dtype: torch.dtype, name: str
) -> None:
    finding = checked(name, file_of(tmp_path, **drawn(dtype, training=True), mask="causal"))
    assert finding.fault == ""
    assert len(finding.agreement.on_inputs) == 1


def test_gradients_that_cancel_in_half_precision_are_not_held_against_fused_kernels(
    tmp_path: Path,
) -> None:
    tensors = drawn(torch.bfloat16, training=True)
    tensors["q"][..., 3] = 60.0  # nearly the whole weight of every row is on the first key
    file = file_of(tmp_path, **tensors)
    each = impls.select(["sdpa_flash"], impls.load())[0]
    case = Cases(file.problem, 7).of_file(file, each)
    expected = case.expected
    naive = expected.naive["dq"].rms / float(expected.bounds["dq"].square().mean().sqrt())
    assert naive < CANCELLED
    outputs = call_of(bind(each, file.problem, case.inputs), case.inputs)()
    assert "dq is wrong" in naive_fault(outputs, expected)
    assert checked("sdpa_flash", file).fault == ""


def test_a_result_beyond_the_range_of_the_dtype_is_noted_and_not_judged(tmp_path: Path) -> None:
    tensors = drawn(torch.float16, training=True)
    tensors["grad"] = tensors["grad"] * 1e4  # dv of the first key is the sum of most rows
    finding = checked("sdpa_math", file_of(tmp_path, **tensors))
    assert finding.fault == ""
    assert finding.agreement.on_inputs == ()
    assert finding.notes == ("not compared on call.pt: the result is beyond float16",)


def test_an_error_beyond_the_bound_of_an_approximation_is_reported_only(tmp_path: Path) -> None:
    finding = checked("int8_attention", file_of(tmp_path, **drawn()))
    assert finding.fault == ""
    assert finding.agreement.on_inputs[0].tensors[0].rms_share > 2
