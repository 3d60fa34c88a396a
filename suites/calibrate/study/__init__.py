"""A study of timing methods: the error of a ratio by four methods at equal wall time.

`python -m suites.calibrate.study` runs it. Each method measures pairs of known ratio: a call
against itself, and against itself slowed by a known fraction.
"""
