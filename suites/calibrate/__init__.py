"""Measurements of known ratios: the selftest of a machine, and the study of timing methods."""
