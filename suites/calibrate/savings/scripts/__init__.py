"""Scripts of plain torch, whose attention is recorded, measured and replaced.

Each module has `prepared()`, which returns one step as a function, and `IMPLEMENTATIONS`, which
are put in place of torch's: slower ones, and those that a report recommends. `local_attention`
needs the package of its name. `python -m suites.calibrate.savings.scripts NAME STEPS` runs one.
"""
