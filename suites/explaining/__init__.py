"""Walks through methods of attention, step by step in float64, written by their definitions."""
