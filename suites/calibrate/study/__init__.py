"""A study to repeat: the error of a ratio by four methods, at equal wall time, the truth known.

`python -m suites.calibrate.study` runs it. Each method measures the same pairs: code against
itself, and against itself made slower by a known part.
"""
