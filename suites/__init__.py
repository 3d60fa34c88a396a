"""Measures attention implementations: what is asked, how it is checked, timed and stored."""

VERSION = "0.2.0"
