"""Measures attention implementations: requests, checks, times and records."""

VERSION = "0.6.0"
