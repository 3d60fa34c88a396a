"""The implementations that are compared, one or more a file; `load` finds them.

A new file in this folder is enough: there is no list to edit.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import re
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from impls.interface import Implementation, Missing
from impls.interface.candidates import candidates, contents, named
from impls.interface.exceptions import first_line, said_by
from impls.interface.revision_tree import import_root, neighbours_first
from impls.interface.template import template

FOLDER: Final = Path(__file__).parent
DEFAULT_INNER: Final = "sdpa_flash"
EVERY: Final = "*"
"""A spec for all implementations of this folder, those that are missing too."""
_NOT_COMPARED: Final = ("__init__", "reference")
_SPEC: Final = re.compile(
    r"(?P<name>.*?\.py(?::\w+)?|[^\[\]()]+)(\[(?P<settings>[^\[\]]*)\])?(\((?P<inner>.+)\))?"
)
"""NAME, FILE.py or FILE.py:FUNCTION, then `[setting=value,...]` and `(INNER)`."""
_NAME: Final = re.compile(r"[^\[\]()/=]+")
"""What precedes the first `=` of NAME=SPEC: neither a path nor settings."""


def own_files() -> list[Path]:
    """The files of this folder that hold implementations."""
    return sorted(path for path in FOLDER.glob("*.py") if path.stem not in _NOT_COMPARED)


def load(files: Iterable[Path] | None = None) -> dict[str, Implementation | Missing]:
    """Every implementation of these files, or of this folder by default, by name.

    A file that cannot be imported here becomes a Missing with the file's name. Raises ValueError
    when two files use one name.
    """
    paths = own_files() if files is None else sorted(files)
    found: dict[str, Implementation | Missing] = {}
    origin: dict[str, Path] = {}
    for path in paths:
        for each in _in_folder_file(path):
            if each.name in found:
                raise ValueError(
                    f"the name {each.name!r} is used in {origin[each.name]} and in {path}; "
                    "rename one of the two functions"
                )
            found[each.name], origin[each.name] = each, path
    return found


def load_file(path: Path, function: str = "") -> list[Implementation]:
    """The implementations in a user's file, or the one named `function`.

    Without decorated ones, these are the public functions of (q, k, v, ...). Raises ValueError when
    the file does not exist, does not import or has no such function.
    """
    _expect_file(path)
    try:
        module = _import(path.resolve())
    except (Exception, SystemExit) as error:
        raise ValueError(f"{path} does not import: {said_by(error, path.resolve())}") from error
    try:
        found = _in_module(module, path, function)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if not found:
        wanted = f"no attention function {function!r}" if function else "no attention function"
        raise ValueError(
            f"{path} has {wanted}; expected one of (q, k, v, ...), it has {contents(module)}"
        )
    return found


def select(
    specs: Iterable[str], known: dict[str, Implementation | Missing]
) -> list[Implementation]:
    """The implementations that the specs name, in that order, each once.

    A spec is NAME, FILE.py or FILE.py:FUNCTION, then `[setting=value,...]` (`*` for every value)
    and, for a layer, `(INNER)`. Implementations of new files are added to `known`. Raises
    ValueError for an unknown name, with the closest known one.
    """
    selected: dict[str, Implementation] = {}
    for spec in specs:
        for each in _expand(spec, known):
            selected.setdefault(str(each), each)
    return list(selected.values())


def expect_known(specs: Iterable[str]) -> None:
    """Raise ValueError for a spec whose mistake is seen without an import.

    These are a file that does not exist, and several names in one spec.
    """
    for spec in specs:
        match = _SPEC.fullmatch(name_and_spec(spec)[1].strip())
        name = match["name"] if match else ""
        file, colon, _ = name.partition(":")
        if file.endswith(".py"):
            _expect_file(Path(file))
        elif "," in name and not colon and "@" not in name:
            raise ValueError(_several(name))


def one(spec: str) -> Implementation:
    """The implementation of a spec. Raises ValueError for several, and for one that is missing."""
    found = select([spec], load())
    if len(found) > 1:
        raise ValueError(f"{spec!r} names {len(found)} implementations; expected one")
    if not isinstance(found[0], Implementation):
        raise ValueError(f"{found[0].name} is missing here: {found[0].reason}")  # noqa: TRY004 - one line for users
    return found[0]


def name_and_spec(text: str) -> tuple[str, str]:
    """The two parts of NAME=SPEC; an empty name and the text for a spec alone."""
    name, equals, spec = text.strip().partition("=")
    return (name, spec) if equals and _NAME.fullmatch(name) else ("", text)


def create(name: str) -> Path:
    """Write a new file from the template into this folder. Raises ValueError for a used name."""
    text = template(name)
    path = FOLDER / f"{name}.py"
    taken = re.compile(rf"^(def {name}\(|{name} = )", re.MULTILINE)
    owner = next((each for each in own_files() if taken.search(each.read_text())), path)
    if owner != path or path.exists() or name in (*_NOT_COMPARED, "interface"):
        raise ValueError(f"the name {name!r} is taken by {owner}; choose another")
    try:
        path.write_text(text)
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}") from error
    return path


def fingerprint(path: str) -> str:
    """The first 16 hex digits of the SHA-256 of a file's bytes."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]


def _in_folder_file(path: Path) -> list[Implementation | Missing]:
    try:
        found = _in_module(_import(path), path)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a broken file stays listed
        return [Missing(path.stem, f"does not import here: {first_line(error)}")]
    if not found:
        return [Missing(path.stem, "has no attention function of (q, k, v, ...)")]
    return [
        Missing(each.name, each.library.fault, each.ran_on, each.limits)
        if each.library and each.library.fault
        else each
        for each in found
    ]


