"""Finding implementations: in the folder, in a user's own file, and by what was typed."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from textwrap import dedent

import pytest

import impls
from impls.interface import Implementation, Missing

DECORATED = """
    from impls.interface import Limits, implementation

    @implementation(Limits(), choices={"block": (64, 128), "order": ("rows", "keys")})
    def tiles(q, k, v, *, mask, scale, block=64, order="rows"):
        return q
"""
INNER = """
    from impls.interface import implementation

    @implementation()
    def sdpa_flash(q, k, v, *, mask, scale):
        return q
"""
LAYER = """
    from impls.interface import implementation

    @implementation(projections=lambda queries, keys: None)
    def around(q, k, v, *, mask, scale, inner):
        return q
"""
PLAIN = """
    import math

    def mine(q, k, v):
        return q

    def _hidden(q, k, v):
        return q

    def helper(x):
        return x
"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(dedent(text))
    return path


@pytest.fixture
def known(tmp_path: Path) -> dict[str, Implementation | Missing]:
    """Three files as they would lie in the folder, and one that does not import."""
    folder = tmp_path / "dropped"
    folder.mkdir()
    texts = {
        "tiles.py": DECORATED,
        "sdpa.py": INNER,
        "around.py": LAYER,
        "broken.py": "import nowhere_at_all",
    }
    return impls.load([write(folder, name, text) for name, text in texts.items()])


def names(specs: list[str], known: dict[str, Implementation | Missing]) -> list[str]:
    return [str(each) for each in impls.select(specs, known)]


def test_a_file_dropped_in_the_folder_is_found(tmp_path: Path) -> None:
    path = write(tmp_path, "tiles.py", DECORATED)
    found = impls.load([path])
    assert list(found) == ["tiles"]
    tiles = found["tiles"]
    assert isinstance(tiles, Implementation)
    assert (tiles.name, tiles.file) == ("tiles", str(path))


def test_every_file_of_our_folder_is_found() -> None:
    found = impls.load()
    stems = {path.stem for path in Path(impls.__file__).parent.glob("*.py")}
    origins = {
        name if isinstance(each, Missing) else Path(each.file).stem for name, each in found.items()
    }
    assert origins == stems - {"__init__", "reference"}
    assert isinstance(found["naive"], Implementation)


def test_an_implementation_of_our_folder_is_the_one_its_module_defines() -> None:
    from impls import naive

    found = impls.load()["naive"]
    assert isinstance(found, Implementation)
    assert found.function is naive.naive.function


def test_only_what_a_file_defines_itself_counts(tmp_path: Path) -> None:
    write(tmp_path, "neighbour_of_test_load.py", DECORATED)
    text = "from neighbour_of_test_load import tiles" + dedent(INNER)
    assert list(impls.load([write(tmp_path, "second.py", text)])) == ["sdpa_flash"]


def test_a_name_used_twice_names_both_files(tmp_path: Path) -> None:
    first = write(tmp_path, "first.py", DECORATED)
    second = write(tmp_path, "second.py", DECORATED)
    sentence = f"the name 'tiles' is used in {first} and in {second}; rename one of the two"
    with pytest.raises(ValueError, match=re.escape(sentence)):
        impls.load([second, first])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import nowhere_at_all", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("def broken(:", "SyntaxError: invalid syntax"),
        ("raise RuntimeError('first line\\nsecond line')", "RuntimeError: first line"),
        ("raise SystemExit", "SystemExit"),
        ("raise ValueError", "ValueError"),
        (
            "class Mute(Exception):\n    def __str__(self): raise RuntimeError\nraise Mute",
            "Mute: <exception str() failed>",
        ),
    ],
)
def test_a_file_that_does_not_import_is_missing_and_says_why(
    tmp_path: Path, text: str, reason: str
) -> None:
    found = impls.load([write(tmp_path, "broken.py", text), write(tmp_path, "fine.py", DECORATED)])
    missing = found["broken"]
    assert isinstance(missing, Missing)
    assert missing.reason.startswith(f"does not import here: {reason}")
    assert "\n" not in missing.reason
    assert isinstance(found["tiles"], Implementation)


def test_a_file_without_an_attention_function_is_missing_and_says_why(tmp_path: Path) -> None:
    found = impls.load([write(tmp_path, "empty.py", "x = 1")])
    assert found == {"empty": Missing("empty", "has no attention function of (q, k, v, ...)")}


def test_a_plain_function_needs_no_decorator(tmp_path: Path) -> None:
    (mine,) = impls.load_file(write(tmp_path, "mine.py", PLAIN))
    assert mine.name == "mine"
    assert mine.fixed == {"mask", "scale"}
    assert not mine.states_limits


def test_in_a_file_with_decorated_functions_the_plain_ones_are_helpers(tmp_path: Path) -> None:
    path = write(tmp_path, "both.py", dedent(DECORATED) + dedent(PLAIN))
    assert [each.name for each in impls.load_file(path)] == ["tiles"]
    assert [each.name for each in impls.load_file(path, "mine")] == ["mine"]
    assert [each.name for each in impls.load_file(path, "tiles")] == ["tiles"]


