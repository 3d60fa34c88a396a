"""The start of a recorded process: patches wait until torch and other libraries are imported.

This module imports nothing but the standard library: most Python processes never import torch.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, Final

STARTED: Final = "python-started"
"""A file in the folder: at least one Python process was recorded."""
PATCHES: Final = {
    "torch": "torch_patches",
    "torch.nn.attention.flex_attention": "flex_patches",
    "flash_attn.flash_attn_interface": "flash_patches",
    "flash_attn": "flash_patches",
    "xformers.ops": "xformers_patches",
}
"""Modules that are patched after their import, each with the module here that does it."""


class Finder:
    """A finder of modules that patches the modules of `PATCHES` after they are imported.

    folder    for the raw files
    keep      distinct calls whose tensors are kept
    profiles  whether one step of an optimizer is profiled
    """

    def __init__(self, folder: str, keep: int, *, profiles: bool = False) -> None:
        self.folder, self.keep, self.profiles = folder, keep, profiles
        self._recorder: Any = None

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """The spec that the other finders give, with a loader that patches; else None."""
        if name not in PATCHES:
            return None
        others = (each for each in sys.meta_path if each is not self)
        specs = (each.find_spec(name, path, target) for each in others)
        spec = next((each for each in specs if each is not None), None)
        if spec is not None and spec.loader is not None:
            self._patch_after(spec.loader)
        return spec

    def _patch_after(self, loader: Any) -> None:
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            self.patch(module)

        loader.exec_module = exec_module

    def patch(self, module: ModuleType) -> None:
        """Patch an imported module."""
        package = __name__.rpartition(".")[0]
        if self._recorder is None:
            begin = import_module(f"{package}.recorder").begin
            self._recorder = begin(self.folder, self.keep, profiles=self.profiles)
        import_module(f"{package}.{PATCHES[module.__name__]}").patch(module, self._recorder)

    def install(self) -> None:
        """Patch what is imported, and what will be."""
        Path(self.folder, STARTED).touch()
        sys.meta_path.insert(0, self)
        for name in PATCHES:
            if name in sys.modules:
                self.patch(sys.modules[name])

    def remove(self) -> None:
        """Take the patches out again, and write the times that a device still owes."""
        sys.meta_path.remove(self)
        if self._recorder is not None:
            self._recorder.end()


def start(folder: str, *, keep: int = 0, profiles: bool = False) -> None:
    """Record this process from now on; raw files are written to the folder.

    keep      distinct calls whose tensors are kept, too
    profiles  whether one step of an optimizer is profiled, too
    """
    Finder(folder, keep, profiles=profiles).install()
