"""Verdicts: who is faster than whom, by how much, and what cannot be told."""
