"""Formulas for attention over several devices: bytes sent, memory and time of a device.

docs/scaling.md has their tables; `python -m suites.stats.scaling` prints them.
"""
