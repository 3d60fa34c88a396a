"""Suites that are files: a recorded workload, and a list of problems."""
