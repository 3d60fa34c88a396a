"""The list of slips: ordered, complete, tested and documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from suites.agreement.refused_feature import FEATURES
from suites.agreement.slips import all_slips

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


def test_every_file_of_the_folder_is_a_slip_and_no_two_share_a_place() -> None:
    files = {path.stem for path in (ROOT / "suites/agreement/slips").glob("[!_]*.py")}
    orders = [slip.order for slip in all_slips().values()]
    assert set(all_slips()) == files
    assert orders == sorted(set(orders))


def test_no_two_slips_share_a_key() -> None:
    keys = [key for slip in all_slips().values() for key in slip.keys]
    assert len(set(keys)) == len(keys) >= 16
    assert all(re.fullmatch(r"[a-z0-9_]+", key) for key in keys)


@pytest.mark.parametrize("name", all_slips())
def test_every_slip_has_a_test_of_each_of_its_keys(name: str) -> None:
    text = (HERE / f"test_{name}.py").read_text()
    assert [key for key in all_slips()[name].keys if f'"{key}"' not in text] == []


def test_every_feature_that_may_be_refused_has_a_test() -> None:
    text = (HERE / "test_refused_feature.py").read_text()
    assert [name for name in FEATURES if f'"{name}_unsupported"' not in text] == []


def test_the_documentation_lists_all_slips_in_order() -> None:
    text = (ROOT / "docs/agreement.md").read_text()
    listed = re.findall(r"^\| `slips/(\w+)\.py` \| (.*?) \|", text, re.MULTILINE)
    assert listed == [
        (name, ", ".join(f"`{key}`" for key in slip.keys)) for name, slip in all_slips().items()
    ]
    assert all(f"`{name}_unsupported`" in text for name in FEATURES)
