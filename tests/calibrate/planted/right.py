from collections.abc import Iterator

from suites.calibrate.device.figure import Figure, Target


def figures(target: Target) -> Iterator[Figure]:
    yield Figure(name="device", value=target.device)
    yield Figure(name="memory", value=target.memory_bytes, unit="bytes")