def test_a_second_name_for_a_function_is_no_second_implementation(tmp_path: Path) -> None:
    path = write(tmp_path, "aliased.py", dedent(PLAIN) + "attention = mine\n")
    assert [each.name for each in impls.load_file(path)] == ["mine"]
    assert list(impls.load([path])) == ["mine"]


def test_a_file_may_import_its_neighbours(tmp_path: Path) -> None:
    write(tmp_path, "neighbour_with_a_number.py", "NUMBER = 7")
    text = "from neighbour_with_a_number import NUMBER\ndef mine(q, k, v): return NUMBER"
    (mine,) = impls.load_file(write(tmp_path, "mine.py", text))
    assert mine.function(0, 0, 0) == 7


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    path = tmp_path / "absent.py"
    with pytest.raises(
        ValueError, match=re.escape(f"no file '{path}'; expected a Python file with")
    ):
        impls.load_file(path)
    with pytest.raises(ValueError, match="no file"):
        impls.load_file(tmp_path)


def test_a_user_s_file_that_does_not_import_says_why(tmp_path: Path) -> None:
    path = write(tmp_path, "broken.py", "import nowhere_at_all")
    sentence = f"{path} does not import: ModuleNotFoundError: No module named 'nowhere_at_all'"
    for _ in range(2):  # a failed import is not remembered as a module
        with pytest.raises(ValueError, match=re.escape(sentence)):
            impls.load_file(path)


def test_a_file_that_is_not_python_says_what_was_expected(tmp_path: Path) -> None:
    path = write(tmp_path, "mine.txt", PLAIN)
    with pytest.raises(ValueError, match=r"mine\.txt does not import: .* ends in \.py"):
        impls.load_file(path)


def test_a_function_that_is_not_in_the_file_is_named_with_what_is(tmp_path: Path) -> None:
    path = write(tmp_path, "mine.py", PLAIN)
    sentence = f"{path} has no attention function 'yours'; expected one of (q, k, v, ...), it has "
    with pytest.raises(ValueError, match=re.escape(sentence) + ".*mine, helper"):
        impls.load_file(path, "yours")


def test_a_file_without_any_function_says_so(tmp_path: Path) -> None:
    path = write(tmp_path, "nothing.py", "_x = 1")
    sentence = f"{path} has no attention function; expected one of (q, k, v, ...), it has nothing"
    with pytest.raises(ValueError, match=re.escape(sentence)):
        impls.load_file(path)


@pytest.mark.parametrize(
    ("spec", "selected"),
    [
        ("tiles", ["tiles"]),
        ("  tiles ", ["tiles"]),
        ("tiles[block=128]", ["tiles[block=128]"]),
        ("tiles[order=keys, block=64]", ["tiles[block=64,order=keys]"]),
        ("tiles[block=*]", ["tiles[block=64]", "tiles[block=128]"]),
        (
            "tiles[block=*,order=keys]",
            ["tiles[block=64,order=keys]", "tiles[block=128,order=keys]"],
        ),
        ("around", ["around(sdpa_flash)"]),
        ("around(tiles)", ["around(tiles)"]),
        ("around(tiles[block=64])", ["around(tiles[block=64])"]),
        ("around(tiles[block=*])", ["around(tiles[block=64])", "around(tiles[block=128])"]),
    ],
)
def test_a_spec_selects(
    spec: str, selected: list[str], known: dict[str, Implementation | Missing]
) -> None:
    assert names([spec], known) == selected


@pytest.mark.parametrize(
    "spec", ["tiles[order=keys,block=128]", "around(tiles[block=64])", "tiles"]
)
def test_a_printed_implementation_is_a_spec_that_selects_it(
    spec: str, known: dict[str, Implementation | Missing]
) -> None:
    (selected,) = impls.select([spec], known)
    assert impls.select([str(selected)], known) == [selected]


def test_settings_that_are_neither_numbers_nor_words_can_be_asked_for(tmp_path: Path) -> None:
    text = DECORATED.replace('"block": (64, 128)', '"block": (0.5, None, True)')
    known = impls.load([write(tmp_path, "tiles.py", text)])
    printed = ["tiles[block=0.5]", "tiles[block=None]", "tiles[block=True]"]
    swept = impls.select(["tiles[block=*]"], known)
    assert [str(each) for each in swept] == printed
    assert impls.select(printed, known) == swept


def test_specs_select_in_their_order_and_each_once(
    known: dict[str, Implementation | Missing],
) -> None:
    specs = ["sdpa_flash", "tiles[block=128]", "tiles", "sdpa_flash", "tiles[block=*]"]
    assert names(specs, known) == ["sdpa_flash", "tiles[block=128]", "tiles", "tiles[block=64]"]


