"""Verdicts, rankings and growth, computed from rows; no text for people."""
