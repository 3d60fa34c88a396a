"""Runs from Python: `compare` in a script or a notebook, and what it returns."""
