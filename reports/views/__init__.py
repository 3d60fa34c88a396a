"""Sentences, sections, grids and chart descriptions, for any output."""
