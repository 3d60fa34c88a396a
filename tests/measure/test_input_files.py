"""Files with the user's own tensors: what is read from them, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from impls.interface import Problem
from suites.measure import input_files
from suites.records.input_files import InputFile, hash_of, paths_of


def tensors(keys: int = 6, heads: int = 4, **more: Any) -> dict[str, Any]:
    """The content of a file: four query heads, one row."""
    shapes = {"q": (1, 4, 6, 8), "k": (1, heads, keys, 8), "v": (1, heads, keys, 8)}
    generator = torch.Generator().manual_seed(1)
    drawn = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    return {**drawn, **more}


def saved(folder: Path, content: object) -> str:
    path = folder / "call.pt"
    torch.save(content, path)
    return str(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (tensors(), "b1 h4 t6 d8 full fp32 cpu"),
        (tensors(keys=9, heads=2, mask="causal"), "b1 h4/2 t6/9 d8 causal fp32 cpu"),
        (tensors(problem="window:3 alibi"), "b1 h4 t6 d8 window:3 alibi fp32 cpu"),
        (
            tensors(problem="dense", bias=torch.ones(4, 6, 6)),
            "b1 h4 t6 d8 full dense fp32 cpu",
        ),
        (tensors(grad=torch.ones(1, 4, 6, 8)), "b1 h4 t6 d8 full fp32 train cpu"),
        (tensors(sink=torch.ones(4)), "b1 h4 t6 d8 full sink fp32 cpu"),
        (tensors(v=torch.ones(1, 4, 6, 3)), "b1 h4 t6 d8 dv3 full fp32 cpu"),
        (tensors(q=torch.ones(1, 6, 4, 8).transpose(1, 2)), "b1 h4 t6 d8 full fp32 bthd cpu"),
        (
            tensors(
                format="attnbench call", version=1, problem="h4 t6 d8 causal", grad=None, bias=None
            ),
            "b1 h4 t6 d8 causal fp32 cpu",
        ),
    ],
)
def test_the_problem_is_read_from_shapes_and_words(
    tmp_path: Path, content: dict[str, Any], words: str
) -> None:
    path = saved(tmp_path, content)
    found = input_files.described(path, "cpu")
    assert str(found.problem) == words
    assert found == InputFile(problem=Problem.parse(words), path=path, sha256=hash_of(path))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([torch.ones(1)], "holds list, expected a dict with q, k and v"),
        ({"q": torch.ones(1, 1, 1, 1)}, "has no k, v; expected tensors q, k and v"),
        (tensors(k=torch.ones(1, 4, 6, 7)), "its k has shape [1, 4, 6, 7], expected [1, 4, 6, 8]"),
        (tensors(v=torch.ones(1, 4, 5, 8)), "its v has shape [1, 4, 5, 8], expected [1, 4, 6, 8]"),
        (tensors(q=torch.ones(4, 6, 8)), "its q has shape [4, 6, 8], expected 4 sizes"),
        (tensors(v=torch.ones(1, 4, 6, 8).half()), "its v is torch.float16, and q is"),
        (
            {name: x.int() for name, x in tensors().items()},
            "its tensors are int32, expected one of float64, float32, float16, bfloat16",
        ),
        (tensors(grad=torch.ones(1, 4, 6, 7)), "its grad has shape [1, 4, 6, 7], expected"),
        (tensors(sink=torch.ones(2)), "its sink has shape [2], expected [4]"),
        (tensors(q="text"), "its q is no dense tensor"),
        (tensors(weight=1), "has 'weight'; expected q, k, v, grad, bias, sink, problem"),
        (tensors(format="other"), "its format is 'other', expected 'attnbench call'"),
        (tensors(format="attnbench call", version=2), "has version 2, this release reads 1"),
        (tensors(problem="train"), "its problem 'train' needs 'grad', which it lacks"),
        (tensors(problem="relative:4"), "its problem 'relative:4' needs 'bias', which it lacks"),
        (tensors(problem="dense"), "its problem 'dense' needs 'bias', which it lacks"),
        (
            tensors(problem="dense", bias=torch.ones(4, 6, 5)),
            "its bias has shape [4, 6, 5], expected [4, 6, 6]",
        ),
        (tensors(problem="t7"), "its problem 't7' has query_length 7, its tensors have 6"),
        (tensors(problem="causl"), "'causl' is not understood"),
        (tensors(q=torch.full((1, 4, 6, 8), float("nan"))), "its q is nan at [0, 0, 0, 0]; exp"),
        (tensors(v=torch.full((1, 4, 6, 8), float("inf"))), "its v is inf at [0, 0, 0, 0]; exp"),
    ],
)
def test_what_holds_no_call_is_refused_in_one_line(
    tmp_path: Path, content: object, said: str
) -> None:
    path = saved(tmp_path, content)
    with pytest.raises(ValueError, match=r"call\.pt: ") as raised:
        input_files.described(path, "cpu")
    message = str(raised.value)
    assert message.startswith(f"{path}: ")
    assert said in message
    assert "\n" not in message


@pytest.mark.parametrize("content", [b"hello", b"", b"PK\x03\x04 broken"])
def test_a_file_that_torch_did_not_write_is_refused_in_one_line(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "call.pt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="cannot be read as tensors") as raised:
        input_files.described(str(path), "cpu")
    assert "\n" not in str(raised.value)


def test_a_file_cannot_run_code(tmp_path: Path) -> None:
    path = saved(tmp_path, tensors(mask=Path("a")))
    with pytest.raises(ValueError, match="cannot be read as tensors"):
        input_files.described(path, "cpu")


def test_values_beyond_a_wanted_dtype_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, tensors(v=torch.full((1, 4, 6, 8), 1e5)))
    assert input_files.described(path, "cpu", ["bfloat16"]).problem.dtype == "float32"
    with pytest.raises(ValueError, match=r"its v is 100000 at .*, inf in float16; expected finite"):
        input_files.described(path, "cpu", ["float16"])


def test_inputs_have_the_dtype_and_the_layout_of_the_problem(tmp_path: Path) -> None:
    content = tensors(grad=torch.ones(1, 4, 6, 8), sink=torch.ones(4))
    file = input_files.described(saved(tmp_path, content), "cpu")
    problem = Problem.parse("h4 t6 d8 sink bf16 train bthd")
    found = input_files.load(file, problem)
    assert torch.equal(found.q, content["q"].bfloat16())
    assert found.q.transpose(1, 2).is_contiguous()
    assert found.grad is not None
    assert found.grad.dtype == torch.bfloat16
    assert isinstance(found.sink, Tensor)
    assert found.sink.dtype == torch.float32  # as random ones
    assert input_files.load(file, Problem.parse("h4 t6 d8 sink")).grad is None


def test_a_changed_file_is_not_loaded(tmp_path: Path) -> None:
    file = input_files.described(saved(tmp_path, tensors()), "cpu")
    saved(tmp_path, tensors(mask="causal"))
    with pytest.raises(ValueError, match="have changed since the run began: their SHA-256 is"):
        input_files.load(file, file.problem)
    Path(file.path).unlink()
    with pytest.raises(ValueError, match="are not here; expected SHA-256"):
        input_files.load(file, file.problem)


def test_a_folder_stands_for_its_files(tmp_path: Path) -> None:
    for name in ("b.pt", "a.pth", "workload.jsonl"):
        (tmp_path / name).touch()
    names = [Path(each).name for each in paths_of([str(tmp_path), str(tmp_path / "b.pt")])]
    assert names == ["a.pth", "b.pt"]
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match=r"has no file ending in \.pt or \.pth"):
        paths_of([str(tmp_path / "none")])
    with pytest.raises(ValueError, match=r"no file .*gone"):
        paths_of([str(tmp_path / "gone.pt")])
