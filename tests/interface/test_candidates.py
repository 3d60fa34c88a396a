"""The attention functions of a file: which callables count, and what is said about the others."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import pytest

import impls

HEAD = """
import functools
import torch
from torch import nn
"""
PLAIN = "def attention(q, k, v): return q\n"
FORMS = {
    "other names": "def attention(query, key, value): return query",
    "capitals": "def attention(Q, K, V): return Q",
    "partial": """
        def _attend(q, k, v, size): return q
        attention = functools.partial(_attend, size=3)
    """,
    "module": """
        class _Attention(nn.Module):
            def forward(self, query, key, value): return query
        attention = _Attention()
    """,
    "class of a module": """
        class attention(nn.Module):
            def __init__(self, size=3): super().__init__()
            def forward(self, queries, keys, values): return queries
    """,
    "callable": """
        class _Attention:
            def __call__(self, q, k, v): return q
        attention = _Attention()
    """,
    "apply": """
        class _Attention(torch.autograd.Function):
            @staticmethod
            def forward(ctx, q, k, v): return q.clone()
        attention = _Attention.apply
    """,
    "autograd function": """
        class attention(torch.autograd.Function):
            @staticmethod
            def forward(ctx, q, k, v): return q.clone()
    """,
    "class that needs a dropout": """
        class attention(nn.Module):
            def __init__(self, dropout): super().__init__(); self.dropout = nn.Dropout(dropout)
            def forward(self, q, k, v): return q
    """,
    "values first": "def attention(value, key, query, mask): return query",
    "compiled": """
        @torch.compile
        def attention(q, k, v): return q
    """,
    "imported": "from torch.nn.functional import scaled_dot_product_attention as attention",
    "the only function of three": "def attention(a, b, c): return a",
    "a problem": "def attention(problem): return lambda q, k, v: q",
}


def write(tmp_path: Path, text: str, name: str = "mine.py") -> Path:
    path = tmp_path / name
    path.write_text(HEAD + dedent(text))
    return path


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")  # of torch's compiler
@pytest.mark.parametrize("form", FORMS)
def test_a_file_may_define_attention_in_many_forms(form: str, tmp_path: Path) -> None:
    (found,) = impls.load_file(write(tmp_path, FORMS[form]))
    assert found.name == "attention"
    assert not found.states_limits
    (named,) = impls.load_file(Path(found.file), "attention")
    assert named.name == "attention"


def test_a_function_prepare_is_named_after_its_file(tmp_path: Path) -> None:
    path = write(tmp_path, "def prepare(problem): return lambda q, k, v: q", "flex_blocks.py")
    (found,) = impls.load_file(path)
    assert (found.name, found.prepares) == ("flex_blocks", True)
    (named,) = impls.load_file(path, "flex_blocks")
    assert named.prepares


def test_a_library_may_have_the_name_of_its_file(tmp_path: Path) -> None:
    text = "import math as flex\ndef prepare(problem): return lambda q, k, v: q"
    path = write(tmp_path, text, "flex.py")
    (named,) = impls.load_file(path, "flex")
    assert named.prepares


def test_helpers_with_q_k_and_v_among_others_are_no_candidates(tmp_path: Path) -> None:
    text = f"def rotate(x, q, k, v): return x\ndef merge(q, k): return q\n{PLAIN}"
    assert [each.name for each in impls.load_file(write(tmp_path, text))] == ["attention"]


def test_functions_of_a_problem_call_the_others(tmp_path: Path) -> None:
    text = """
        def dense(q, k, v): return q
        def prepare(problem):
            def call(q, k, v): return dense(q, k, v)
            return call
    """
    path = write(tmp_path, text)
    assert [each.name for each in impls.load_file(path)] == ["mine"]
    assert [each.name for each in impls.load_file(path, "dense")] == ["dense"]


def test_imported_functions_count_where_the_file_defines_none(tmp_path: Path) -> None:
    imported = "from torch.nn.functional import scaled_dot_product_attention as sdpa\n"
    path = write(tmp_path, imported + PLAIN)
    assert [each.name for each in impls.load_file(path)] == ["attention"]
    assert [each.name for each in impls.load_file(path, "sdpa")] == ["sdpa"]


def test_a_function_that_cannot_be_called_is_left_out_where_another_can(tmp_path: Path) -> None:
    unfilled = "def block(q, k, v, start): return q\n"
    path = write(tmp_path, unfilled + PLAIN)
    assert [each.name for each in impls.load_file(path)] == ["attention"]
    with pytest.raises(ValueError, match="nothing fills its required parameter 'start'"):
        impls.load_file(path, "block")
    with pytest.raises(ValueError, match="block: nothing fills its required parameter 'start'"):
        impls.load_file(write(tmp_path, unfilled, "alone.py"))


def test_a_module_with_weights_is_refused_by_their_names(tmp_path: Path) -> None:
    text = """
        class Attention(nn.Module):
            def __init__(self):
                super().__init__()
                self.project = nn.Linear(4, 4)
            def forward(self, q, k, v): return self.project(q)
    """
    sentence = r"has weights of its own \(project.weight, project.bias\); expected attention"
    with pytest.raises(ValueError, match=sentence):
        impls.load_file(write(tmp_path, text))


ANOTHER_FORM = (
    "; expected (q, k, v, ...): add a function of them, or see projections= for a layer "
    "(CONTRIBUTING.md)"
)
REFUSED = {
    "a class that needs a value": (
        """
        class Attention(nn.Module):
            def __init__(self, temperature, dropout): super().__init__()
            def forward(self, q, k, v): return q
        """,
        (
            "Attention: its constructor needs temperature; expected a class without required "
            "arguments: add a line attention = Attention(temperature=..., dropout=...)"
        ),
    ),
    "a constructor that raises": (
        """
        class Attention(nn.Module):
            def __init__(self): super().__init__(); self.size = d_model
            def forward(self, q, k, v): return q
        """,
        "Attention: its constructor raises NameError: name 'd_model' is not defined (line 7)",
    ),
    "a layer": (
        """
        from torch.nn.functional import scaled_dot_product_attention
        class Norm(nn.Module):
            def forward(self, x): return x
        class SelfAttention(nn.Module):
            def __init__(self, config): super().__init__()
            def forward(self, x, mask): return x
        """,
        f"no attention function: SelfAttention takes (x, mask){ANOTHER_FORM}",
    ),
    "packed tensors": (
        "def flash_attention(qkv, causal=False): return qkv",
        f"no attention function: flash_attention takes (qkv, causal){ANOTHER_FORM}",
    ),
    "helpers alone": (
        "def test(a, b, c): return a",
        "has no attention function; expected one of (q, k, v, ...), it has test",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_without_a_callable_attention_says_how_to_make_one(
    case: str, tmp_path: Path
) -> None:
    text, sentence = REFUSED[case]
    with pytest.raises(ValueError, match=re.escape(sentence) + "$"):
        impls.load_file(write(tmp_path, text))


def test_a_layer_that_is_named_is_refused_by_its_parameters(tmp_path: Path) -> None:
    path = write(tmp_path, REFUSED["a layer"][0] + PLAIN)
    assert [each.name for each in impls.load_file(path)] == ["attention"]
    with pytest.raises(ValueError, match=r"SelfAttention takes \(x, mask\); expected \(q, k, v"):
        impls.load_file(path, "SelfAttention")


def test_functions_that_prepare_tensors_count_where_there_are_no_others(tmp_path: Path) -> None:
    helper = "def generate_qkv(q, k, v): return q\n"
    (found,) = impls.load_file(write(tmp_path, helper + PLAIN))
    assert found.name == "attention"
    (alone,) = impls.load_file(write(tmp_path, helper, "alone.py"))
    assert alone.name == "generate_qkv"


def test_a_relative_import_without_its_package_says_why(tmp_path: Path) -> None:
    text = "from .sizes import SIZE\n" + PLAIN
    with pytest.raises(ValueError, match=r"parent package: keep the file in its package \(line"):
        impls.load_file(write(tmp_path, text))
    package = tmp_path / "package_that_does_not_import"
    package.mkdir()
    (package / "__init__.py").write_text("import a_module_that_is_missing_here")
    with pytest.raises(
        ValueError, match="its package does not import: ModuleNotFoundError: No mod"
    ):
        impls.load_file(write(package, text, "kernels.py"))


def test_the_first_line_of_a_message_that_starts_with_an_empty_one_is_quoted(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, 'raise ImportError("""\n  needs a library\n  install it""")')
    with pytest.raises(ValueError, match=r"does not import: ImportError: needs a library \(line"):
        impls.load_file(path)


def test_a_module_is_in_evaluation_mode(tmp_path: Path) -> None:
    text = """
        class Attention(nn.Module):
            def forward(self, q, k, v): return q
        attention = Attention()
    """
    (found,) = impls.load_file(write(tmp_path, text))
    assert found.function.training is False  # type: ignore[attr-defined] # a module


def test_a_file_of_a_package_imports_relatively(tmp_path: Path) -> None:
    package = tmp_path / "package_of_test_candidates"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "sizes.py").write_text("SIZE = 7")
    path = write(package, "from .sizes import SIZE\ndef attention(q, k, v): return SIZE")
    (found,) = impls.load_file(path)
    assert found.function(1, 2, 3) == 7


def test_a_function_is_named_by_its_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "another_package_of_tests"
    package.mkdir()
    (package / "__init__.py").write_text("")
    write(package, PLAIN, "kernels.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (found,) = impls.select(["another_package_of_tests.kernels:attention"], {})
    assert (found.name, Path(found.file).name) == ("attention", "kernels.py")
    (sdpa,) = impls.select(["torch.nn.functional:scaled_dot_product_attention"], {})
    assert sdpa.name == "scaled_dot_product_attention"
    with pytest.raises(ValueError, match=r"no module 'nowhere\.at_all'; expected package"):
        impls.select(["nowhere.at_all:attention"], {})
