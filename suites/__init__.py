"""Measures attention implementations: requests, checks, times and records."""

VERSION = "0.2.0"
