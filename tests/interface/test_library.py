"""A library names every package that pip has to install."""

from __future__ import annotations

from impls.interface import Library


def test_packages_beside_it_are_part_of_the_line_that_installs_it() -> None:
    library = Library(distribution="not-there-1", module="json", beside=("not-there-2",))
    assert library.fault == (
        "not-there-1 is not installed; install it with: "
        "python -m pip install not-there-1 not-there-2"
    )


def test_an_absent_package_beside_it_is_a_fault() -> None:
    library = Library(distribution="pytest", module="pytest", extra="test", beside=("not-there",))
    assert library.fault == (
        "not-there is not installed; install it with: "
        'python -m pip install -c constraints.txt -e ".[test]"'
    )