def _in_module(module: ModuleType, path: Path, function: str = "") -> list[Implementation]:
    """Implementations of this module, or the one of this name.

    Raises ValueError for functions that cannot be called.
    """
    if function:
        one = named(module, function.rpartition(".")[2], path.stem)
        found = [] if one is None else [replace(one, name=function)]
    else:
        found = candidates(module, path.stem)
    return [replace(each, file=str(path), module=module.__name__) for each in found]


def _import(path: Path) -> ModuleType:
    if path.parent == FOLDER:
        return importlib.import_module(f"{__name__}.{path.stem}")
    with neighbours_first(path):
        return _import_of_user(path)


def _import_of_user(path: Path) -> ModuleType:
    package, fault = _package_of(path)
    if package:
        return importlib.import_module(package)
    try:
        return _alone(path)
    except ImportError as error:
        if "no known parent package" in str(error):
            error.msg = f"{error.msg}: {fault or 'keep the file in its package'}"
        raise


def _alone(path: Path) -> ModuleType:
    """The module of a file that is in no package."""
    name = f"attnbench_file_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}_{path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("the name of a Python file ends in .py")
    _append_to_path(path.parent)  # the file may import its neighbours
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _package_of(path: Path) -> tuple[str, str]:
    """The dotted name of a file in a package, or "" and why its package cannot be imported."""
    root = import_root(path)
    if root == path.parent:
        return "", ""
    _append_to_path(root)
    module = path.parent if path.stem == "__init__" else path.with_suffix("")
    name = ".".join(module.relative_to(root).parts)
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError) as error:
        return "", f"its package does not import: {first_line(error)}"
    return name if spec is not None and spec.origin == str(path) else "", ""


def _append_to_path(folder: Path) -> None:
    """Last, so that it shadows nothing."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def _expand(spec: str, known: dict[str, Implementation | Missing]) -> list[Implementation]:
    match = _SPEC.fullmatch(spec.strip())
    if match is None:
        raise ValueError(f"implementation {spec!r}: expected NAME[setting=value](INNER)")
    settings, swept = _settings(spec, match["settings"] or "")
    inner = _expand(match["inner"], known) if match["inner"] else []
    expanded: list[Implementation] = []
    for each in _named(match["name"], known):
        for chosen in each.sweep(swept, **settings) if settings or swept else [each]:
            expanded += _with_inner(chosen, inner, known)
    return expanded


def _expect_file(path: Path) -> None:
    if not path.is_file():
        raise ValueError(
            f"no file {str(path)!r}; expected a Python file with an attention function"
        )


def _several(name: str) -> str:
    return f"unknown implementation {name!r}: expected one name at a time"


def _with_inner(
    layer: Implementation, inner: list[Implementation], known: dict[str, Implementation | Missing]
) -> list[Implementation]:
    if not layer.takes_inner:
        if inner:
            raise ValueError(f"{layer.name} takes no inner attention; expected {layer.name} alone")
        return [layer]
    for each in inner:
        if each.projections or each.takes_inner:
            raise ValueError(f"{layer.name}({each}): expected an attention inside, not a layer")
    return [replace(layer, inner=each) for each in inner or _named(DEFAULT_INNER, known)]


def _named(name: str, known: dict[str, Implementation | Missing]) -> list[Implementation]:
    file, _, function = name.partition(":")
    if function and not file.endswith(".py"):
        file = str(_file_of(file))
    if file.endswith(".py"):
        return [_added(known, each, Path(file)) for each in load_file(Path(file), function)]
    found = known.get(name)
    if isinstance(found, Missing):
        raise ValueError(  # noqa: TRY004 - the name is known, its file is broken
            f"implementation {name!r} is missing here: {found.reason}"
        )
    if found is None:
        if "," in name:
            raise ValueError(_several(name))
        near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else "or a file ending in .py?"
        raise ValueError(
            f"unknown implementation {name!r}; {hint} (python run_bench.py list implementations)"
        )
    return [found]


def _file_of(module: str) -> Path:
    """The file of an importable module. Raises ValueError for any other name."""
    _append_to_path(Path.cwd())
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.origin:
        raise ValueError(f"no module {module!r}; expected package.module:function, or FILE.py")
    return Path(spec.origin)


def _added(
    known: dict[str, Implementation | Missing], found: Implementation, file: Path
) -> Implementation:
    """Add a user's implementation to `known`; its file's name precedes a name that is used."""
    other = known.setdefault(found.name, found)
    where = Path(other.file).resolve() if isinstance(other, Implementation) else FOLDER
    if where == file.resolve():
        return found
    return _added(known, replace(found, name=f"{file.stem}.{found.name}"), file)


def _settings(spec: str, text: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The fixed settings, and the names of the swept ones."""
    fixed: dict[str, Any] = {}
    swept: list[str] = []
    for word in filter(None, text.split(",")):
        name, equals, value = (part.strip() for part in word.partition("="))
        if not (name and equals and value):
            raise ValueError(f"implementation {spec!r}: {word!r} is not setting=value")
        if name in fixed or name in swept:
            raise ValueError(f"implementation {spec!r}: {name!r} is set twice")
        if value == "*":
            swept.append(name)
        else:
            fixed[name] = value
    return fixed, tuple(swept)
