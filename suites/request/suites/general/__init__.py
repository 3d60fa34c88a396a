"""Suites to begin with."""
