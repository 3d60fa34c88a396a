"""Arithmetic on figures: intervals, verdicts, pairing, ceilings."""
