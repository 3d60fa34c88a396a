"""Sums of times over the cases of a step, with intervals, and the choices that make them small."""
