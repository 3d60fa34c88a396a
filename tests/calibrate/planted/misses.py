from collections.abc import Iterator

from suites.calibrate.device.figure import Figure, Target


def figures(target: Target) -> Iterator[Figure]:
    yield Figure(
        name="ratio",
        value=1.25,
        expected="within 5% of 1",
        reason="both are the same",
        holds=False,
    )
