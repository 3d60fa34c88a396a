from collections.abc import Iterator

from suites.calibrate.device.figure import Figure, Target


def figures(target: Target) -> Iterator[Figure]:
    yield Figure(name="before", value=1)
    raise RuntimeError("planted")
