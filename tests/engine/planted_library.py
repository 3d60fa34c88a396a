"""Packages made up for tests: a module and the metadata of a distribution on PYTHONPATH."""

from __future__ import annotations

from pathlib import Path

FILE = """
from impls.interface import Library, Limits, implementation
from torch.nn.functional import scaled_dot_product_attention as sdpa

library = Library(
    distribution="planted", module="planted", extra="peers", unusable={"2.0": "its sums are wrong"}
)

@implementation(Limits(masks=("full",), grouped_heads=False), library=library, slow_start=True)
def with_planted(problem):
    import planted

    return lambda q, k, v: sdpa(q, k, v, scale=problem.softmax_scale)

@implementation(Limits(masks=("full",), grouped_heads=False))
def beside(q, k, v, *, mask, scale):
    return sdpa(q, k, v, scale=scale)
"""
"""A file with an implementation that needs the package, and one that does not."""


def plant(folder: Path, name: str = "planted", version: str = "1.0", body: str = "") -> Path:
    """Install a package of one module into a folder; a file that exists says it was imported."""
    imported = folder / f"{name}-imported"
    module = folder / name / "__init__.py"
    metadata = folder / f"{name}-{version}.dist-info" / "METADATA"
    for each in (module, metadata):
        each.parent.mkdir(parents=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    module.write_text(f"from pathlib import Path\nPath({str(imported)!r}).touch()\n{body}\n")
    return imported