def test_a_file_is_a_spec_and_becomes_known(
    tmp_path: Path, known: dict[str, Implementation | Missing]
) -> None:
    path = write(tmp_path, "own.py", PLAIN + "\n    def other(q, k, v): return q\n")
    assert names([f"{path}:other"], known) == ["other"]
    assert names([str(path)], known) == ["mine", "other"]
    assert names(["around(mine)"], known) == ["around(mine)"]


def test_a_name_that_is_used_follows_the_name_of_its_file(
    tmp_path: Path, known: dict[str, Implementation | Missing]
) -> None:
    path = write(tmp_path, "own.py", DECORATED)
    tiles = known["tiles"]
    assert names([str(path), "tiles"], known) == ["own.tiles", "tiles"]
    assert known["tiles"] is tiles
    assert names([f"{path}:tiles[block=128]"], known) == ["own.tiles[block=128]"]
    (found,) = impls.load_file(path, "own.tiles")
    assert (found.name, found.file) == ("own.tiles", str(path))


def test_the_name_of_a_missing_one_is_used_too(
    tmp_path: Path, known: dict[str, Implementation | Missing]
) -> None:
    path = write(tmp_path, "own.py", PLAIN.replace("mine", "broken"))
    assert names([str(path)], known) == ["own.broken"]


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("tile", "unknown implementation 'tile'; did you mean 'tiles'?"),
        ("zzzzzz", "unknown implementation 'zzzzzz'; or a file ending in .py?"),
        ("around(tile)", "unknown implementation 'tile'; did you mean 'tiles'?"),
        ("broken", "implementation 'broken' is missing here: does not import here: ModuleNotFoun"),
        ("tiles[blok=64]", "tiles has no setting 'blok'; it has block, order"),
        ("tiles[blok=*]", "tiles has no setting 'blok'; it has block, order"),
        ("tiles[block=65]", "tiles[block=65]: expected one of 64, 128"),
        ("tiles[order=up]", "tiles[order=up]: expected one of rows, keys"),
        ("tiles[block]", "implementation 'tiles[block]': 'block' is not setting=value"),
        ("tiles[block=]", "implementation 'tiles[block=]': 'block=' is not setting=value"),
        ("tiles[=64]", "implementation 'tiles[=64]': '=64' is not setting=value"),
        ("tiles[block=64", "implementation 'tiles[block=64': expected NAME[setting=value](INNER)"),
        ("around()", "implementation 'around()': expected NAME[setting=value](INNER)"),
        ("", "implementation '': expected NAME[setting=value](INNER)"),
        ("tiles(sdpa_flash)", "tiles takes no inner attention; expected tiles alone"),
        ("around(around)", "around(around(sdpa_flash)): expected an attention inside, not a layer"),
        ("around(around(tiles))", "around(around(tiles)): expected an attention inside, not a lay"),
    ],
)
def test_a_spec_that_selects_nothing_says_why(
    spec: str, sentence: str, known: dict[str, Implementation | Missing]
) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(sentence)):
        impls.select([spec], known)


@pytest.mark.parametrize(("name", "meant"), [("sdap", "sdpa_flash"), ("SDPA_FLASH", "sdpa_flash")])
def test_a_name_that_is_nearly_one_is_found(
    name: str, meant: str, known: dict[str, Implementation | Missing]
) -> None:
    with pytest.raises(ValueError, match=rf"^unknown .* {name!r}; did you mean {meant!r}\?"):
        impls.select([name], known)


@pytest.mark.parametrize("name", ["self", "names"])
def test_a_setting_may_have_any_name(name: str, known: dict[str, Implementation | Missing]) -> None:
    with pytest.raises(ValueError, match=f"tiles has no setting '{name}'; it has block, order"):
        impls.select([f"tiles[{name}=64]"], known)


@pytest.mark.parametrize(
    "spec", ["tiles[block=64,block=128]", "tiles[block=64,block=*]", "tiles[block=*,block=*]"]
)
def test_a_setting_given_twice_is_refused(
    spec: str, known: dict[str, Implementation | Missing]
) -> None:
    with pytest.raises(ValueError, match="block"):
        impls.select([spec], known)


def test_a_layer_without_projections_is_no_inner_attention_either(tmp_path: Path) -> None:
    text = LAYER.replace("projections=lambda queries, keys: None", "")
    folder = [write(tmp_path, "around.py", text), write(tmp_path, "sdpa.py", INNER)]
    with pytest.raises(ValueError, match="expected an attention inside, not a layer"):
        impls.select(["around(around)"], impls.load(folder))


def test_a_file_may_lie_in_a_folder_with_brackets_in_its_name(
    tmp_path: Path, known: dict[str, Implementation | Missing]
) -> None:
    folder = tmp_path / "work (copy) [1]"
    folder.mkdir()
    path = write(folder, "own.py", PLAIN)
    assert names([f"{path}:mine", str(path)], known) == ["mine"]


def test_the_fingerprint_is_that_of_the_bytes(tmp_path: Path) -> None:
    path = write(tmp_path, "own.py", PLAIN)
    before = impls.fingerprint(str(path))
    assert before == hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    path.write_text(path.read_text() + "\n")
    assert impls.fingerprint(str(path)) != before
