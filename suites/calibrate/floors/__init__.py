"""Floors of the program's own kernels: the least time that their operators take.

`python -m suites.calibrate.floors` measures them. docs/kernels.md explains and states the figures.
"""
